package token

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of what a token may say.
const (
	nameBytes          = 16 // random bytes in a name that the store chooses
	maxNameBytes       = 255
	maxTextBytes       = 1024 // of a group's or user's name
	maxPermissions     = 32
	maxPermissionBytes = 64
)

// reserved is a permission that marks members which belong to the server; a
// token cannot give it.
const reserved = "system"

var (
	// ErrExpired is returned by Valid for a token whose time is over, and for
	// one that has no end: such a token is never valid.
	ErrExpired = errors.New("token: expired")
	// ErrNotYetValid is returned by Valid for a token whose time has not come.
	ErrNotYetValid = errors.New("token: not valid yet")
	// ErrInvalid is wrapped by the errors for tokens that cannot be stored.
	ErrInvalid = errors.New("token: invalid")
)

// Token is a stateful token, as it stands in the file.
type Token struct {
	// Token is the token's name, and the secret by which it is used.
	Token string `json:"token"`
	// Group is the group that the token is for; empty if it is for the server.
	Group string `json:"group"`
	// IncludeSubgroups extends it to the groups below; a token for the server
	// is good for nothing without that.
	IncludeSubgroups bool `json:"includeSubgroups,omitempty"`
	// Username is the name of whoever uses the token. With nil they have to
	// choose one, with an empty one they may.
	Username *string `json:"username,omitempty"`
	// Permissions are given as they are.
	Permissions []string `json:"permissions"`
	// Expires and NotBefore bound when the token can be used, both included.
	// Without Expires it never can.
	Expires   *time.Time `json:"expires,omitempty"`
	NotBefore *time.Time `json:"not-before,omitempty"`
	// IssuedAt and IssuedBy tell who made it; nothing depends on them.
	IssuedAt *time.Time `json:"issuedAt,omitempty"`
	IssuedBy *string    `json:"issuedBy,omitempty"`
}

// Clone returns a copy of t that shares nothing with it.
func (t *Token) Clone() *Token {
	c := *t
	c.Permissions = slices.Clone(t.Permissions)
	c.Username, c.IssuedBy = clone(t.Username), clone(t.IssuedBy)
	c.Expires, c.NotBefore, c.IssuedAt = clone(t.Expires), clone(t.NotBefore), clone(t.IssuedAt)
	return &c
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	return new(*p)
}

// Covers reports whether t is for the group called group, whatever the time. For
// the empty group, which is the server, it is [Token.Global].
func (t *Token) Covers(group string) bool {
	switch {
	case group == "" || t.Group == "":
		return t.Global()
	case t.Group == group:
		return true
	default:
		return t.IncludeSubgroups && strings.HasPrefix(group, t.Group+"/")
	}
}

// Global reports whether t is for the server and all its groups.
func (t *Token) Global() bool {
	return t.Group == "" && t.IncludeSubgroups
}

// Valid returns nil if t may be used at the time now, else [ErrExpired] or
// [ErrNotYetValid].
func (t *Token) Valid(now time.Time) error {
	switch {
	case t.Expires == nil || now.After(*t.Expires):
		return ErrExpired
	case t.NotBefore != nil && now.Before(*t.NotBefore):
		return ErrNotYetValid
	default:
		return nil
	}
}

// ETag is the strong validator of t's present state (RFC 9110 §8.8.3), with its
// quotes. It depends on nothing but t.
func (t *Token) ETag() string {
	line, err := t.encode()
	if err != nil {
		return `""` // the store holds no such token
	}
	sum := sha256.Sum256(line)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// LogID names t in logs. It does not reveal the token.
func (t *Token) LogID() string {
	sum := sha256.Sum256([]byte("log " + t.Token))
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// String describes t without revealing it.
func (t Token) String() string {
	return fmt.Sprintf("token %s for group %q", t.LogID(), t.Group)
}

// GoString describes t without revealing it.
func (t Token) GoString() string { return t.String() }

// LogValue describes t without revealing it.
func (t Token) LogValue() slog.Value {
	attributes := []slog.Attr{
		slog.String("id", t.LogID()), slog.String("group", t.Group),
		slog.Any("permissions", t.Permissions),
	}
	if t.IncludeSubgroups {
		attributes = append(attributes, slog.Bool("subgroups", true))
	}
	if t.Username != nil {
		attributes = append(attributes, slog.String("username", *t.Username))
	}
	if t.Expires != nil {
		attributes = append(attributes, slog.Time("expires", *t.Expires))
	}
	return slog.GroupValue(attributes...)
}

// Validate returns an error that wraps [ErrInvalid] and says what is wrong with
// t, if it cannot be stored. The name may be missing.
func (t *Token) Validate() error {
	switch {
	case len(t.Token) > maxNameBytes || !utf8.ValidString(t.Token) ||
		strings.ContainsFunc(t.Token, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }):
		return invalid("token", "unsuitable name")
	case LooksLikeJWT(t.Token):
		return invalid("token", "it would be taken for a JSON Web Token")
	case unsuitable(&t.Group):
		return invalid("group", "too long or not UTF-8")
	case unsuitable(t.Username):
		return invalid("username", "too long or not UTF-8")
	case unsuitable(t.IssuedBy):
		return invalid("issuedBy", "too long or not UTF-8")
	case t.Expires == nil:
		return invalid("expires", "missing")
	case len(t.Permissions) > maxPermissions:
		return invalid("permissions", "too many")
	}
	for _, p := range t.Permissions {
		if len(p) > maxPermissionBytes || !utf8.ValidString(p) {
			return invalid("permissions", "too long or not UTF-8")
		}
	}
	if _, err := t.encode(); err != nil { // years have four digits
		return invalid("expires", "a time is out of range")
	}
	return nil
}

func invalid(field, problem string) error {
	return fmt.Errorf("%w: field %q: %s", ErrInvalid, field, problem)
}

func unsuitable(text *string) bool {
	return text != nil && (len(*text) > maxTextBytes || !utf8.ValidString(*text))
}

// normalise takes out of t what a token cannot give.
func (t *Token) normalise() {
	if slices.Contains(t.Permissions, reserved) {
		t.Permissions = slices.DeleteFunc(slices.Clone(t.Permissions),
			func(p string) bool { return p == reserved })
	}
}

// encode returns t as a line of the file, without its end.
func (t *Token) encode() ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	type plain Token // whose encoding is JSON's own
	if err := encoder.Encode((*plain)(t)); err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// newName returns a name that nobody can guess.
func newName() string {
	b := make([]byte, nameBytes)
	_, _ = rand.Read(b) // it never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
