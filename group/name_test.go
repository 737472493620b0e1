package group

import (
	"path"
	"strings"
	"testing"
)

func TestValidName(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		want bool
	}{
		{"a", true},
		{"a/b/c", true},
		{"with space", true},
		{"été/日本", true},
		{".hidden", true},
		{"a..b", true},
		{"...", true},
		{strings.Repeat("x", 255), true},
		{strings.Repeat("x/", 200) + "x", true},
		{"", false},
		{"/", false},
		{"/a", false},
		{"a/", false},
		{"a//b", false},
		{".", false},
		{"..", false},
		{"a/../b", false},
		{"a/.", false},
		{`a\b`, false},
		{"a\nb", false},
		{"a\x00b", false},
		{"a\x7fb", false},
		{"a\xffb", false},
		{strings.Repeat("x", 256), false},
		{strings.Repeat("x/", 600) + "x", false},
	}
	for _, tt := range tests {
		if got := ValidName(tt.name); got != tt.want {
			t.Errorf("ValidName(%q) = %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A valid name is a clean relative path that stays below where it starts, and
// so are its ancestors, of which there are finitely many.
func FuzzValidName(f *testing.F) {
	for _, seed := range []string{"a/b", "../x", "a\\b", "", "/", "a/./b", "日本"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !ValidName(name) {
			return
		}
		for ancestor := name; ancestor != ""; ancestor = parent(ancestor) {
			clean := path.Clean("/" + ancestor)
			if clean != "/"+ancestor || strings.ContainsAny(ancestor, "\\\x00\n") || !ValidName(ancestor) {
				t.Fatalf("ValidName(%q) = true, but %q is not clean", name, ancestor)
			}
		}
	})
}
