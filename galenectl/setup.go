package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"galene/config"
	"galene/password"
)

// setupCost is the bcrypt cost of the first administrator's password.
const setupCost = 12

// initialSetup writes the server's configuration and galenectl's, which fit each other.
func initialSetup(ctx context.Context, e *environment, args []string) int {
	set := e.newFlagSet("initial-setup")
	server := set.String("config", "config.json", "`file` to make for the server")
	return e.do(set, args, 0, func() error {
		own, err := e.global.path()
		if err != nil {
			return err
		}
		for _, path := range []string{*server, own} {
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				return exists(path, err)
			}
		}
		s, err := e.firstAdministrator(ctx)
		if err != nil {
			return err
		}
		if err := writePair(*server, own, s); err != nil {
			return err
		}
		return e.explainSetup(*server, own, s)
	})
}

// exists is the error for a file that is in the way, or of which nothing can be known because of err.
func exists(path string, err error) error {
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return fmt.Errorf("%s exists and is left alone: remove it first, or name another file with -config, "+
		"before the command for galenectl's configuration and after it for the server's", path)
}

// firstAdministrator returns what galenectl's configuration is going to say.
func (e *environment) firstAdministrator(ctx context.Context) (settings, error) {
	c, err := e.givenCredentials()
	switch {
	case err != nil:
		return settings{}, err
	case c.token != "":
		return settings{}, usageError("the server does not know the token yet: give a password, and make tokens with create-token -group '' later")
	case c.username == "":
		return settings{}, usageError("-admin-username is needed, before the command")
	case strings.ContainsAny(c.username, ":") || !addressable(c.username):
		return settings{}, usageError(fmt.Sprintf("there can be no administrator called %q", c.username))
	}
	base, err := e.global.address(settings{})
	if err != nil {
		return settings{}, err
	}
	if c.password == "" {
		if c.password, err = e.promptNew(ctx, "-admin-password-file"); err != nil {
			return settings{}, err
		}
	}
	return settings{Server: base.String(), AdminUsername: c.username, AdminPassword: c.password}, nil
}

// writePair writes both files, or neither.
func writePair(server, own string, s settings) error {
	hash, err := password.Hash(s.AdminPassword, setupCost)
	if err != nil {
		return err
	}
	admin, err := config.NamedSet("admin")
	if err != nil {
		return err
	}
	err = writeNew(server, config.Settings{
		Users:          map[string]config.User{s.AdminUsername: {Password: &hash, Permissions: &admin}},
		WritableGroups: true,
	})
	if err != nil {
		return err
	}
	if err := writeNew(own, s); err != nil {
		return errors.Join(err, os.Remove(server))
	}
	return nil
}

// writeNew writes v as JSON to a new file, which only its owner can read.
func writeNew(path string, v any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "    ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	err := config.Create(path, text.Bytes())
	if errors.Is(err, fs.ErrExist) {
		return exists(path, err)
	}
	return err
}

func (e *environment) explainSetup(server, own string, s settings) error {
	_, err := fmt.Fprintf(e.stdout, `Made %s for the server, and
%s for galenectl.
The administrator of %s is %s.

Now
1. move %s into the server's data directory, as config.json, unless it
   is there already; the user that the server runs as has to own it;
2. try "galenectl list-groups", with -insecure before the command if the
   server's certificate is one that it has made by itself.
`, server, own, s.Server, s.AdminUsername, server)
	return err
}
