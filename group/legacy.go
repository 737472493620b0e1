package group

import (
	"galene/config"
	"galene/password"
)

// definition is a file as it may be: with the fields of older versions.
type definition struct {
	Description

	AllowSubgroups bool         `json:"allow-subgroups,omitempty"`
	Op             []legacyUser `json:"op,omitempty"`
	Presenter      []legacyUser `json:"presenter,omitempty"`
	Other          []legacyUser `json:"other,omitempty"`
}

// legacyUser is a user in the lists of older versions. Without a username it is
// for all names, without a password it accepts any.
type legacyUser struct {
	Username *string            `json:"username,omitempty"`
	Password *password.Password `json:"password,omitempty"`
}

// convert puts what older fields say into the present ones. What is defined
// already is not defined again.
func (r *definition) convert() error {
	r.AutoSubgroups = r.AutoSubgroups || r.AllowSubgroups
	lists := []struct {
		field, set string
		users      []legacyUser
	}{
		{"op", "op", r.Op},
		{"presenter", "present", r.Presenter},
		{"other", "message", r.Other},
	}
	for _, list := range lists {
		grants, err := config.NamedSet(list.set)
		if err != nil {
			return err
		}
		for _, old := range list.users {
			user := config.User{Password: old.Password, Permissions: &grants}
			if user.Password == nil {
				wildcard := password.Wildcard()
				user.Password = &wildcard
			}
			if !r.define(old.Username, user) {
				r.warn("user in %q is already defined", list.field)
			}
		}
	}
	return nil
}

// define adds a user, or the wildcard user if name is nil, unless there is one.
func (r *definition) define(name *string, user config.User) bool {
	if name == nil {
		if r.WildcardUser != nil {
			return false
		}
		r.WildcardUser = &user
		return true
	}
	if _, ok := r.Users[*name]; ok {
		return false
	}
	if r.Users == nil {
		r.Users = make(map[string]config.User)
	}
	r.Users[*name] = user
	return true
}
