package group

import (
	"errors"
	"slices"
	"strings"
	"time"

	"galene/token"
)

// TokenError says why a member cannot do something with tokens.
type TokenError struct {
	// ID names the reason to programs: "not-authorised" or "error".
	ID string
	// Text tells it to people.
	Text string
}

func (e *TokenError) Error() string { return "group: " + e.Text }

// What members are told when they cannot do something with a token.
var (
	errTokenNotAuthorised = &TokenError{"not-authorised", "not authorised"}
	errTokenNamed         = &TokenError{"error", "client specified token"}
	errTokenGroup         = &TokenError{"error", "wrong group in token"}
	errTokenEndless       = &TokenError{"error", "token doesn't expire"}
	errTokenTaken         = &TokenError{"error", "that username is taken"}
	errTokenField         = &TokenError{"error", "this field cannot be edited"}
	errTokenUnknown       = &TokenError{"error", "unknown token"}
	errTokenBad           = &TokenError{"error", "bad token value"}
	errTokenFull          = &TokenError{"error", "too many tokens"}
	errTokenInternal      = &TokenError{"error", textInternal}
)

// maxEdits bounds how often an edit is tried again because somebody else edits
// the same token.
const maxEdits = 10

// Tokens is the store of stateful tokens; nil if there is none.
func (r *Registry) Tokens() *token.Store { return r.tokens }

// MakeToken makes a token like t for the member's group, and returns it as it is
// stored. It may give only what the member has now. Who made it and when is
// filled in, and it never includes subgroups. The error is a [*TokenError] or
// [ErrNotMember].
func (m *Member) MakeToken(t *token.Token) (*token.Token, error) {
	own, d, err := m.tokenRights(PermissionToken)
	if err != nil {
		return nil, err
	}
	switch {
	case t.Token != "":
		return nil, errTokenNamed
	case t.Group != m.group.name:
		return nil, errTokenGroup
	case t.Expires == nil:
		return nil, errTokenEndless
	case t.Username != nil && !validUsername(*t.Username):
		return nil, errTokenBad
	}
	if t.Username != nil {
		if _, ok := d.Users[*t.Username]; ok {
			return nil, errTokenTaken
		}
	}
	if !own.include(t.Permissions) {
		return nil, errTokenNotAuthorised
	}
	t = t.Clone()
	t.IncludeSubgroups = false
	sign(t, m.username)
	r := m.group.registry
	made, err := r.tokens.Add(t)
	if err != nil {
		return nil, r.tokenError(err)
	}
	r.log.Info("token made", "token", made, "by", m.username, "address", m.address)
	return made, nil
}

// EditToken changes when the token named t.Token can be used: to t.Expires and
// t.NotBefore, unless they are nil. Nothing else of t may be set. It returns the
// token as it is stored. A token that the member could not have made itself is
// unknown to it. The error is a [*TokenError] or [ErrNotMember].
func (m *Member) EditToken(t *token.Token) (*token.Token, error) {
	own, _, err := m.tokenRights(PermissionOp, PermissionToken)
	if err != nil {
		return nil, err
	}
	if t.Group != "" || t.Username != nil || t.Permissions != nil {
		return nil, errTokenField
	}
	r := m.group.registry
	for range maxEdits {
		old, err := r.tokens.Get(t.Token)
		if err != nil {
			return nil, r.tokenError(err)
		}
		if old.Group != m.group.name || !own.include(old.Permissions) ||
			old.IncludeSubgroups && extends(t, old) {
			return nil, errTokenUnknown
		}
		edited := old.Clone()
		if t.Expires != nil {
			edited.Expires = t.Expires
		}
		if t.NotBefore != nil {
			edited.NotBefore = t.NotBefore
		}
		edited, err = r.tokens.Update(edited, old.ETag())
		if errors.Is(err, token.ErrTagMismatch) {
			continue
		}
		if err != nil {
			return nil, r.tokenError(err)
		}
		r.log.Info("token edited", "token", edited, "by", m.username, "address", m.address)
		return edited, nil
	}
	return nil, errTokenInternal
}

// extends reports whether an edit lets a token be used when it could not be.
func extends(edit, old *token.Token) bool {
	return edit.Expires != nil && (old.Expires == nil || edit.Expires.After(*old.Expires)) ||
		edit.NotBefore != nil && old.NotBefore != nil && edit.NotBefore.Before(*old.NotBefore)
}

// ListTokens returns the tokens for the member's group, except those that give
// what the member does not have: to see a token is to have it. Those that can
// never be used come first, then they are sorted by expiry. The error is a
// [*TokenError] or [ErrNotMember].
func (m *Member) ListTokens() ([]*token.Token, error) {
	own, _, err := m.tokenRights(PermissionOp, PermissionToken)
	if err != nil {
		return nil, err
	}
	r := m.group.registry
	tokens, err := r.tokens.List(m.group.name)
	if err != nil {
		return nil, r.tokenError(err)
	}
	return slices.DeleteFunc(tokens, func(t *token.Token) bool { return !own.include(t.Permissions) }), nil
}

// tokenRights returns what the member may do now, and the group's definition, if
// it has the permissions needed.
func (m *Member) tokenRights(needed ...string) (Permissions, *Description, error) {
	m.group.mu.Lock()
	own, d, left := m.permissions, m.group.description, m.left
	m.group.mu.Unlock()
	if left {
		return Permissions{}, nil, ErrNotMember
	}
	if slices.ContainsFunc(needed, func(p string) bool { return !own.Has(p) }) {
		return Permissions{}, nil, errTokenNotAuthorised
	}
	if m.group.registry.tokens == nil {
		return Permissions{}, nil, &TokenError{"error", "tokens are not available on this server"}
	}
	return own, d, nil
}

// include reports whether all of names are in the set, whether they mean
// something or not.
func (s Permissions) include(names []string) bool {
	return !slices.ContainsFunc(names, func(p string) bool { return !slices.Contains(s.names, p) })
}

// sign notes in t who makes it, and when.
func sign(t *token.Token, username string) {
	t.IssuedAt = new(time.Now().UTC())
	t.IssuedBy = nil
	if username != "" {
		t.IssuedBy = &username
	}
}

// tokenError turns an error of the store into what a member is told. What is not
// the member's fault is logged.
func (r *Registry) tokenError(err error) error {
	switch {
	case errors.Is(err, token.ErrNotExist):
		return errTokenUnknown
	case errors.Is(err, token.ErrInvalid):
		return errTokenBad
	case errors.Is(err, token.ErrFull):
		return errTokenFull
	default:
		r.log.Error("tokens cannot be used", "error", err)
		return errTokenInternal
	}
}

// CreateToken stores a new token for by, who administers its group or the
// server, and returns it as it is stored. Who made it and when is filled in.
// The error is [ErrNotPermitted] or the store's.
func (r *Registry) CreateToken(by *Principal, t *token.Token) (*token.Token, error) {
	return r.putToken(by, t, func(t *token.Token) (*token.Token, error) {
		sign(t, by.Username)
		return r.tokens.Add(t)
	})
}

// ReplaceToken replaces the token of t's name if etag is its present one or
// [token.AnyTag]; if etag is empty, it adds one of that name. Who made it and
// when stays as it is. The error is [ErrNotPermitted] or the store's.
func (r *Registry) ReplaceToken(by *Principal, t *token.Token, etag string) (*token.Token, error) {
	return r.putToken(by, t, func(t *token.Token) (*token.Token, error) {
		sign(t, by.Username)
		if etag == "" {
			return r.tokens.Update(t, etag)
		}
		old, err := r.tokens.Get(t.Token)
		if err != nil {
			return nil, err
		}
		if old.Group != t.Group {
			return nil, token.ErrOtherGroup
		}
		if !by.mayGive(old) {
			return nil, ErrNotPermitted
		}
		t.IssuedAt, t.IssuedBy = old.IssuedAt, old.IssuedBy
		if etag == token.AnyTag {
			etag = old.ETag()
		}
		return r.tokens.Update(t, etag)
	})
}

// putToken stores a copy of t with put, if by may give what it gives.
func (r *Registry) putToken(
	by *Principal, t *token.Token, put func(*token.Token) (*token.Token, error),
) (*token.Token, error) {
	if r.tokens == nil || !by.mayGive(t) {
		return nil, ErrNotPermitted
	}
	stored, err := put(t.Clone())
	if err != nil {
		return nil, err
	}
	r.log.Info("token stored", "token", stored, "by", by.Username, "serverAdmin", by.ServerAdmin)
	return stored, nil
}

// DeleteToken removes the token called name of the group, or of the server if
// that is empty, if etag is its present one or [token.AnyTag]. The error is
// [ErrNotPermitted] or the store's; a token of another group does not exist.
func (r *Registry) DeleteToken(by *Principal, group, name, etag string) error {
	if r.tokens == nil || !by.administers(group) {
		return ErrNotPermitted
	}
	old, err := r.tokens.Get(name)
	if err != nil {
		return err
	}
	if old.Group != group {
		return token.ErrNotExist
	}
	if err := r.tokens.Delete(name, etag); err != nil {
		return err
	}
	r.log.Info("token deleted", "token", old, "by", by.Username, "serverAdmin", by.ServerAdmin)
	return nil
}

// administers reports whether p administers the group, or the server if that is
// empty.
func (p *Principal) administers(group string) bool {
	return p.ServerAdmin || group != "" && p.Group == group && p.Permissions.Has(PermissionAdmin)
}

// mayGive reports whether p may hand out t. Who administers one group may give
// everything in it; but to administer groups below, which may have a definition
// and administrators of their own, is for the server's administrator to give.
func (p *Principal) mayGive(t *token.Token) bool {
	return p.administers(t.Group) &&
		(p.ServerAdmin || !t.IncludeSubgroups || !slices.Contains(t.Permissions, PermissionAdmin))
}

// dropTokens removes the tokens of the group called name, which has ceased to
// exist, so that they do not come back to life with another group of that name.
// Those of groups below it that lived by its definition go too.
func (r *Registry) dropTokens(name string) error {
	if r.tokens == nil {
		return nil
	}
	gone := func(group string) bool {
		if group == name {
			return true
		}
		if !strings.HasPrefix(group, name+"/") || !ValidName(group) {
			return false
		}
		_, _, err := r.library.load(group)
		return errors.Is(err, ErrNotFound)
	}
	groups, err := r.tokens.Groups()
	if err != nil {
		return err
	}
	affected := make(map[string]bool)
	for _, group := range groups {
		affected[group] = gone(group)
	}
	n, err := r.tokens.Remove(func(t *token.Token) bool { return affected[t.Group] })
	if n > 0 {
		r.log.Info("tokens of a group removed with it", "group", name, "count", n)
	}
	return err
}
