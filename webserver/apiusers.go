package webserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"galene/group"
	"galene/password"
)

func (c *call) findUsers() (resource, error) {
	names, tag, err := c.registry.ListUsers(c.group)
	if err != nil {
		return resource{}, err
	}
	return resource{version{true, tag}, names}, nil
}

// key says which user of the group is meant. The one with the empty name has a
// keyword of their own, since a path cannot hold that name.
func (c *call) key() group.UserKey { return group.UserKey{Name: c.user, Wildcard: c.wildcard} }

// findUser finds a user, who need not exist, of a group that does.
func (c *call) findUser() (resource, error) {
	user, tag, err := c.registry.ReadUser(c.group, c.key())
	if errors.Is(err, group.ErrUnknownUser) {
		return resource{}, nil
	}
	if err != nil {
		return resource{}, err
	}
	return resource{version{true, tag}, user.Sanitised()}, nil
}

func (c *call) putUser() error {
	user, err := group.ParseUser(c.body)
	if err != nil {
		return err
	}
	created, err := c.registry.WriteUser(c.group, c.key(), user, c.expected)
	if err != nil {
		return err
	}
	return c.done(created)
}

func (c *call) deleteUser() error {
	if err := c.registry.DeleteUser(c.group, c.key(), c.expected); err != nil {
		return err
	}
	return c.done(false)
}

// putPassword sets a password as it shall be stored.
func (c *call) putPassword() error {
	var p password.Password
	if bytes.Equal(bytes.TrimSpace(c.body), []byte("null")) {
		return badRequest(errors.New("password: null is none; use DELETE"))
	}
	if err := json.Unmarshal(c.body, &p); err != nil {
		return badRequest(fmt.Errorf("password: %w", err))
	}
	return c.setPassword(&p)
}

// postPassword sets the password that the body is, hashed.
func (c *call) postPassword() error {
	switch {
	case len(c.body) == 0:
		return badRequest(errors.New("password: empty"))
	case len(c.body) > password.MaxBcryptBytes:
		return badRequest(fmt.Errorf("password: longer than %d bytes", password.MaxBcryptBytes))
	case !utf8.Valid(c.body):
		return badRequest(errors.New("password: not UTF-8"))
	case !c.found.exists:
		return group.ErrUnknownUser
	}
	hashed, err := c.registry.HashPassword(c.r.Context(), string(c.body))
	if err != nil {
		return err
	}
	return c.setPassword(&hashed)
}

func (c *call) deletePassword() error { return c.setPassword(nil) }

func (c *call) setPassword(p *password.Password) error {
	if err := c.registry.SetPassword(c.group, c.key(), p, c.expected); err != nil {
		return err
	}
	return c.done(false)
}
