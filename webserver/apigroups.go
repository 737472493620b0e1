package webserver

import (
	"encoding/json"
	"errors"

	"galene/config"
	"galene/group"
)

// findStats finds the statistics, if there is somebody who keeps them.
func (c *call) findStats() (resource, error) {
	if c.stats == nil {
		return resource{}, nil
	}
	return resource{version{exists: true}, c.stats()}, nil
}

func (c *call) findGroups() (resource, error) {
	names, err := c.registry.Names()
	if err != nil && len(names) == 0 {
		return resource{}, err
	}
	if err != nil {
		c.log.Warn("not all groups can be listed", "error", err)
	}
	return resource{version{exists: true}, names}, nil
}

// findGroup finds the definition of the group, which need not exist.
func (c *call) findGroup() (resource, error) {
	d, tag, err := c.registry.ReadDefinition(c.group)
	if errors.Is(err, group.ErrNotFound) {
		return resource{}, nil
	}
	if err != nil {
		return resource{}, err
	}
	return resource{version{true, tag}, d.Sanitised()}, nil
}

func (c *call) putGroup() error {
	d, err := group.ParseDescription(c.body)
	if err != nil {
		return err
	}
	created, err := c.registry.WriteDefinition(c.group, d, c.expected)
	if err != nil {
		return err
	}
	return c.done(created)
}

func (c *call) deleteGroup() error {
	if err := c.registry.DeleteDefinition(c.group, c.expected); err != nil {
		return err
	}
	return c.done(false)
}

// findKeys finds the definition that has the keys, which are write-only.
func (c *call) findKeys() (resource, error) {
	found, err := c.findGroup()
	if err == nil && !found.exists {
		err = group.ErrNotFound
	}
	return found, err
}

func (c *call) putKeys() error {
	var set struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := c.decode("keys", &set); err != nil {
		return err
	}
	if set.Keys == nil {
		return badRequest(errors.New(`field "keys" is missing`))
	}
	return c.setKeys(*set.Keys)
}

func (c *call) deleteKeys() error { return c.setKeys(nil) }

func (c *call) setKeys(keys []json.RawMessage) error {
	if err := c.registry.SetKeys(c.group, keys, c.expected); err != nil {
		return err
	}
	return c.done(false)
}

// decode reads the JSON object in the body, which is called name in errors,
// into v, a pointer to a struct that has all its fields.
func (c *call) decode(name string, v any) error {
	if !json.Valid(c.body) {
		return badRequest(errors.New(name + ": not a JSON object"))
	}
	if err := config.Decode(name, c.body, v); err != nil {
		return badRequest(err)
	}
	return nil
}
