package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"galene/password"
)

// ErrUnknownSet is wrapped by the error for the name of a set of permissions
// that does not exist.
var ErrUnknownSet = errors.New("unknown permission")

// User describes one user, in a group definition or among the administrators.
type User struct {
	// Password is what the user has to give; with none, nobody gets in.
	Password *password.Password `json:"password,omitempty"`
	// Permissions is what the user may do; nothing by default.
	Permissions *Grants `json:"permissions,omitempty"`
}

// Sanitised is u without its password.
func (u User) Sanitised() User {
	u.Password = nil
	return u
}

// Grants are the permissions that a user description gives: either the name of
// a set, or a list of permissions taken as it is. A nil or zero Grants gives
// none.
type Grants struct {
	set  string
	list []string
}

// NamedSet returns the set called name, one of "op", "present", "message",
// "observe", "caption" and "admin".
func NamedSet(name string) (Grants, error) {
	if _, ok := setMembers(name); !ok {
		return Grants{}, fmt.Errorf("%w %q", ErrUnknownSet, name)
	}
	return Grants{set: name}, nil
}

// setMembers lists what a set grants.
func setMembers(name string) (members []string, ok bool) {
	switch name {
	case "op":
		return []string{"op", "present", "message", "caption", "token"}, true
	case "present":
		return []string{"present", "message"}, true
	case "message", "caption", "admin":
		return []string{name}, true
	case "observe":
		return nil, true
	default:
		return nil, false
	}
}

// Set is the name of the set, empty if g is a list or nothing.
func (g *Grants) Set() string {
	if g == nil {
		return ""
	}
	return g.set
}

// List returns a copy of the permissions that g grants, in order. What they
// mean is for others to decide: a list may hold any string.
func (g *Grants) List() []string {
	if g == nil {
		return nil
	}
	if g.set != "" {
		members, _ := setMembers(g.set)
		return members
	}
	return slices.Clone(g.list)
}

// UnmarshalJSON reads the name of a set or an array of permissions.
func (g *Grants) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	if len(data) > 0 && data[0] == '"' {
		var name string
		if err := json.Unmarshal(data, &name); err != nil {
			return err
		}
		named, err := NamedSet(name)
		if err != nil {
			return err
		}
		*g = named
		return nil
	}
	var list []string
	if err := json.Unmarshal(data, &list); err != nil {
		return errors.New("permissions are neither a string nor an array of strings")
	}
	*g = Grants{list: list}
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (g Grants) MarshalJSON() ([]byte, error) {
	if g.set != "" {
		return json.Marshal(g.set)
	}
	if g.list == nil {
		return []byte("[]"), nil
	}
	return json.Marshal(g.list)
}
