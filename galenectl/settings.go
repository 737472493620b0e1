package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"galene/config"
)

// defaultServer is the server that commands are for if nothing else is said.
const defaultServer = "https://localhost:8443"

// globalFlags precede the command.
type globalFlags struct {
	config    string // file of the settings; the user's own if empty
	server    string // base URL
	given     credentials
	passwords string // file that has the password
	tokens    string // file that has the token
	insecure  bool
	version   bool
}

// settings are what the configuration file holds. Its credentials are for its server, and for no other.
type settings struct {
	Server        string `json:"server,omitempty"` // base URL
	AdminUsername string `json:"admin-username,omitempty"`
	AdminPassword string `json:"admin-password,omitempty"`
	AdminToken    string `json:"admin-token,omitempty"`
}

// credentials say who administers. A token is all there is to say; without one, it is a name and a password.
type credentials struct {
	username, password, token string
}

func (g *globalFlags) flagSet(output io.Writer) *flag.FlagSet {
	set := flag.NewFlagSet("galenectl", flag.ContinueOnError)
	set.SetOutput(output)
	set.StringVar(&g.config, "config", "", "configuration `file` (default galene/galenectl.json in the user's configuration directory)")
	set.StringVar(&g.server, "server", "", "`URL` of the server (default the configured one, or "+defaultServer+")")
	set.StringVar(&g.given.username, "admin-username", "", "administrator's `name`")
	set.StringVar(&g.given.password, "admin-password", "", "administrator's `password`, which other users of this machine may see")
	set.StringVar(&g.passwords, "admin-password-file", "", "`file` with the administrator's password; - is standard input")
	set.StringVar(&g.given.token, "admin-token", "", "administrator's `token`, which other users of this machine may see")
	set.StringVar(&g.tokens, "admin-token-file", "", "`file` with the administrator's token; - is standard input")
	set.BoolVar(&g.insecure, "insecure", false, "accept any certificate")
	set.BoolVar(&g.version, "version", false, "print the version and exit")
	set.Usage = func() {
		_, _ = fmt.Fprint(output, "galenectl administers a Galène server.\n\n",
			"usage: galenectl [global flags] command [flags] [arguments]\n\ncommands:\n")
		for _, c := range commands() {
			_, _ = fmt.Fprintf(output, "  %-16s %s\n", c.name, c.summary)
		}
		_, _ = fmt.Fprint(output, "\n\"galenectl help command\" tells the flags of a command. Global flags:\n")
		set.PrintDefaults()
	}
	return set
}

// path is where the configuration file is, if there is one.
func (g *globalFlags) path() (string, error) {
	if g.config != "" {
		return g.config, nil
	}
	directory, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("there is no directory for galenectl.json (%w): name a file with -config", err)
	}
	return filepath.Join(directory, "galene", "galenectl.json"), nil
}

// stored returns what the configuration file says. One that does not exist is as good as an empty one.
func (g *globalFlags) stored() (settings, error) {
	path, err := g.path()
	if err != nil {
		return settings{}, nil //nolint:nilerr // flags may say all there is
	}
	var s settings
	data, err := os.ReadFile(path) //nolint:gosec // its user names it
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return settings{}, nil
	case err != nil:
		return settings{}, err
	case len(bytes.TrimSpace(data)) == 0:
		return settings{}, nil
	}
	err = config.Decode(path, data, &s)
	return s, err
}

// address returns the base URL of the server.
func (g *globalFlags) address(stored settings) (*url.URL, error) {
	if g.server != "" {
		return parseServer("-server", g.server)
	}
	return parseServer("\"server\" in the configuration", cmp.Or(stored.Server, defaultServer))
}

// parseServer reads a server's base URL. Errors do not repeat it, since somebody may have put a password there.
func parseServer(what, text string) (*url.URL, error) {
	base, err := url.Parse(text)
	switch {
	case err != nil, base.Scheme != "https" && base.Scheme != "http", base.Hostname() == "":
		return nil, fmt.Errorf("%s is not an address such as %s", what, defaultServer)
	case base.User != nil:
		return nil, fmt.Errorf("%s has a user name in it: use -admin-username", what)
	case base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("%s has something after its path", what)
	}
	return base, nil
}

// credentials returns what the administrator of the server at base is to be known by, and asks for a missing password. What the command
// line says counts as a whole: a token that is stored is not used with it, nor a password that is stored for another name.
func (e *environment) credentials(ctx context.Context, base *url.URL, stored settings) (credentials, error) {
	c, err := e.givenCredentials()
	if err != nil {
		return credentials{}, err
	}
	known, err := stored.credentialsFor(base)
	switch {
	case err != nil && c == (credentials{}):
		return credentials{}, err
	case c.token != "":
		return credentials{token: c.token}, nil
	case c == (credentials{}):
		c = known
	case c.username == "":
		c.username = known.username
	case c.password == "" && c.username == known.username:
		c.password = known.password
	}
	if c.token != "" {
		return credentials{token: c.token}, nil
	}
	if c.username == "" && c.password != "" {
		return credentials{}, errors.New("a password needs a name: give -admin-username")
	}
	if strings.Contains(c.username, ":") {
		return credentials{}, errors.New("the administrator's name has a colon, which HTTP cannot carry: use a token, or another name")
	}
	if c.username == "" || c.password != "" {
		return c, nil
	}
	c.password, err = e.prompt(ctx, fmt.Sprintf("Password of %s: ", c.username), "-admin-password-file")
	return c, err
}

// givenCredentials are those of the command line.
func (e *environment) givenCredentials() (credentials, error) {
	c := e.global.given
	var err error
	if c.password, err = e.secret(c.password, e.global.passwords, "-admin-password"); err != nil {
		return credentials{}, err
	}
	c.token, err = e.secret(c.token, e.global.tokens, "-admin-token")
	return c, err
}

// credentialsFor returns the stored credentials if the server at base is the one that they are for.
func (s settings) credentialsFor(base *url.URL) (credentials, error) {
	c := credentials{s.AdminUsername, s.AdminPassword, s.AdminToken}
	if c == (credentials{}) {
		return c, nil
	}
	home, err := parseServer("\"server\" in the configuration", cmp.Or(s.Server, defaultServer))
	if err != nil {
		return credentials{}, err
	}
	if origin(home) != origin(base) {
		return credentials{}, fmt.Errorf(
			"the configured credentials are for %s and are not sent to %s: give -admin-username or -admin-token-file, or a -config for that server",
			origin(home), origin(base))
	}
	return c, nil
}
