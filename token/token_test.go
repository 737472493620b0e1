package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"galene/internal/testlog"
)

func TestCoversGroups(t *testing.T) {
	t.Parallel()
	tests := []struct {
		token     string // group of the token
		subgroups bool
		group     string
		want      bool
	}{
		{"a", false, "a", true},
		{"a", true, "a", true},
		{"a", false, "a/b", false},
		{"a", true, "a/b", true},
		{"a", true, "a/b/c", true},
		{"a", true, "ab", false},
		{"a/b", true, "a", false},
		{"a", true, "b", false},
		{"", false, "a", false},
		{"", true, "a", true},
		{"", true, "a/b", true},
		{"", false, "", false},
		{"", true, "", true},
		{"a", true, "", false},
	}
	for _, tt := range tests {
		token := &Token{Group: tt.token, IncludeSubgroups: tt.subgroups}
		if got := token.Covers(tt.group); got != tt.want {
			t.Errorf("token of %q, subgroups %v: Covers(%q) = %v, want %v",
				tt.token, tt.subgroups, tt.group, got, tt.want)
		}
	}
}

func TestValidityHasNoLeeway(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) *time.Time { return new(fixed.Add(d)) }
	tests := []struct {
		name               string
		expires, notBefore *time.Time
		want               error
	}{
		{"without expiry", nil, nil, ErrExpired},
		{"future", at(time.Hour), nil, nil},
		{"exactly now", at(0), at(0), nil},
		{"just expired", at(-1), nil, ErrExpired},
		{"not yet", at(time.Hour), at(1), ErrNotYetValid},
		{"begun", at(time.Hour), at(-1), nil},
		{"other zone", new(fixed.In(time.FixedZone("", 3600))), nil, nil},
	}
	for _, tt := range tests {
		token := &Token{Expires: tt.expires, NotBefore: tt.notBefore}
		if err := token.Valid(fixed); !errors.Is(err, tt.want) {
			t.Errorf("%s: Valid = %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestJSONIsThatOfTheFile(t *testing.T) {
	t.Parallel()
	full := &Token{
		Token: "t", Group: "g/h", IncludeSubgroups: true, Username: new("<&>"),
		Permissions: []string{"op", "present"}, Expires: &fixed, NotBefore: &fixed,
		IssuedAt: &fixed, IssuedBy: new("me"),
	}
	const date = `"2030-05-06T07:08:09.123456789Z"`
	tests := []struct {
		token *Token
		want  string
	}{
		{&Token{}, `{"token":"","group":"","permissions":null}`},
		{
			&Token{Username: new(""), Permissions: []string{}},
			`{"token":"","group":"","username":"","permissions":[]}`,
		},
		{full, `{"token":"t","group":"g/h","includeSubgroups":true,"username":"<&>",` +
			`"permissions":["op","present"],"expires":` + date + `,"not-before":` + date +
			`,"issuedAt":` + date + `,"issuedBy":"me"}`},
	}
	for _, tt := range tests {
		line, err := tt.token.encode()
		if err != nil || string(line) != tt.want {
			t.Errorf("encode = %s, %v, want %s", line, err, tt.want)
		}
		again, err := decode(line)
		if tt.token.Token != "" && (err != nil || again.ETag() != tt.token.ETag()) {
			t.Errorf("decode(%s) = %v, %v", line, again, err)
		}
	}
}

func TestETagChangesWithTheTokenOnly(t *testing.T) {
	t.Parallel()
	token := &Token{Token: "t", Expires: &fixed, Permissions: []string{"op"}}
	tag := token.ETag()
	if len(tag) < 10 || tag[0] != '"' || tag[len(tag)-1] != '"' {
		t.Errorf("ETag = %s, want a quoted string", tag)
	}
	if got := token.Clone().ETag(); got != tag {
		t.Errorf("ETag of a copy = %s, want %s", got, tag)
	}
	changes := []func(*Token){
		func(t *Token) { t.Token = "u" },
		func(t *Token) { t.Permissions[0] = "present" },
		func(t *Token) { t.Expires = new(fixed.Add(1)) },
		func(t *Token) { t.Username = new("") },
	}
	for i, change := range changes {
		changed := token.Clone()
		change(changed)
		if changed.ETag() == tag {
			t.Errorf("change %d leaves the ETag as it is", i)
		}
	}
	if token.ETag() != tag {
		t.Error("changing a copy has changed the token")
	}
}

func TestValidateNamesTheField(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxTextBytes+1)
	tests := []struct {
		name, field string // field is empty if the token is good
		change      func(*Token)
	}{
		{"good", "", func(*Token) {}},
		{"no name yet", "", func(t *Token) { t.Token = "" }},
		{"space in the name", "token", func(t *Token) { t.Token = "a b" }},
		{"control in the name", "token", func(t *Token) { t.Token = "a\n" }},
		{"long name", "token", func(t *Token) { t.Token = long }},
		{"JWT as a name", "token", func(t *Token) { t.Token = "e30.e30.e30" }},
		{"dots in the name", "", func(t *Token) { t.Token = "a.b.c" }},
		{"long group", "group", func(t *Token) { t.Group = long }},
		{"username not UTF-8", "username", func(t *Token) { t.Username = new("\xff") }},
		{"long issuer", "issuedBy", func(t *Token) { t.IssuedBy = &long }},
		{"no expiry", "expires", func(t *Token) { t.Expires = nil }},
		{"year of five digits", "expires", func(t *Token) { t.Expires = new(fixed.AddDate(9000, 0, 0)) }},
		{"long permission", "permissions", func(t *Token) { t.Permissions = []string{long} }},
		{"many permissions", "permissions", func(t *Token) { t.Permissions = make([]string, 100) }},
	}
	for _, tt := range tests {
		token := &Token{Token: "secret", Group: "g", Expires: &fixed}
		tt.change(token)
		err := token.Validate()
		if tt.field == "" {
			if err != nil {
				t.Errorf("%s: Validate = %v, want nil", tt.name, err)
			}
			continue
		}
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), fmt.Sprintf("%q", tt.field)) {
			t.Errorf("%s: Validate = %v, want ErrInvalid about %q", tt.name, err, tt.field)
		}
	}
}

// However a token gets into a text, its name does not.
func TestTokensDoNotShowTheirNames(t *testing.T) {
	t.Parallel()
	token := &Token{Token: "verysecret", Group: "g", Username: new("u"), Expires: &fixed, IncludeSubgroups: true}
	log := new(testlog.Journal)
	for _, handler := range []slog.Handler{slog.NewTextHandler(log, nil), slog.NewJSONHandler(log, nil)} {
		slog.New(handler).Info("made", "token", token, "value", *token)
	}
	texts := map[string]string{
		"log": log.String(), "%v": fmt.Sprintf("%v %v", token, *token), "%+v": fmt.Sprintf("%+v %+v", token, *token),
		"%#v": fmt.Sprintf("%#v %#v", token, *token), "Sprint": fmt.Sprint(token),
	}
	for name, text := range texts {
		if strings.Contains(text, "verysecret") || !strings.Contains(text, token.LogID()) {
			t.Errorf("%s: %s, want %s and no secret", name, text, token.LogID())
		}
	}
	if data, err := json.Marshal(token); err != nil || !strings.Contains(string(data), "verysecret") {
		t.Errorf("Marshal = %s, %v, want the token itself", data, err)
	}
}
