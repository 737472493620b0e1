package webserver

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"

	"galene/group"
	"galene/token"
)

// requireGroup returns an error unless the tokens in question are the server's
// or those of a group that exists.
func (c *call) requireGroup() error {
	if c.registry.Tokens() == nil {
		return group.ErrNotFound
	}
	if c.group == "" {
		return nil
	}
	_, err := c.registry.Description(c.group)
	return err
}

// findTokens lists the names of the tokens. Its tag is theirs.
func (c *call) findTokens() (resource, error) {
	if err := c.requireGroup(); err != nil {
		return resource{}, err
	}
	tokens, err := c.registry.Tokens().List(c.group)
	if err != nil {
		return resource{}, err
	}
	names := make([]string, 0, len(tokens))
	digest := sha256.New()
	for _, t := range tokens {
		names = append(names, t.Token)
		_, _ = digest.Write([]byte(t.Token + "\n")) // it never fails
	}
	tag := `"` + base64.RawURLEncoding.EncodeToString(digest.Sum(nil)[:16]) + `"`
	return resource{version{true, tag}, names}, nil
}

// findToken finds a token, which need not exist. It is shown without what its
// address says.
func (c *call) findToken() (resource, error) {
	if err := c.requireGroup(); err != nil {
		return resource{}, err
	}
	t, err := c.registry.Tokens().Get(c.token)
	if errors.Is(err, token.ErrNotExist) || err == nil && t.Group != c.group {
		return resource{}, nil
	}
	if err != nil {
		return resource{}, err
	}
	tag := t.ETag()
	t.Token, t.Group = "", ""
	return resource{version{true, tag}, t}, nil
}

// parseToken reads a token for the group. Name and group are not the client's
// to choose.
func (c *call) parseToken() (*token.Token, error) {
	t := new(token.Token)
	if err := c.decode("token", t); err != nil {
		return nil, err
	}
	switch {
	case t.Token != "":
		return nil, badRequest(errors.New(`token: field "token" is the address's to say`))
	case t.Group != "":
		return nil, badRequest(errors.New(`token: field "group" is the address's to say`))
	case t.Username != nil && *t.Username != "" && !group.ValidName(*t.Username):
		return nil, badRequest(errors.New(`token: field "username": illegal username`))
	}
	t.Group = c.group
	return t, nil
}

func (c *call) postToken() error {
	t, err := c.parseToken()
	if err != nil {
		return err
	}
	made, err := c.registry.CreateToken(c.who, t)
	if err != nil {
		return err
	}
	c.token = made.Token // for the log
	c.w.Header().Set("Location", url.PathEscape(made.Token))
	c.w.Header().Set("ETag", made.ETag())
	return c.done(true)
}

func (c *call) putToken() error {
	t, err := c.parseToken()
	if err != nil {
		return err
	}
	t.Token = c.token
	expected := c.expected
	if !c.found.exists {
		expected = ""
	}
	if _, err := c.registry.ReplaceToken(c.who, t, expected); err != nil {
		return err
	}
	return c.done(!c.found.exists)
}

func (c *call) deleteToken() error {
	if err := c.registry.DeleteToken(c.who, c.group, c.token, c.expected); err != nil {
		return err
	}
	return c.done(false)
}
