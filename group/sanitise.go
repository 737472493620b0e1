package group

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"galene/config"
	"galene/token"
)

// bodyName stands for the file in errors about what was given to be written.
const bodyName = "definition"

// ErrInvalidDefinition is wrapped by the [*DefinitionError] about something that
// was given to be written; without it, such an error is about what is on disk.
var ErrInvalidDefinition = errors.New("not acceptable")

// Sanitised is d without secrets and without what is administered by itself:
// users, the wildcard user and keys. Of fallback users, everything but the
// passwords is left.
func (d *Description) Sanitised() *Description {
	s := *d
	s.Users, s.WildcardUser, s.AuthKeys = nil, nil, nil
	s.FallbackUsers = sanitisedUsers(d.FallbackUsers)
	return &s
}

func sanitisedUsers(users []config.User) []config.User {
	var sanitised []config.User
	for _, user := range users {
		sanitised = append(sanitised, user.Sanitised())
	}
	return sanitised
}

// isSanitised reports whether d could have come from Sanitised.
func (d *Description) isSanitised() bool {
	return d.Users == nil && d.WildcardUser == nil && d.AuthKeys == nil &&
		!slices.ContainsFunc(d.FallbackUsers, func(u config.User) bool { return u.Password != nil })
}

// ParseDescription reads the JSON of a sanitised definition, as it may be given
// to [Registry.WriteDefinition]. It refuses unknown fields and those of older
// versions; users, the wildcard user and keys, even empty ones; and values that
// could not be used. The error is a [*DefinitionError] that wraps
// [ErrInvalidDefinition].
func ParseDescription(data []byte) (*Description, error) {
	var d Description
	if err := parseBody(data, &d); err != nil {
		return nil, err
	}
	var present map[string]json.RawMessage
	if err := json.Unmarshal(data, &present); err != nil {
		return nil, unacceptable("", err)
	}
	for _, field := range []string{"users", "wildcard-user", "authKeys"} {
		if _, ok := present[field]; ok {
			return nil, unacceptable(field, errors.New("cannot be changed together with the definition"))
		}
	}
	for i, user := range d.FallbackUsers {
		if user.Password != nil {
			return nil, unacceptable(fmt.Sprintf("fallback-users.%d.password", i), errors.New("cannot be changed here"))
		}
	}
	if err := d.validate(); err != nil {
		return nil, err
	}
	return &d, nil
}

// ParseUser reads the JSON of a user without password, as it may be given to
// [Registry.WriteUser]. Errors are those of [ParseDescription].
func ParseUser(data []byte) (config.User, error) {
	var user config.User
	if err := parseBody(data, &user); err != nil {
		return config.User{}, err
	}
	var present map[string]json.RawMessage
	if err := json.Unmarshal(data, &present); err != nil {
		return config.User{}, unacceptable("", err)
	}
	if _, ok := present["password"]; ok {
		return config.User{}, unacceptable("password", errors.New("cannot be changed together with the permissions"))
	}
	return user, validateUser("", user)
}

// parseBody decodes the JSON object that data is into v.
func parseBody(data []byte, v any) error {
	err := config.Decode(bodyName, data, v)
	if err == nil && !json.Valid(data) {
		return unacceptable("", errors.New("something follows the JSON object"))
	}
	if bad, ok := errors.AsType[*DefinitionError](err); ok {
		return &DefinitionError{
			File: bad.File, Line: bad.Line, Field: bad.Field,
			Err: fmt.Errorf("%w: %w", ErrInvalidDefinition, bad.Err),
		}
	}
	return err
}

// unacceptable is the error for a field, the path of which may be empty, that
// was given to be written.
func unacceptable(field string, err error) error {
	if field != "" {
		err = fmt.Errorf("field %q: %w", field, err)
	}
	return &DefinitionError{File: bodyName, Field: field, Err: fmt.Errorf("%w: %w", ErrInvalidDefinition, err)}
}

// validate reports what must not be written, even though it could be read.
func (d *Description) validate() error {
	for _, name := range slices.Sorted(maps.Keys(d.Users)) {
		if !validUsername(name) {
			return unacceptable("users", fmt.Errorf("%w: %q", ErrInvalidUsername, name))
		}
		if err := validateUser("users."+name, d.Users[name]); err != nil {
			return err
		}
	}
	for i, user := range d.FallbackUsers {
		if err := validateUser(fmt.Sprintf("fallback-users.%d", i), user); err != nil {
			return err
		}
	}
	if d.WildcardUser != nil {
		if err := validateUser("wildcard-user", *d.WildcardUser); err != nil {
			return err
		}
	}
	return validateKeys(d.AuthKeys)
}

// validateKeys is validate for JSON Web Keys.
func validateKeys(keys []json.RawMessage) error {
	for i, key := range keys {
		if _, err := token.ParseKey(key); err != nil {
			return unacceptable(fmt.Sprintf("authKeys.%d", i), err)
		}
	}
	return nil
}

// validateUser is validate for one user, whose field is called path.
func validateUser(path string, user config.User) error {
	if path != "" {
		path += "."
	}
	if err := user.Password.Validate(); err != nil {
		return unacceptable(path+"password", err)
	}
	if slices.Contains(user.Permissions.List(), systemPermission) {
		return unacceptable(path+"permissions", fmt.Errorf("%w %q", config.ErrUnknownSet, systemPermission))
	}
	return nil
}

// mergedInto is what old becomes when d is written in its place: a sanitised d
// leaves users, wildcard user, fallback users and keys as they are. old may be
// nil.
func (d *Description) mergedInto(old *Description) (*Description, error) {
	if !d.isSanitised() {
		return d, nil
	}
	if old == nil {
		old = &Description{}
	}
	merged := *d
	merged.Users, merged.WildcardUser, merged.AuthKeys = old.Users, old.WildcardUser, old.AuthKeys
	if d.FallbackUsers != nil && !reflect.DeepEqual(d.FallbackUsers, sanitisedUsers(old.FallbackUsers)) {
		return nil, unacceptable("fallback-users", errors.New("cannot be changed here"))
	}
	merged.FallbackUsers = old.FallbackUsers
	return &merged, nil
}
