package group

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"galene/config"
	"galene/password"
	"galene/token"
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

func TestSanitisedHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": full})
	d, _, err := h.ReadDefinition("room")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(d.Sanitised())
	want := `{"displayName":"old","public":true,"fallback-users":[{"permissions":"present"}]}`
	if string(data) != want || err != nil {
		t.Errorf("Sanitised() = %s, %v, want %s", data, err, want)
	}
	if len(d.Users) != 2 || d.FallbackUsers[0].Password == nil {
		t.Error("Sanitised() has changed what it was made from")
	}
	back, err := ParseDescription(data)
	if err != nil {
		t.Fatalf("ParseDescription of it: %v", err)
	}
	if again, err := json.Marshal(back); string(again) != want || err != nil {
		t.Errorf("ParseDescription of it reads %s, %v", again, err)
	}
}

func TestParseDescriptionRefusesWhatMustNotBeWritten(t *testing.T) {
	t.Parallel()
	tests := []struct{ data, field string }{
		{`{"users":{}}`, "users"},
		{`{"users":null}`, "users"},
		{`{"wildcard-user":{}}`, "wildcard-user"},
		{`{"authKeys":[]}`, "authKeys"},
		{`{"op":[]}`, "op"},
		{`{"presenter":[{}]}`, "presenter"},
		{`{"other":[{}]}`, "other"},
		{`{"allow-subgroups":true}`, "allow-subgroups"},
		{`{"bogus":1}`, "bogus"},
		{`{"Public":true}`, "Public"},
		{`{"max-clients":"many"}`, "max-clients"},
		{`{"expires":"tomorrow"}`, "expires"},
		{`{"fallback-users":[{"password":"x"}]}`, "fallback-users.0.password"},
		{`{"fallback-users":[{"permissions":"king"}]}`, "fallback-users.0.permissions"},
		{`{"fallback-users":[{"permissions":["system"]}]}`, "fallback-users.0.permissions"},
		{`{} {}`, ""},
		{`{`, ""},
		{`[]`, ""},
		{``, ""},
	}
	for _, tt := range tests {
		_, err := ParseDescription([]byte(tt.data))
		bad, ok := errors.AsType[*DefinitionError](err)
		if !ok || !errors.Is(err, ErrInvalidDefinition) || bad.Field != tt.field {
			t.Errorf("ParseDescription(%s) = %v, want it refused because of field %q", tt.data, err, tt.field)
		}
	}
}

func TestParseUserRefusesPasswordsAndWhatCannotBe(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`{"password":"x"}`, `{"password":null}`, `{"permissions":"king"}`, `{"permissions":["system"]}`, `{"x":1}`, `"op"`, `{}}`,
	} {
		if user, err := ParseUser([]byte(data)); !errors.Is(err, ErrInvalidDefinition) {
			t.Errorf("ParseUser(%s) = %+v, %v, want %v", data, user, err, ErrInvalidDefinition)
		}
	}
	if _, err := ParseUser([]byte(`{"permissions":"king"}`)); !errors.Is(err, config.ErrUnknownSet) {
		t.Errorf("ParseUser with an unknown set = %v, want %v", err, config.ErrUnknownSet)
	}
	if user, err := ParseUser([]byte(`{"permissions":["present","x"]}`)); err != nil || len(user.Permissions.List()) != 2 {
		t.Errorf("ParseUser() = %+v, %v, want two permissions", user, err)
	}
}

func TestWriteDefinitionKeepsWhatIsAdministeredByItself(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": full})
	for _, body := range []string{`{"displayName":"new"}`, `{"displayName":"new","fallback-users":[{"permissions":"present"}]}`} {
		d, err := ParseDescription([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if created, err := h.WriteDefinition("room", d, AnyTag); created || err != nil {
			t.Fatalf("WriteDefinition(%s) = %v, %v", body, created, err)
		}
		want := strings.Replace(full, `"public":true,"displayName":"old"`, `"displayName":"new"`, 1)
		if got, want := h.compact("room"), sortedJSON(t, want); got != want {
			t.Errorf("file after writing %s:\n%s\nwant\n%s", body, got, want)
		}
	}
	for _, body := range []string{
		`{"fallback-users":[]}`, `{"fallback-users":[{}]}`, `{"fallback-users":[{"permissions":"present"},{}]}`,
	} {
		d, err := ParseDescription([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		before := h.file("room")
		if _, err := h.WriteDefinition("room", d, AnyTag); !errors.Is(err, ErrInvalidDefinition) || h.file("room") != before {
			t.Errorf("WriteDefinition(%s) = %v, want it refused and the file untouched", body, err)
		}
	}
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

func TestWriteDefinitionOfEverythingReplacesEverything(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": full})
	secret := password.Plain("s")
	d := &Description{Users: map[string]config.User{"eve": {Password: &secret}}}
	if _, err := h.WriteDefinition("room", d, h.etag("room")); err != nil {
		t.Fatal(err)
	}
	if got, want := h.compact("room"), `{"users":{"eve":{"password":"s"}}}`; got != want {
		t.Errorf("file = %s, want %s", got, want)
	}
	var unusable password.Password
	if err := json.Unmarshal([]byte(`{"type":"pbkdf2","hash":"sha-256","key":"","salt":"","iterations":1}`), &unusable); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []*Description{
		{Users: map[string]config.User{"eve": {Password: &unusable}}},
		{Users: map[string]config.User{"a//b": {Password: &secret}}},
		{WildcardUser: &config.User{Password: &unusable}},
		{FallbackUsers: []config.User{{Password: &unusable}}},
		{Users: map[string]config.User{}, Comment: strings.Repeat("x", config.MaxFileBytes)},
	} {
		before := h.file("room")
		if _, err := h.WriteDefinition("room", bad, AnyTag); !errors.Is(err, ErrInvalidDefinition) || h.file("room") != before {
			t.Errorf("WriteDefinition = %.100v, want it refused and the file untouched", err)
		}
	}
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

func TestNewDefinitionsArePrivate(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, nil)
	if _, err := h.WriteDefinition("dir/sub/room", &Description{}, ""); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{"dir": 0o700, "dir/sub": 0o700, "dir/sub/room.json": 0o600} {
		info, err := os.Stat(filepath.Join(h.dir, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("mode of %s = %v, %v, want %v", path, info, err, want)
		}
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

func TestUsersAreAdministeredByThemselves(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": full, "sub": `{"auto-subgroups":true,"users":{"b":{},"a":{}}}`})
	users := func(name string) string {
		t.Helper()
		list, etag, err := h.ListUsers(name)
		if err != nil || etag == "" {
			t.Errorf("ListUsers(%s) = %q, %s, %v", name, list, etag, err)
		}
		return strings.Join(list, ",")
	}
	if got := users("room"); got != ",bob" {
		t.Errorf("users = %q, want the nameless one and bob", got)
	}
	if got := users("sub/x"); got != "a,b" {
		t.Errorf("users of a subgroup = %q, want its parent's", got)
	}
	set := func(name string) *config.Grants {
		grants, err := config.NamedSet(name)
		if err != nil {
			t.Fatal(err)
		}
		return &grants
	}
	bob, ann, any := UserKey{Name: "bob"}, UserKey{Name: "ann"}, UserKey{Wildcard: true}
	if created, err := h.WriteUser("room", bob, config.User{Permissions: set("message")}, h.etag("room")); created || err != nil {
		t.Errorf("WriteUser(bob) = %v, %v", created, err)
	}
	if created, err := h.WriteUser("room", ann, config.User{Permissions: set("op")}, ""); !created || err != nil {
		t.Errorf("WriteUser(ann) = %v, %v, want her created", created, err)
	}
	if created, err := h.WriteUser("room", any, config.User{}, AnyTag); created || err != nil {
		t.Errorf("WriteUser of the wildcard user = %v, %v", created, err)
	}
	secret := password.Plain("new")
	if err := h.SetPassword("room", ann, &secret, AnyTag); err != nil {
		t.Errorf("SetPassword(ann) = %v", err)
	}
	if err := h.SetPassword("room", any, nil, AnyTag); err != nil {
		t.Errorf("SetPassword of the wildcard user = %v", err)
	}
	if err := h.DeleteUser("room", UserKey{}, AnyTag); err != nil {
		t.Errorf("DeleteUser of the nameless one = %v", err)
	}
	if err := h.SetKeys("room", nil, AnyTag); err != nil {
		t.Errorf("SetKeys = %v", err)
	}
	want := `{"displayName":"old","fallback-users":[{"password":"f","permissions":"present"}],"public":true,` +
		`"users":{"ann":{"password":"new","permissions":"op"},"bob":{"password":"b","permissions":"message"}},"wildcard-user":{}}`
	if got := h.compact("room"); got != want {
		t.Errorf("file = %s, want %s", got, want)
	}
	if user, _, err := h.ReadUser("room", bob); err != nil || user.Permissions.Set() != "message" || user.Password == nil ||
		user.Sanitised().Password != nil {
		t.Errorf("ReadUser(bob) = %+v, %v", user, err)
	}
	eve := UserKey{Name: "eve"}
	_, _, err := h.ReadUser("room", eve)
	for name, err := range map[string]error{
		"ReadUser": err, "DeleteUser": h.DeleteUser("room", eve, AnyTag), "SetPassword": h.SetPassword("room", eve, nil, AnyTag),
	} {
		if !errors.Is(err, ErrUnknownUser) {
			t.Errorf("%s(eve) = %v, want %v", name, err, ErrUnknownUser)
		}
	}
	if _, err := h.WriteUser("none", eve, config.User{}, AnyTag); !errors.Is(err, ErrNotFound) {
		t.Errorf("WriteUser in no group = %v, want %v", err, ErrNotFound)
	}
	if _, err := h.WriteUser("sub/x", eve, config.User{}, AnyTag); !errors.Is(err, ErrNotFound) {
		t.Errorf("WriteUser in a subgroup without file = %v, want %v", err, ErrNotFound)
	}
}

func TestHashedPasswordsMatch(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": ops})
	hashed, err := h.HashPassword(t.Context(), "changed")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.SetPassword("room", UserKey{Name: "op"}, &hashed, AnyTag); err != nil {
		t.Fatal(err)
	}
	if _, refusal := h.try("room", "1", "op", "secret"); refusal == nil {
		t.Error("the old password still matches")
	}
	if _, refusal := h.try("room", "1", "op", "changed"); refusal != nil {
		t.Errorf("joining with the new password: %v", refusal)
	}
	if strings.Contains(h.file("room"), "changed") {
		t.Error("the password is in the file")
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

// A broken file is no reason to lose what it says, but it can be removed.
func TestBrokenFilesAreNotRewritten(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": `{"users":{"bob":`})
	_, err := h.WriteDefinition("room", &Description{}, AnyTag)
	_, userErr := h.WriteUser("room", UserKey{Name: "x"}, config.User{}, AnyTag)
	for _, err := range []error{err, userErr, h.SetKeys("room", nil, AnyTag)} {
		if !isDefinitionError(err) || errors.Is(err, ErrInvalidDefinition) {
			t.Errorf("writing = %v, want an error about the file", err)
		}
	}
	if got := h.file("room"); got != `{"users":{"bob":` {
		t.Errorf("file = %s, want it untouched", got)
	}
	if err := h.DeleteDefinition("room", AnyTag); err != nil {
		t.Errorf("DeleteDefinition = %v", err)
	}
}

// Somebody edits the file by hand while it is being changed over HTTP.
func TestEditsByHandAreNotOverwritten(t *testing.T) {
	t.Parallel()
	const byHand = `{"displayName":"by hand","users":{"eve":{"permissions":"op"}}}`
	tests := []struct {
		name   string
		edit   func(h *house)
		change func(h *house, etag string) error
		tag    string // empty: that of the definition
		want   error
		file   string // empty: there is none
	}{
		{
			"with a tag", func(h *house) { h.define("room", byHand) },
			func(h *house, etag string) error {
				_, err := h.WriteDefinition("room", &Description{DisplayName: "new"}, etag)
				return err
			}, "", ErrTagMismatch, byHand,
		},
		{
			"without", func(h *house) { h.define("room", byHand) },
			func(h *house, etag string) error {
				_, err := h.WriteDefinition("room", &Description{DisplayName: "new"}, etag)
				return err
			}, AnyTag, nil, `{"displayName":"new","users":{"eve":{"permissions":"op"}}}`,
		},
		{
			"a user without a tag", func(h *house) { h.define("room", byHand) },
			func(h *house, etag string) error {
				_, err := h.WriteUser("room", UserKey{Name: "ann"}, config.User{}, etag)
				return err
			}, AnyTag, nil, `{"displayName":"by hand","users":{"ann":{},"eve":{"permissions":"op"}}}`,
		},
		{
			"replaced like editors do", func(h *house) {
				h.define("other", byHand)
				if err := os.Rename(filepath.Join(h.dir, "other.json"), filepath.Join(h.dir, "room.json")); err != nil {
					h.tb.Fatal(err)
				}
			},
			func(h *house, etag string) error { return h.SetPassword("room", UserKey{Name: "bob"}, nil, etag) },
			"", ErrTagMismatch, byHand,
		},
		{
			"removed", func(h *house) { h.undefine("room") },
			func(h *house, etag string) error { return h.SetKeys("room", nil, etag) }, AnyTag, ErrNotFound, "",
		},
		{
			"deletion", func(h *house) { h.define("room", byHand) },
			func(h *house, etag string) error { return h.DeleteDefinition("room", etag) }, "", ErrTagMismatch, byHand,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newWritableHouse(t, map[string]string{"room": full})
			tag := tt.tag
			if tag == "" {
				tag = h.etag("room")
			}
			edited := false
			h.beforeCommit = func() {
				if !edited {
					edited = true
					tt.edit(h)
				}
			}
			if err := tt.change(h, tag); !errors.Is(err, tt.want) {
				t.Errorf("the change = %v, want %v", err, tt.want)
			}
			if !edited {
				t.Error("the file was not looked at again")
			}
			if _, err := os.Stat(filepath.Join(h.dir, "room.json")); tt.file == "" {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the file is there: %v", err)
				}
			} else if got := h.compact("room"); got != tt.file {
				t.Errorf("the file is %s, want %s", got, tt.file)
			}
			if files, err := filepath.Glob(filepath.Join(h.dir, ".*")); len(files) > 0 || err != nil {
				t.Errorf("left over: %q, %v", files, err)
			}
		})
	}
}

// Who keeps editing wins.
func TestChangesGiveUpInTheEnd(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": full})
	edits := 0
	h.beforeCommit = func() {
		edits++
		h.define("room", fmt.Sprintf(`{"displayName":"%d"}`, edits))
	}
	if _, err := h.WriteDefinition("room", &Description{}, AnyTag); !errors.Is(err, ErrTagMismatch) {
		t.Errorf("WriteDefinition = %v, want %v", err, ErrTagMismatch)
	}
	if got, want := h.file("room"), `{"displayName":"3"}`; got != want || edits != modifyAttempts {
		t.Errorf("the file is %s after %d edits, want %s", got, edits, want)
	}
}

// Where names are told apart only by letters that are the same but for their
// case, one file must not be two groups.
func TestNamesInOtherCaseAreNoGroups(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": ops, "dir/room": ops, "both": ops, "BOTH": ops, "étage": ops})
	// A file system that ignores case, as far as these names go.
	aliases := func(path string) string {
		for _, name := range []string{"room.json", "dir", "étage.json"} {
			folder, base := filepath.Split(path)
			if strings.EqualFold(base, name) {
				path = folder + name
			}
			path = strings.Replace(path, "/DIR/", "/dir/", 1)
		}
		return path
	}
	h.library.stat = func(path string) (fs.FileInfo, error) { return os.Stat(aliases(path)) }
	for name, want := range map[string]error{
		"room": nil, "dir/room": nil, "both": nil, "BOTH": nil, "étage": nil,
		"Room": ErrNotFound, "ROOM": ErrNotFound, "DIR/room": ErrNotFound, "dir/rooM": ErrNotFound, "ÉTAGE": ErrNotFound,
		"none": ErrNotFound,
	} {
		if _, err := h.Description(name); !errors.Is(err, want) {
			t.Errorf("Description(%s) = %v, want %v", name, err, want)
		}
	}
}

const goodKey = `{"alg":"HS256","k":"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE","kty":"oct"}`

func TestKeysAreSetOnlyIfTheyAreGood(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": `{"displayName":"d"}`})
	good := json.RawMessage(goodKey)
	if err := h.SetKeys("room", []json.RawMessage{good}, AnyTag); err != nil {
		t.Fatal(err)
	}
	want := `{"authKeys":[` + goodKey + `],"displayName":"d"}`
	if got := h.compact("room"); got != want {
		t.Errorf("the file is %s, want %s", got, want)
	}
	for _, bad := range []string{`{"kty":"oct","alg":"HS256","k":""}`, `{"kty":"oct"}`, `[]`} {
		err := h.SetKeys("room", []json.RawMessage{good, json.RawMessage(bad)}, AnyTag)
		if refusal, ok := errors.AsType[*DefinitionError](err); !ok || !errors.Is(err, ErrInvalidDefinition) ||
			refusal.Field != "authKeys.1" || strings.Contains(err.Error(), "MDEy") {
			t.Errorf("SetKeys with %s = %v, want it refused by index and without any key's value", bad, err)
		}
	}
	if got := h.compact("room"); got != want {
		t.Errorf("the file is %s, want it untouched", got)
	}
}

// A key that cannot be used is not lost when something else is changed.
func TestBadKeysAreReportedAndKept(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": `{"authKeys":[` + goodKey + `,{"kty":"oct"}]}`})
	var log strings.Builder
	h.library.log = slog.New(slog.NewTextHandler(&log, nil))
	for range 3 {
		if _, err := h.Description("room"); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(log.String(), "authKeys[1]"); got != 1 || !strings.Contains(log.String(), "room.json") ||
		strings.Contains(log.String(), "authKeys[0]") {
		t.Errorf("log has %d lines about the bad key, want one, with the file:\n%s", got, &log)
	}
	if _, err := h.WriteUser("room", UserKey{Name: "bob"}, config.User{}, ""); err != nil {
		t.Fatal(err)
	}
	if got, want := h.compact("room"), `{"authKeys":[`+goodKey+`,{"kty":"oct"}],"users":{"bob":{}}}`; got != want {
		t.Errorf("the file is %s, want %s", got, want)
	}
}

func TestTokensGoWithTheirGroup(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{
		"room": `{"auto-subgroups":true}`, "room/own": `{}`, "roomy": `{}`, "parent": `{"auto-subgroups":true}`,
	})
	store, err := token.Open(filepath.Join(t.TempDir(), "tokens.jsonl"), nil)
	if err != nil {
		t.Fatal(err)
	}
	h.Registry = NewRegistry(Options{
		Directory: h.dir, Tokens: store,
		Settings: func() *config.Settings { return &config.Settings{WritableGroups: true} },
	})
	expires := time.Now().Add(time.Hour)
	for _, group := range []string{"room", "room/below", "room/own", "roomy", "gone", "gone/below", "parent/sub", ""} {
		if _, err := store.Add(&token.Token{Group: group, Expires: &expires}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string, want ...string) {
		t.Helper()
		var groups []string
		for _, group := range []string{"room", "room/below", "room/own", "roomy", "gone", "gone/below", "parent/sub", ""} {
			if tokens, err := store.List(group); err != nil {
				t.Error(err)
			} else if len(tokens) > 0 {
				groups = append(groups, group)
			}
		}
		if !slices.Equal(groups, want) {
			t.Errorf("%s there are tokens of %q, want %q", when, groups, want)
		}
	}
	if err := h.DeleteDefinition("room", `"other"`); !errors.Is(err, ErrTagMismatch) {
		t.Fatal(err)
	}
	check("before", "room", "room/below", "room/own", "roomy", "gone", "gone/below", "parent/sub", "")
	if err := h.DeleteDefinition("room", AnyTag); err != nil {
		t.Fatal(err)
	}
	check("after room was deleted", "room/own", "roomy", "gone", "gone/below", "parent/sub", "")

	// The definition of this one was removed by hand.
	if _, err := h.WriteDefinition("gone", &Description{}, ""); err != nil {
		t.Fatal(err)
	}
	check("after gone was made", "room/own", "roomy", "parent/sub", "")
	if _, err := h.WriteDefinition("parent/sub", &Description{}, ""); err != nil {
		t.Fatal(err)
	}
	check("after a subgroup got a definition", "room/own", "roomy", "parent/sub", "")
}
