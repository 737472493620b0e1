package group

import (
	"context"
	"errors"
	"maps"
	"slices"

	"galene/config"
	"galene/password"
)

var (
	// ErrUnknownUser is returned when a definition does not have the user that
	// is meant.
	ErrUnknownUser = errors.New("group: the definition has no such user")
	// ErrInvalidUsername is returned for what no user can be called.
	ErrInvalidUsername = errors.New("group: illegal username")
)

// UserKey tells which user of a definition is meant: the one called Name, which
// may be empty, or the wildcard user.
type UserKey struct {
	Name     string
	Wildcard bool
}

// ListUsers lists the names of the users in the definition that applies to the
// group called name, which may be that of a group above, sorted; and the
// definition's entity tag. The wildcard user and fallback users have no names.
// Errors are those of [Registry.ReadDefinition].
func (r *Registry) ListUsers(name string) (users []string, etag string, err error) {
	d, err := r.describe(name)
	if err != nil {
		return nil, "", err
	}
	users = slices.AppendSeq([]string{}, maps.Keys(d.Users))
	slices.Sort(users)
	return users, d.etag(), nil
}

// ReadUser returns a user in the file of the group called name, and the
// definition's entity tag. The result holds a secret; see
// [config.User.Sanitised]. Errors are those of [Registry.ReadDefinition], and
// [ErrUnknownUser].
func (r *Registry) ReadUser(name string, key UserKey) (user config.User, etag string, err error) {
	d, etag, err := r.ReadDefinition(name)
	if err != nil {
		return config.User{}, "", err
	}
	user, ok := d.user(key)
	if !ok {
		return config.User{}, "", ErrUnknownUser
	}
	return user, etag, nil
}

// WriteUser adds a user to the file of the group called name, or changes it; a
// password stays unless user has one. etag is that of the definition in which
// it shall be done; empty if the user shall be new, or [AnyTag]. Errors are
// those of [Registry.SetKeys], and [ErrInvalidUsername].
func (r *Registry) WriteUser(name string, key UserKey, user config.User, etag string) (created bool, err error) {
	if !key.Wildcard && !validUsername(key.Name) {
		return false, ErrInvalidUsername
	}
	if err := validateUser("", user); err != nil {
		return false, err
	}
	create := etag == ""
	if create {
		etag = AnyTag
	}
	err = r.modifyExisting(name, etag, func(d *Description) error {
		old, ok := d.user(key)
		if created = !ok; create && ok {
			return ErrTagMismatch
		}
		changed := user
		if changed.Password == nil {
			changed.Password = old.Password
		}
		d.setUser(key, &changed)
		return nil
	})
	return created && err == nil, err
}

// DeleteUser removes a user from the file of the group called name. Errors are
// those of [Registry.SetKeys], and [ErrUnknownUser].
func (r *Registry) DeleteUser(name string, key UserKey, etag string) error {
	return r.modifyExisting(name, etag, func(d *Description) error {
		if _, ok := d.user(key); !ok {
			return ErrUnknownUser
		}
		d.setUser(key, nil)
		return nil
	})
}

// SetPassword gives a user in the file of the group called name another
// password; nil leaves none, and nobody gets in by that name. Errors are those
// of [Registry.DeleteUser].
func (r *Registry) SetPassword(name string, key UserKey, p *password.Password, etag string) error {
	if err := validateUser("", config.User{Password: p}); err != nil {
		return err
	}
	return r.modifyExisting(name, etag, func(d *Description) error {
		user, ok := d.user(key)
		if !ok {
			return ErrUnknownUser
		}
		user.Password = p
		d.setUser(key, &user)
		return nil
	})
}

// HashPassword returns text as it should be stored. It waits for its turn among
// the passwords that are being checked. Errors are those of
// [password.Checker.Hash].
func (r *Registry) HashPassword(ctx context.Context, text string) (password.Password, error) {
	return r.hash(ctx, text)
}

// user returns the user that key names.
func (d *Description) user(key UserKey) (config.User, bool) {
	if !key.Wildcard {
		user, ok := d.Users[key.Name]
		return user, ok
	}
	if d.WildcardUser == nil {
		return config.User{}, false
	}
	return *d.WildcardUser, true
}

// setUser puts user where key says; nil removes it. d is the caller's, but its
// map of users is not.
func (d *Description) setUser(key UserKey, user *config.User) {
	if key.Wildcard {
		d.WildcardUser = user
		return
	}
	users := maps.Clone(d.Users)
	if users == nil {
		users = make(map[string]config.User)
	}
	if user == nil {
		delete(users, key.Name)
	} else {
		users[key.Name] = *user
	}
	d.Users = users
}
