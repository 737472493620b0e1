package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"time"

	"galene/token"
)

// defaultTokenDuration is how long a new token can be used.
const defaultTokenDuration = 24 * time.Hour

// listTokens prints tokens.
func listTokens(ctx context.Context, e *environment, args []string) int {
	set := e.newFlagSet("list-tokens")
	var o objectFlags
	o.declareTokens(set)
	long := set.Bool("l", false, "their users, permissions and ends, too; an H means that subgroups are included")
	return e.do(set, args, 0, func() error {
		path, err := o.tokensPath()
		if err != nil {
			return err
		}
		return e.connect(ctx, func(c *client) error {
			var names []string
			if _, err := c.get(ctx, path, &names); err != nil {
				return err
			}
			if !*long {
				return e.printNames(names, nil)
			}
			slices.Sort(names)
			return e.printTokens(ctx, c, path, names)
		})
	})
}

// printTokens prints tokens of the list whose path is given, with what they say.
func (e *environment) printTokens(ctx context.Context, c *client, path string, names []string) error {
	var lines bytes.Buffer
	now := time.Now()
	for _, name := range names {
		if !addressable(name) {
			_, _ = fmt.Fprintf(&lines, "%-11s %s\n", printable(name), unknowable)
			continue
		}
		t := token.Token{}
		switch _, err := c.get(ctx, path+name, &t); {
		case isGone(err):
			continue
		case err != nil:
			return err
		}
		username, rights := "", t.Permissions
		if t.Username != nil {
			username = *t.Username
		}
		if t.IncludeSubgroups {
			rights = append(rights, "H")
		}
		_, _ = fmt.Fprintf(&lines, "%-11s %-20s %-4s %s\n",
			printable(name), printable(username), initials(rights), expiry(t.Expires, now))
	}
	_, err := e.stdout.Write(lines.Bytes())
	return err
}

// expiry is the end of a token as it is listed.
func expiry(expires *time.Time, now time.Time) string {
	switch {
	case expires == nil:
		return "(no expiration date)"
	case expires.Before(now):
		return "(expired)"
	default:
		return expires.Local().Format(time.DateTime)
	}
}

// tokenFlags are those that make up a token.
type tokenFlags struct {
	objectFlags
	permissions      permissions
	duration         time.Duration
	includeSubgroups bool
}

func (f *tokenFlags) declare(set *flag.FlagSet, permissions string, duration time.Duration) {
	declarePermissions(&f.permissions, set.StringVar, permissions)
	set.DurationVar(&f.duration, "duration", duration, "`time` from now on that it can be used, such as 30m or 168h")
}

// fields are those of the token that flags set; if all is set, the others have their default values.
func (f *tokenFlags) fields(all bool, now time.Time) (object, error) {
	fields := object{}
	if all || given(f.set, "permissions") {
		list, err := f.permissions.list()
		if err != nil {
			return nil, err
		}
		if err := fields.set("permissions", list); err != nil {
			return nil, err
		}
	}
	if all || given(f.set, "duration") {
		if f.duration <= 0 {
			return nil, usageError("-duration has to be positive; revoke-token makes a token expire")
		}
		if err := fields.set("expires", now.Add(f.duration).UTC()); err != nil {
			return nil, err
		}
	}
	return fields, nil
}

// createToken makes a token and prints it.
func createToken(ctx context.Context, e *environment, args []string) int {
	set := e.newFlagSet("create-token")
	var f tokenFlags
	f.declareTokens(set)
	f.declare(set, "present", defaultTokenDuration)
	set.StringVar(&f.user, "user", "", "`name` of who uses it; whoever does chooses one otherwise")
	set.BoolVar(&f.includeSubgroups, "include-subgroups", false, "it is good for the groups below, too; for the whole server it has to be")
	return e.do(set, args, 0, func() error {
		path, err := f.tokensPath()
		if err != nil {
			return err
		}
		fields, err := f.fields(true, time.Now())
		if err != nil {
			return err
		}
		if given(set, "user") {
			err = fields.set("username", f.user)
		}
		if f.includeSubgroups {
			err = errors.Join(err, fields.set("includeSubgroups", true))
		}
		if err != nil {
			return err
		}
		return e.connect(ctx, func(c *client) error {
			made, err := c.send(ctx, request{method: http.MethodPost, path: path, body: fields})
			if err != nil {
				return err
			}
			name, err := tokenName(made.location)
			if err == nil {
				_, err = fmt.Fprintln(e.stdout, name)
			}
			return err
		})
	})
}

// tokenName returns the name of a new token, which is the last segment of where it is.
func tokenName(location string) (string, error) {
	u, err := url.Parse(location)
	if err != nil || u.Path == "" || !addressable(path.Base(u.Path)) {
		return "", errors.New("the server has made a token but does not say which: see list-tokens")
	}
	return path.Base(u.Path), nil
}

// updateToken changes a token.
func updateToken(ctx context.Context, e *environment, args []string) int {
	set := e.newFlagSet("update-token")
	var f tokenFlags
	f.declareToken(set)
	f.declare(set, "", 0)
	return e.changeToken(ctx, &f.objectFlags, args, func() (object, error) {
		fields, err := f.fields(false, time.Now())
		if err == nil && len(fields) == 0 {
			err = usageError("nothing is to be changed: give -permissions or -duration")
		}
		return fields, err
	})
}

// revokeToken makes a token expire.
func revokeToken(ctx context.Context, e *environment, args []string) int {
	// longAgo is more than clocks differ.
	const longAgo = time.Minute
	set := e.newFlagSet("revoke-token")
	var o objectFlags
	o.declareToken(set)
	return e.changeToken(ctx, &o, args, func() (object, error) {
		fields := object{}
		return fields, fields.set("expires", time.Now().Add(-longAgo).UTC())
	})
}

// changeToken is a command that changes some fields of a token.
func (e *environment) changeToken(ctx context.Context, o *objectFlags, args []string, changes func() (object, error)) int {
	return e.do(o.set, args, 0, func() error {
		path, err := o.tokenPath(e)
		if err != nil {
			return err
		}
		fields, err := changes()
		if err != nil {
			return err
		}
		return e.connect(ctx, func(c *client) error {
			return c.update(ctx, path, func(t object) error {
				// These are what the path says.
				delete(t, "token")
				delete(t, "group")
				t.merge(fields)
				return nil
			})
		})
	})
}

// deleteToken removes a token.
func deleteToken(ctx context.Context, e *environment, args []string) int {
	set := e.newFlagSet("delete-token")
	var o objectFlags
	o.declareToken(set)
	return e.delete(ctx, set, args, &o, func() (string, error) { return o.tokenPath(e) })
}
