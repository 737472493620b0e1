package group

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"galene/config"
)

// newWritableHouse is a house whose definitions may be changed.
func newWritableHouse(tb testing.TB, definitions map[string]string) *house {
	tb.Helper()
	h := newHouse(tb, definitions)
	h.Registry = NewRegistry(Options{
		Directory: h.dir,
		Settings:  func() *config.Settings { return &config.Settings{WritableGroups: true} },
	})
	return h
}

// file returns the contents of a group's file.
func (h *house) file(name string) string {
	h.tb.Helper()
	data, err := os.ReadFile(filepath.Join(h.dir, name+".json"))
	if err != nil {
		h.tb.Fatal(err)
	}
	return string(data)
}

// compact returns the contents of a group's file without white space.
func (h *house) compact(name string) string {
	h.tb.Helper()
	var object any
	if err := json.Unmarshal([]byte(h.file(name)), &object); err != nil {
		h.tb.Fatal(err)
	}
	data, err := json.Marshal(object)
	if err != nil {
		h.tb.Fatal(err)
	}
	return string(data)
}

// etag returns the entity tag of a group's definition.
func (h *house) etag(name string) string {
	h.tb.Helper()
	_, etag, err := h.ReadDefinition(name)
	if err != nil {
		h.tb.Fatal(err)
	}
	return etag
}

const full = `{"users":{"bob":{"password":"b","permissions":"op"},"":{"permissions":["present"]}},` +
	`"wildcard-user":{"password":{"type":"wildcard"},"permissions":"message"},` +
	`"fallback-users":[{"password":"f","permissions":"present"}],` +
	`"authKeys":[` + goodKey + `],` +
	`"public":true,"displayName":"old"}`

func TestNamesListsEveryFileInOrder(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{
		"b": `{}`, "a": `{}`, "a/z": `{}`, "a/b/c": `{}`, "broken": `{`, ".hidden": `{}`, ".dir/x": `{}`, "a.b": `{}`,
	})
	for _, file := range []string{"notes.txt", "back\\slash.json", "room.json~"} {
		if err := os.WriteFile(filepath.Join(h.dir, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names, err := h.Names()
	if want := []string{"a/b/c", "a/z", "a.b", "a", "b", "broken"}; !slices.Equal(names, want) || err != nil {
		t.Errorf("Names() = %q, %v, want %q", names, err, want)
	}
	none := NewRegistry(Options{Directory: filepath.Join(h.dir, "none")})
	if names, err := none.Names(); names == nil || len(names) != 0 || err != nil {
		t.Errorf("Names() without directory = %q, %v, want an empty list", names, err)
	}
}

func TestReadDefinitionReadsTheGroupsOwnFile(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{
		"room": `{"op":[{"username":"a","password":"b"}],"allow-subgroups":true}`, "broken": `{`,
	})
	d, etag, err := h.ReadDefinition("room")
	if err != nil || d.Users["a"].Permissions.Set() != "op" || !d.AutoSubgroups {
		t.Errorf("ReadDefinition(room) = %+v, %v, want the converted form", d, err)
	}
	if !strings.HasPrefix(etag, `"`) || !strings.HasSuffix(etag, `"`) || len(etag) < 20 {
		t.Errorf("entity tag %s, want a strong one", etag)
	}
	for name, want := range map[string]error{"room/sub": ErrNotFound, "none": ErrNotFound, "a//b": ErrInvalidName} {
		if _, _, err := h.ReadDefinition(name); !errors.Is(err, want) {
			t.Errorf("ReadDefinition(%s) = %v, want %v", name, err, want)
		}
	}
	if _, _, err := h.ReadDefinition("broken"); !isDefinitionError(err) || errors.Is(err, ErrInvalidDefinition) {
		t.Errorf("ReadDefinition(broken) = %v, want a DefinitionError about the file", err)
	}
}

func isDefinitionError(err error) bool {
	_, ok := errors.AsType[*DefinitionError](err)
	return ok
}

func sortedJSON(tb testing.TB, data string) string {
	tb.Helper()
	var object any
	if err := json.Unmarshal([]byte(data), &object); err != nil {
		tb.Fatal(err)
	}
	sorted, err := json.Marshal(object)
	if err != nil {
		tb.Fatal(err)
	}
	return string(sorted)
}

func TestWritesNeedTheRightTag(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": full})
	old := h.etag("room")
	d := &Description{DisplayName: "new"}
	if created, err := h.WriteDefinition("room", d, old); created || err != nil {
		t.Fatalf("WriteDefinition with the tag = %v, %v", created, err)
	}
	if h.etag("room") == old {
		t.Error("the tag is the same after a change")
	}
	bob := UserKey{Name: "bob"}
	for _, tag := range []string{old, "", `"x"`} {
		before := h.file("room")
		_, err := h.WriteDefinition("room", d, tag)
		_, userErr := h.WriteUser("room", bob, config.User{}, tag)
		for name, err := range map[string]error{
			"WriteDefinition": err, "WriteUser": userErr,
			"DeleteUser":       h.DeleteUser("room", bob, tag),
			"SetPassword":      h.SetPassword("room", bob, nil, tag),
			"SetKeys":          h.SetKeys("room", nil, tag),
			"DeleteDefinition": h.DeleteDefinition("room", tag),
		} {
			if !errors.Is(err, ErrTagMismatch) {
				t.Errorf("%s with tag %s = %v, want %v", name, tag, err, ErrTagMismatch)
			}
		}
		if h.file("room") != before {
			t.Errorf("the file has changed by writing with tag %s", tag)
		}
	}
	if created, err := h.WriteDefinition("a/b", d, ""); !created || err != nil {
		t.Errorf("WriteDefinition of a new one = %v, %v, want true", created, err)
	}
	if _, err := h.WriteDefinition("a/b", d, ""); !errors.Is(err, ErrTagMismatch) {
		t.Errorf("WriteDefinition of a new one that exists = %v, want %v", err, ErrTagMismatch)
	}
	if _, err := h.WriteDefinition("c", d, old); !errors.Is(err, ErrTagMismatch) {
		t.Errorf("WriteDefinition of one that should exist = %v, want %v", err, ErrTagMismatch)
	}
	if created, err := h.WriteDefinition("c", d, AnyTag); !created || err != nil {
		t.Errorf("WriteDefinition with any tag = %v, %v, want true", created, err)
	}
	if err := h.DeleteDefinition("room", h.etag("room")); err != nil {
		t.Errorf("DeleteDefinition with the tag = %v", err)
	}
	if err := h.DeleteDefinition("room", AnyTag); !errors.Is(err, ErrNotFound) {
		t.Errorf("DeleteDefinition again = %v, want %v", err, ErrNotFound)
	}
}

func TestDefinitionsAreWrittenOnlyIfAllowed(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": full})
	_, err := h.WriteDefinition("room", &Description{}, AnyTag)
	_, userErr := h.WriteUser("room", UserKey{Name: "x"}, config.User{}, AnyTag)
	for name, err := range map[string]error{
		"WriteDefinition": err, "WriteUser": userErr,
		"DeleteUser":       h.DeleteUser("room", UserKey{Name: "bob"}, AnyTag),
		"SetPassword":      h.SetPassword("room", UserKey{Name: "bob"}, nil, AnyTag),
		"SetKeys":          h.SetKeys("room", nil, AnyTag),
		"DeleteDefinition": h.DeleteDefinition("room", AnyTag),
	} {
		if !errors.Is(err, ErrNotWritable) {
			t.Errorf("%s = %v, want %v", name, err, ErrNotWritable)
		}
	}
	if h.file("room") != full {
		t.Error("the file has changed")
	}
}

func TestWritesRefuseNamesThatCannotBe(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": `{}`})
	for _, name := range []string{"", "/", "a//b", "../x", `a\b`, "a\x00b", "room.json/x", strings.Repeat("x", 253)} {
		if _, err := h.WriteDefinition(name, &Description{}, AnyTag); !errors.Is(err, ErrInvalidName) {
			t.Errorf("WriteDefinition(%q) = %v, want %v", name, err, ErrInvalidName)
		}
	}
	for _, name := range []string{"/x", "a/../b", `a\b`, "a\nb", "."} {
		if _, err := h.WriteUser("room", UserKey{Name: name}, config.User{}, AnyTag); !errors.Is(err, ErrInvalidUsername) {
			t.Errorf("WriteUser(%q) = %v, want %v", name, err, ErrInvalidUsername)
		}
	}
	entries, err := os.ReadDir(h.dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("directory holds %v, %v, want the one file", entries, err)
	}
}

func TestChangesApplyAtOnce(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{
		"room": `{"displayName":"old",` + ops[1:], "parent": `{"auto-subgroups":true,"displayName":"old",` + ops[1:],
	})
	for _, name := range []string{"room", "parent"} {
		joined := name
		if name == "parent" {
			joined = "parent/a/b"
		}
		op := h.join(joined, "op")
		op.take()
		d, etag, err := h.ReadDefinition(name)
		if err != nil {
			t.Fatal(err)
		}
		d = d.Sanitised()
		d.DisplayName, d.Public = "new", true
		if _, err := h.WriteDefinition(name, d, etag); err != nil {
			t.Fatal(err)
		}
		if got := one[GroupChanged](op); got.Status.DisplayName != "new" {
			t.Errorf("members of %s were told %+v, want the new name", joined, got.Status)
		}
	}
	if got := h.PublicStatuses(); len(got) != 2 {
		t.Errorf("public groups = %+v, want those that have become public", got)
	}
	if _, err := h.WriteDefinition("fresh", &Description{Public: true}, ""); err != nil {
		t.Fatal(err)
	}
	if got := h.PublicStatuses(); len(got) != 3 || got[0].Name != "fresh" {
		t.Errorf("public groups = %+v, want the new one too", got)
	}
	if err := h.DeleteDefinition("fresh", AnyTag); err != nil {
		t.Fatal(err)
	}
	if got := h.PublicStatuses(); len(got) != 2 || h.find("fresh") != nil {
		t.Errorf("public groups = %+v, want the deleted one forgotten", got)
	}
}

func TestDeletedGroupsKeepTheirMembersButNothingElse(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": ops, "empty": ops})
	op, gone := h.join("room", "op"), h.join("empty", "op")
	gone.Group().SetLocked(true, "closed")
	gone.Leave()
	for _, name := range []string{"room", "empty"} {
		if err := h.DeleteDefinition(name, AnyTag); err != nil {
			t.Fatal(err)
		}
		if _, refusal := h.try(name, "2", "presenter", "secret"); refusal == nil || refusal.Text != textNotFound {
			t.Errorf("joining a deleted group: %v, want %q", refusal, textNotFound)
		}
	}
	op.take()
	g := op.Group()
	g.Broadcast(NewEvent(g, "still here"), "")
	if got := one[string](op); got != "still here" {
		t.Errorf("message = %q", got)
	}
	h.define("empty", ops)
	if _, refusal := h.try("empty", "2", "presenter", "secret"); refusal != nil {
		t.Errorf("joining a group of the same name: %v, want nothing left of the old one", refusal)
	}
}

const goodKey = `{"alg":"HS256","k":"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE","kty":"oct"}`
