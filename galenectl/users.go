package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
)

// listUsers prints the names of a group's users.
func listUsers(ctx context.Context, e *environment, args []string) int {
	set := e.newFlagSet("list-users")
	var o objectFlags
	o.declareGroup(set)
	long := set.Bool("l", false, "what they may do, too")
	return e.do(set, args, -1, func() error {
		path, err := o.groupPath()
		if err != nil {
			return err
		}
		if _, err := selected(nil, set.Args()); err != nil {
			return err
		}
		return e.connect(ctx, func(c *client) error {
			var names []string
			if _, err := c.get(ctx, path+"/.users/", &names); err != nil {
				return err
			}
			if !*long {
				return e.printNames(names, set.Args())
			}
			if names, err = selected(names, set.Args()); err != nil {
				return err
			}
			return e.printUsers(ctx, c, path, names)
		})
	})
}

// unknowable stands for what is not known of something whose name cannot be asked for.
const unknowable = "?"

// printUsers prints users of the group whose path is given, with their permissions.
func (e *environment) printUsers(ctx context.Context, c *client, path string, names []string) error {
	var lines bytes.Buffer
	for _, name := range names {
		user, err := namedUser(path, name)
		if err != nil {
			_, _ = fmt.Fprintf(&lines, "%-12s %s\n", printable(name), unknowable)
			continue
		}
		var found struct {
			Permissions json.RawMessage `json:"permissions"`
		}
		switch _, err := c.get(ctx, user, &found); {
		case isGone(err):
			continue
		case err != nil:
			return err
		}
		_, _ = fmt.Fprintf(&lines, "%-12s %s\n", printable(name), shown(found.Permissions))
	}
	_, err := e.stdout.Write(lines.Bytes())
	return err
}

// isGone reports whether something was deleted since it was listed.
func isGone(err error) bool {
	refused, ok := errors.AsType[*statusError](err)
	return ok && refused.code == http.StatusNotFound
}

// userFlags are those that make up a user.
type userFlags struct {
	objectFlags
	permissions permissions
	json        bool
}

func (f *userFlags) declare(set *flag.FlagSet, permissions string) {
	f.declareUser(set)
	declarePermissions(&f.permissions, set.StringVar, permissions)
	set.BoolVar(&f.json, "json", false, "read fields of the user from standard input, as a JSON object")
}

// prepare returns the user's path and the fields to change.
func (f *userFlags) prepare(e *environment) (path string, changes object, err error) {
	if path, err = f.userPath(); err != nil {
		return "", nil, err
	}
	options := object{}
	if given(f.set, "permissions") {
		value, err := f.permissions.value()
		if err != nil {
			return "", nil, err
		}
		if err := options.set("permissions", value); err != nil {
			return "", nil, err
		}
	}
	return e.withTemplate(path, f.json, options)
}

// createUser makes a user that does not exist.
func createUser(ctx context.Context, e *environment, args []string) int {
	set := e.newFlagSet("create-user")
	var f userFlags
	f.declare(set, "present")
	defaults := object{"permissions": json.RawMessage(`"present"`)}
	return e.create(ctx, set, args, f.prepare, defaults, "there is such a user: change it with update-user")
}

// updateUser changes a user, but not the password.
func updateUser(ctx context.Context, e *environment, args []string) int {
	set := e.newFlagSet("update-user")
	var f userFlags
	f.declare(set, "")
	return e.update(ctx, set, args, f.prepare, "-permissions or -json")
}

// deleteUser removes a user.
func deleteUser(ctx context.Context, e *environment, args []string) int {
	set := e.newFlagSet("delete-user")
	var o objectFlags
	o.declareUser(set)
	o.declareIfMatch(set)
	return e.delete(ctx, set, args, &o, o.userPath)
}
