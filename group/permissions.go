package group

import (
	"encoding/json"
	"slices"
)

// The permissions that mean something. Others may stand in a definition and are
// shown to clients, but nothing depends on them.
const (
	PermissionOp      = "op"      // moderate; join despite lock, limits and dates
	PermissionPresent = "present" // publish media
	PermissionMessage = "message" // chat and send user messages
	PermissionCaption = "caption" // send captions
	PermissionToken   = "token"   // make tokens
	PermissionRecord  = "record"  // record, and see recordings
	PermissionAdmin   = "admin"   // administer the group over HTTP
)

// systemPermission marks members that belong to the server itself. It is shown
// to clients; being such a member is a [MemberKind], never a permission, and
// the word is dropped wherever permissions come from outside.
const systemPermission = "system"

// Permissions is a set of permissions with the order in which they were given.
// It is immutable; the zero value is empty.
type Permissions struct {
	names []string
}

// NewPermissions returns the set of names, without repetitions and without
// "system".
func NewPermissions(names ...string) Permissions {
	return Permissions{}.With(names...)
}

// systemPermissions are those of a member that belongs to the server.
func systemPermissions() Permissions {
	return Permissions{names: []string{systemPermission}}
}

// meansSomething reports whether p is one of the permissions named above.
func meansSomething(p string) bool {
	switch p {
	case PermissionOp, PermissionPresent, PermissionMessage, PermissionCaption,
		PermissionToken, PermissionRecord, PermissionAdmin:
		return true
	default:
		return false
	}
}

// Has reports whether p, which must be one of the permissions named in this
// package, is in the set.
func (s Permissions) Has(p string) bool {
	return meansSomething(p) && slices.Contains(s.names, p)
}

// With returns the set with names added at its end.
func (s Permissions) With(names ...string) Permissions {
	result := slices.Clone(s.names)
	for _, name := range names {
		if name != systemPermission && !slices.Contains(result, name) {
			result = append(result, name)
		}
	}
	return Permissions{names: result}
}

// Without returns the set without names.
func (s Permissions) Without(names ...string) Permissions {
	var result []string
	for _, name := range s.names {
		if !slices.Contains(names, name) {
			result = append(result, name)
		}
	}
	return Permissions{names: result}
}

// List returns a copy of the permissions in order. It is never nil.
func (s Permissions) List() []string {
	return append([]string{}, s.names...)
}

// MarshalJSON writes the set as an array.
func (s Permissions) MarshalJSON() ([]byte, error) {
	return json.Marshal(s.List())
}
