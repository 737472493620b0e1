package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// defaultServer is the server that commands are for if nothing else is said.
const defaultServer = "https://localhost:8443"

// globalFlags precede the command.
type globalFlags struct {
	config   string // file of the settings; the user's own if empty
	settings settings
	insecure bool
	version  bool
}

// settings are what the configuration file holds; flags win over it, field by field.
type settings struct {
	Server        string `json:"server"` // base URL
	AdminUsername string `json:"admin-username"`
	AdminPassword string `json:"admin-password"`
	AdminToken    string `json:"admin-token"`
}

func (g *globalFlags) flagSet(output io.Writer) *flag.FlagSet {
	set := flag.NewFlagSet("galenectl", flag.ContinueOnError)
	set.SetOutput(output)
	set.StringVar(&g.config, "config", "", "configuration `file` (default galene/galenectl.json in the user's configuration directory)")
	set.StringVar(&g.settings.Server, "server", "", "`URL` of the server (default the configured one, or "+defaultServer+")")
	set.StringVar(&g.settings.AdminUsername, "admin-username", "", "administrator's `name`")
	set.StringVar(&g.settings.AdminPassword, "admin-password", "", "administrator's `password`")
	set.StringVar(&g.settings.AdminToken, "admin-token", "", "administrator's `token`")
	set.BoolVar(&g.insecure, "insecure", false, "accept any certificate")
	set.BoolVar(&g.version, "version", false, "print the version and exit")
	set.Usage = func() {
		_, _ = fmt.Fprint(output, "galenectl administers a Galène server.\n\n",
			"usage: galenectl [global flags] command [flags] [arguments]\n\ncommands:\n")
		for _, c := range commands() {
			_, _ = fmt.Fprintf(output, "  %-18s %s\n", c.name, c.summary)
		}
		_, _ = fmt.Fprint(output, "\n\"galenectl command -h\" tells the flags of a command. Global flags:\n")
		set.PrintDefaults()
	}
	return set
}

// load returns the settings of the configuration file, with those of flags in their place. A file that does not exist is as good as
// an empty one, unless a flag names it.
func (g *globalFlags) load() (settings, error) {
	path := g.config
	if path == "" {
		directory, err := os.UserConfigDir()
		if err != nil {
			return g.settings.or(settings{Server: defaultServer}), nil //nolint:nilerr // flags may say all there is
		}
		path = filepath.Join(directory, "galene", "galenectl.json")
	}
	var stored settings
	b, err := os.ReadFile(path) //nolint:gosec // its user names it
	switch {
	case errors.Is(err, fs.ErrNotExist) && g.config == "":
	case err != nil:
		return settings{}, err
	default:
		decoder := json.NewDecoder(bytes.NewReader(b))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&stored); err != nil {
			return settings{}, fmt.Errorf("%s: %w", path, err)
		}
	}
	return g.settings.or(stored).or(settings{Server: defaultServer}), nil
}

// or returns s with its empty fields taken from other.
func (s settings) or(other settings) settings {
	return settings{
		Server:        cmp.Or(s.Server, other.Server),
		AdminUsername: cmp.Or(s.AdminUsername, other.AdminUsername),
		AdminPassword: cmp.Or(s.AdminPassword, other.AdminPassword),
		AdminToken:    cmp.Or(s.AdminToken, other.AdminToken),
	}
}
