package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"galene/config"
)

// object is a JSON object as it is, so that fields which this version does not know survive a change.
type object map[string]json.RawMessage

// set sets a field.
func (o object) set(field string, value any) error {
	data, err := json.Marshal(value)
	o[field] = data
	return err
}

// merge takes over the fields of a template. Those that are null go away (RFC 7396, without looking into objects).
func (o object) merge(template object) {
	maps.Copy(o, template)
	maps.DeleteFunc(o, func(_ string, value json.RawMessage) bool { return string(value) == "null" })
}

// readTemplate reads the JSON object that standard input is, if wanted.
func (e *environment) readTemplate(wanted bool) (object, error) {
	if !wanted {
		return nil, nil
	}
	if err := e.claimInput(); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(e.stdin, config.MaxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	if len(data) > config.MaxFileBytes {
		return nil, errors.New("standard input: too long")
	}
	var template object
	if err := json.Unmarshal(data, &template); err != nil || template == nil {
		return nil, errors.Join(errors.New("standard input: -json wants one JSON object"), err)
	}
	return template, nil
}

// permissions are what -permissions says: either the name of a set or a JSON array of permissions.
type permissions string

// declarePermissions adds the flag.
func declarePermissions(p *permissions, declare func(p *string, name, value, usage string), value string) {
	declare((*string)(p), "permissions", value,
		"the `permissions` op, present, message, observe, caption or admin; or a JSON array of single ones")
}

// list returns the permissions one by one. Those of a set are without what a group's definition may add.
func (p permissions) list() ([]string, error) {
	if !p.isArray() {
		set, err := config.NamedSet(string(p))
		if err != nil {
			return nil, usageError(fmt.Sprintf("-permissions: %v", err))
		}
		return append([]string{}, set.List()...), nil
	}
	var list []string
	if err := json.Unmarshal([]byte(p), &list); err != nil {
		return nil, usageError(fmt.Sprintf("-permissions is not a JSON array of strings: %v", err))
	}
	return list, nil
}

// value returns the permissions as they are sent for a user: which sets there are is for the server to say.
func (p permissions) value() (any, error) {
	if p.isArray() {
		return p.list()
	}
	if p == "" {
		return nil, usageError("-permissions is empty")
	}
	return string(p), nil
}

func (p permissions) isArray() bool { return strings.HasPrefix(strings.TrimSpace(string(p)), "[") }

// shown returns a user's permissions as they are listed: a set's name, or the initials of permissions in brackets.
func shown(value json.RawMessage) string {
	var name string
	if json.Unmarshal(value, &name) == nil && name != "" {
		return printable(name)
	}
	var list []string
	_ = json.Unmarshal(value, &list) // what is neither is shown as nothing
	return "[" + initials(list) + "]"
}

// initials are the first letters of permissions, sorted.
func initials(permissions []string) string {
	var letters []rune
	for _, p := range permissions {
		for _, letter := range p {
			letters = append(letters, letter)
			break
		}
	}
	slices.Sort(letters)
	return printable(string(letters))
}

// selected returns the names that match any of the patterns, or all if there is none, sorted.
func selected(names, patterns []string) ([]string, error) {
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, usageError(fmt.Sprintf("%q is not a pattern", pattern))
		}
	}
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return len(patterns) > 0 && !slices.ContainsFunc(patterns, func(pattern string) bool {
			matched, _ := path.Match(pattern, name) // it was looked at above
			return matched
		})
	})
	slices.Sort(names)
	return names, nil
}
