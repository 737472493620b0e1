package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
)

func TestPermissionsAreShownShort(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{`"op"`, "op"},
		{`["present","message"]`, "[mp]"},
		{`["present","","écoute"]`, "[pé]"},
		{`[]`, "[]"},
		{`""`, "[]"},
		{`null`, "[]"},
		{``, "[]"},
		{`{"x":1}`, "[]"},
	}
	for _, tt := range tests {
		if got := shown(json.RawMessage(tt.in)); got != tt.want {
			t.Errorf("shown(%s) = %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestTheEndOfATokenIsShown(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 6, 1, 12, 0, 0, 0, time.Local)
	later, earlier := now.Add(time.Hour), now.Add(-time.Second)
	for _, tt := range []struct {
		expires *time.Time
		want    string
	}{
		{nil, "(no expiration date)"},
		{&earlier, "(expired)"},
		{&now, "2030-06-01 12:00:00"},
		{&later, "2030-06-01 13:00:00"},
	} {
		if got := expiry(tt.expires, now); got != tt.want {
			t.Errorf("expiry(%v) = %s, want %s", tt.expires, got, tt.want)
		}
	}
}

func TestMergingATemplateReplacesAndRemovesFields(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, old, template, want string }{
		{"new field", `{"a":1}`, `{"b":2}`, `{"a":1,"b":2}`},
		{"changed field", `{"a":1}`, `{"a":[2]}`, `{"a":[2]}`},
		{"null removes", `{"a":1,"b":2}`, `{"a":null}`, `{"b":2}`},
		{"null for what is not there", `{"a":1}`, `{"c":null}`, `{"a":1}`},
		{"objects are replaced whole", `{"a":{"b":1}}`, `{"a":{"c":2}}`, `{"a":{"c":2}}`},
	}
	for _, tt := range tests {
		var old, template object
		if err := json.Unmarshal([]byte(tt.old), &old); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(tt.template), &template); err != nil {
			t.Fatal(err)
		}
		old.merge(template)
		if got, err := json.Marshal(old); string(got) != tt.want || err != nil {
			t.Errorf("%s: %s, %v, want %s", tt.name, got, err, tt.want)
		}
	}
}

func TestPatternsSelectNames(t *testing.T) {
	t.Parallel()
	names := []string{"b", "a/c", "", "ab"}
	tests := []struct {
		patterns []string
		want     []string
	}{
		{nil, []string{"", "a/c", "ab", "b"}},
		{[]string{"*"}, []string{"", "ab", "b"}},
		{[]string{"a*"}, []string{"ab"}},
		{[]string{"*/*", "b", "b"}, []string{"a/c", "b"}},
		{[]string{"?"}, []string{"b"}},
		{[]string{"none"}, []string{}},
	}
	for _, tt := range tests {
		if got, err := selected(names, tt.patterns); !slices.Equal(got, tt.want) || err != nil {
			t.Errorf("selected(%q, %q) = %q, %v, want %q", names, tt.patterns, got, err, tt.want)
		}
	}
	if !slices.Equal(names, []string{"b", "a/c", "", "ab"}) {
		t.Errorf("the names given were changed: %q", names)
	}
}

// Whatever a server says, nothing that is shown of it controls the terminal, and a token's name is one that can be asked for.
func FuzzRepliesAreHarmless(f *testing.F) {
	f.Add("op", "made-1")
	f.Add(`["present","message"]`, "/galene-api/v0/.groups/g/.tokens/made-1")
	f.Add("[\"\x1b\"]", "https://evil.example/%2e%2e/%1b[31m")
	f.Add("\"\x07\"", "..")
	f.Fuzz(func(t *testing.T, permissions, location string) {
		for _, text := range []string{shown(json.RawMessage(permissions)), printable(permissions), initials([]string{permissions})} {
			if strings.ContainsFunc(text, unicode.IsControl) {
				t.Errorf("%q is shown as %q", permissions, text)
			}
		}
		name, err := tokenName(location)
		if err == nil && (!addressable(name) || strings.ContainsFunc(name, unicode.IsControl)) {
			t.Errorf("tokenName(%q) = %q", location, name)
		}
	})
}
