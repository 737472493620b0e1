package group

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestPermissionsAreAnOrderedSet(t *testing.T) {
	t.Parallel()
	p := NewPermissions("op", "juggle", "op", "system", "present")
	if got, want := p.List(), []string{"op", "juggle", "present"}; !slices.Equal(got, want) {
		t.Errorf("List() = %v, want %v", got, want)
	}
	if !p.Has("op") || p.Has("juggle") || p.Has("system") || p.Has("message") || p.Has("") {
		t.Errorf("Has of %v: want known and present ones only", p.List())
	}
	if got, err := json.Marshal(p); string(got) != `["op","juggle","present"]` || err != nil {
		t.Errorf("Marshal = %s, %v", got, err)
	}
	if got, err := json.Marshal(Permissions{}); string(got) != `[]` || err != nil {
		t.Errorf("Marshal of none = %s, %v, want []", got, err)
	}
	if list := (Permissions{}).List(); list == nil {
		t.Error("List() of none = nil, want an empty list")
	}
}

func TestPermissionsDoNotChange(t *testing.T) {
	t.Parallel()
	p := NewPermissions("op", "present", "message")
	a, b := p.With("x"), p.With("y")
	c := p.Without("op")
	p.List()[0] = "changed"
	for _, tt := range []struct {
		got  Permissions
		want []string
	}{
		{p, []string{"op", "present", "message"}},
		{a, []string{"op", "present", "message", "x"}},
		{b, []string{"op", "present", "message", "y"}},
		{c, []string{"present", "message"}},
		{p.With("system", "op"), []string{"op", "present", "message"}},
		{systemPermissions(), []string{"system"}},
	} {
		if got := tt.got.List(); !slices.Equal(got, tt.want) {
			t.Errorf("permissions = %v, want %v", got, tt.want)
		}
	}
	if systemPermissions().Has("system") {
		t.Error("system counts as a permission, want it only to be shown")
	}
}
