package group

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"galene/config"
)

func TestDefinitionErrorsNameFileLineAndField(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, data, want, field string }{
		{"unknown field", "{\n\n\"bogus\": 1}", `:3: unknown field "bogus"`, "bogus"},
		{"unknown field of a user", "{\"users\":{\"a\":{\n\"x\":1}}}", `:2: unknown field "users.a.x"`, "users.a.x"},
		{"unknown field of an old user", "{\"op\":[\n{\"name\":1}]}", `:2: unknown field "op.0.name"`, "op.0.name"},
		{"wrong type", "{\n\"max-clients\": \"many\"}", `:2: field "max-clients": a JSON string cannot be here`, "max-clients"},
		{"unknown set", `{"wildcard-user":{"permissions":"king"}}`, `:1: field "wildcard-user.permissions": unknown permission "king"`, "wildcard-user.permissions"},
		{"bad date", `{"expires":"tomorrow"}`, `:1: field "expires": `, "expires"},
		{"cut short", "{\n", `:2: `, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, map[string]string{"room": tt.data})
			_, err := h.Description("room")
			bad, ok := errors.AsType[*DefinitionError](err)
			if want := filepath.Join(h.dir, "room.json") + tt.want; !ok || !strings.HasPrefix(err.Error(), want) {
				t.Fatalf("Description() = %v, want %s…", err, want)
			}
			if bad.Field != tt.field || bad.Line == 0 {
				t.Errorf("error = %+v, want field %q and a line", bad, tt.field)
			}
		})
	}
}

// Links are the administrator's; it is names that must not climb.
func TestDefinitionsMayBeSymbolicLinks(t *testing.T) {
	t.Parallel()
	elsewhere := newHouse(t, map[string]string{
		"room": ops, "hidden/.x": ops, "staff/lounge": `{"public":true,"displayName":"L"}`,
		"staff/deep/end": `{"public":true,"displayName":"E"}`,
	})
	h := newHouse(t, map[string]string{"room": ops, "parent": `{"auto-subgroups":true,"displayName":"P"}`})
	for _, folder := range []string{"dir.json", "parent"} {
		if err := os.Mkdir(filepath.Join(h.dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"alias.json":        "room.json",
		"link.json":         filepath.Join(elsewhere.dir, "room.json"),
		"again.json":        "link.json",
		"team":              filepath.Join(elsewhere.dir, "staff"),
		"loop.json":         "loop.json",
		"here":              ".", // has no end
		"dirlink.json":      "dir.json",
		"dangling.json":     filepath.Join(elsewhere.dir, "nowhere.json"),
		"parent/child.json": "nowhere.json",
	} {
		if err := os.Symlink(target, filepath.Join(h.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"alias", "link", "again", "team/lounge", "team/deep/end", "parent/child"} {
		if _, err := h.Description(name); err != nil {
			t.Errorf("Description(%s) = %v, want nil", name, err)
		}
	}
	for _, name := range []string{"dangling", "here/none"} {
		if _, err := h.Description(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("Description(%s) = %v, want %v", name, err, ErrNotFound)
		}
	}
	for _, name := range []string{"dir", "dirlink", "loop"} {
		if _, err := h.Description(name); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("Description(%s) = %v, want an error about the file", name, err)
		}
	}
	for _, name := range []string{"../" + filepath.Base(h.dir) + "/room", "/room", "here/../room"} {
		if _, err := h.Description(name); !errors.Is(err, ErrInvalidName) {
			t.Errorf("Description(%s) = %v, want %v", name, err, ErrInvalidName)
		}
	}
	fresh := &house{Registry: NewRegistry(Options{Directory: h.dir}), tb: t, dir: h.dir}
	fresh.scan()
	var public []string
	for _, s := range fresh.PublicStatuses() {
		public = append(public, s.Name)
	}
	if got, want := strings.Join(public, " "), "team/deep/end team/lounge"; got != want {
		t.Errorf("public groups = %q, want %q", got, want)
	}
}

// A link that is turned to another file is a change like any other.
func TestGroupsFollowTheirLinks(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"v1/room": `{"displayName":"1"}`, "v2/room": `{"displayName":"2"}`})
	past := time.Now().Add(-time.Hour) // both files are of one size and time
	for _, file := range []string{"v1/room.json", "v2/room.json"} {
		if err := os.Chtimes(filepath.Join(h.dir, file), past, past); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(h.dir, "room.json")
	for _, version := range []string{"1", "2"} {
		_ = os.Remove(link) // there is none at first
		if err := os.Symlink("v"+version+"/room.json", link); err != nil {
			t.Fatal(err)
		}
		if d, err := h.Description("room"); err != nil || d.DisplayName != version {
			t.Errorf("Description with a link to v%s = %+v, %v", version, d, err)
		}
	}
}

func TestSubgroupsInheritFromTheNearestFile(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{
		"a":     `{"auto-subgroups":true,"public":true,"description":"D","displayName":"A"}`,
		"a/b":   `{"displayName":"B"}`,
		"a/b/c": `{"displayName":"C","auto-subgroups":true}`,
	})
	tests := []struct{ name, display string }{
		{"a", "A"}, {"a/x", "A"}, {"a/x/y/z", "A"}, {"a/b", "B"}, {"a/b/x", ""}, {"a/b/c", "C"}, {"a/b/c/d", "C"}, {"x", ""},
	}
	for _, tt := range tests {
		d, err := h.Description(tt.name)
		if tt.display == "" {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("Description(%s) = %+v, %v, want ErrNotFound", tt.name, d, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("Description(%s): %v", tt.name, err)
			continue
		}
		own := tt.name == "a"
		if d.DisplayName != tt.display || d.Public != own || (d.Description != "") != own {
			t.Errorf("Description(%s) = %+v, want %s's, public and described only if its own", tt.name, d, tt.display)
		}
	}
}

func TestDescriptionDefaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		data   string
		age    time.Duration
		codecs []string
	}{
		{`{}`, 4 * time.Hour, []string{"vp8", "opus"}},
		{`{"max-history-age":0,"codecs":[]}`, 4 * time.Hour, []string{"vp8", "opus"}},
		{`{"max-history-age":-5}`, 4 * time.Hour, []string{"vp8", "opus"}},
		{`{"max-history-age":60,"codecs":["av1","nonesuch"]}`, time.Minute, []string{"av1", "nonesuch"}},
		{`{"max-history-age":9223372036854775807}`, maxHistoryAge, []string{"vp8", "opus"}},
	}
	for _, tt := range tests {
		d, err := decodeDescription("f.json", []byte(tt.data))
		if err != nil {
			t.Errorf("decode(%s): %v", tt.data, err)
			continue
		}
		if got := d.HistoryAge(); got != tt.age {
			t.Errorf("HistoryAge of %s = %v, want %v", tt.data, got, tt.age)
		}
		if got := d.CodecNames(); !slices.Equal(got, tt.codecs) {
			t.Errorf("CodecNames of %s = %v, want %v", tt.data, got, tt.codecs)
		}
	}
}

func TestOddDefinitionsWarn(t *testing.T) {
	t.Parallel()
	tests := []struct{ data, want string }{
		{`{"users":{"a":{"password":{"type":"rot13"}}}}`, `user "a"`},
		{`{"fallback-users":[{"password":{"type":"plain"}}]}`, "fallback user 0"},
		{`{"wildcard-user":{"permissions":["system"]}}`, "system"},
		{`{"users":{"a":{"permissions":["present","massage"]}}}`, "massage"},
		{`{"authKeys":[{"kty":"oct"}]}`, "authKeys[0]"},
		{`{"codecs":["nonesuch"]}`, "nonesuch"},
		{`{"op":[{"username":"a"}],"other":[{"username":"a"}]}`, `"other"`},
		{`{"presenter":[{},{}]}`, `"presenter"`},
	}
	for _, tt := range tests {
		d, err := decodeDescription("f.json", []byte(tt.data))
		if err != nil {
			t.Errorf("decode(%s): %v", tt.data, err)
			continue
		}
		if len(d.warnings) != 1 || !strings.Contains(d.warnings[0], tt.want) {
			t.Errorf("warnings of %s = %q, want one about %s", tt.data, d.warnings, tt.want)
		}
	}
}

// Whatever a definition holds, reading it does not panic and fails only with a
// DefinitionError. What is accepted reads the same after it was written, in its
// present form, and never grants "system".
func FuzzDefinition(f *testing.F) {
	f.Add([]byte(ops))
	f.Add([]byte(`{"op":[{"username":"a","password":"b"},{}],"presenter":[{}],"allow-subgroups":true}`))
	f.Add([]byte(`{"users":{"":{"permissions":["system"]}},"fallback-users":[{}],"not-before":"2030-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"max-clients":-1,"authKeys":[{"kty":"oct"}],"codecs":["vp8"],"allow-anonymous":false}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := decodeDescription("f.json", data)
		if err != nil {
			if _, ok := errors.AsType[*DefinitionError](err); !ok {
				t.Fatalf("decode(%q) = %v, want a DefinitionError", data, err)
			}
			return
		}
		for _, user := range d.Users {
			if slices.Contains(d.permissions(user).List(), systemPermission) {
				t.Fatalf("%q grants system", data)
			}
		}
		written, err := d.encode()
		if err != nil {
			t.Fatalf("encode after decoding %q: %v", data, err)
		}
		again, err := decodeDescription("f.json", written)
		if err != nil {
			t.Fatalf("decode(%s), written for %q: %v", written, data, err)
		}
		if rewritten, err := again.encode(); string(rewritten) != string(written) || err != nil {
			t.Fatalf("%s reads as %s, %v", written, rewritten, err)
		}
		if !reflect.DeepEqual(again.Users, d.Users) && len(d.Users) > 0 ||
			!reflect.DeepEqual(again.WildcardUser, d.WildcardUser) || again.HistoryAge() != d.HistoryAge() {
			t.Fatalf("%q reads as %+v, and once it is written as %+v", data, d, again)
		}
	})
}

// Every field is read, and written as it was read; and a value that it cannot
// have is reported with file, line and field.
func TestEveryFieldIsReadWrittenAndChecked(t *testing.T) {
	t.Parallel()
	const time1 = `"2030-01-02T03:04:05.000000006+01:00"`
	tests := []struct {
		field, good string
		written     string // if it is not the same
		bad         string
		at          string // the field at fault, if it is not the field itself
	}{
		{"displayName", `"x"`, "", `5`, ""},
		{"description", `"x\ny"`, "", `{}`, ""},
		{"contact", `"x <x@example.org>"`, "", `[]`, ""},
		{"comment", `"x"`, "", `true`, ""},
		{"public", `true`, "", `"yes"`, ""},
		{"redirect", `"https://example.org/?a=b&c"`, "", `1`, ""},
		{"max-clients", `7`, "", `7.5`, ""},
		{"max-history-age", `-1`, "", `"1h"`, ""},
		{"not-before", time1, "", `"noon"`, ""},
		{"expires", time1, "", `1893456000`, ""},
		{"allow-recording", `true`, "", `1`, ""},
		{"unrestricted-tokens", `true`, "", `"true"`, ""},
		{"allow-anonymous", `false`, "", `0`, ""},
		{"auto-subgroups", `true`, "", `[]`, ""},
		{"autolock", `true`, "", `{}`, ""},
		{"autokick", `true`, "", `""`, ""},
		{"users", `{"":{"permissions":"op"},"a/b":{"password":{"type":"wildcard"},"permissions":["x"]}}`, "", `{"a":{"password":5}}`, "users.a.password"},
		{"fallback-users", `[{"password":"p"},{"permissions":"observe"}]`, "", `[{},{"permissions":"king"}]`, "fallback-users.1.permissions"},
		{"wildcard-user", `{"password":"p","permissions":"caption"}`, "", `{"name":"x"}`, "wildcard-user.name"},
		{"authKeys", `[{"kty":"oct","unknown":[1]}]`, "", `{}`, ""},
		{"authServer", `"https://example.org"`, "", `[]`, ""},
		{"authPortal", `"https://example.org"`, "", `1`, ""},
		{"codecs", `["av1","opus"]`, "", `["av1",5]`, "codecs.1"},
		{"allow-subgroups", `true`, `{"auto-subgroups":true}`, `"x"`, ""},
		{"op", `[{"username":"a","password":"p"},{}]`, `{"users":{"a":{"password":"p","permissions":"op"}},"wildcard-user":{"password":{"type":"wildcard"},"permissions":"op"}}`, `[{"permissions":"op"}]`, "op.0.permissions"},
		{"presenter", `[{"password":"p"}]`, `{"wildcard-user":{"password":"p","permissions":"present"}}`, `{}`, ""},
		{"other", `[{"username":""}]`, `{"users":{"":{"password":{"type":"wildcard"},"permissions":"message"}}}`, `[5]`, "other.0"},
	}
	missing := make(map[string]bool)
	for _, typ := range []reflect.Type{reflect.TypeFor[Description](), reflect.TypeFor[definition]()} {
		for i := range typ.NumField() {
			if name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ","); name != "" {
				missing[name] = true
			}
		}
	}
	for _, tt := range tests {
		delete(missing, tt.field)
		data := "{\n\n\"" + tt.field + "\": " + tt.good + "}"
		d, err := decodeDescription("f.json", []byte(data))
		if err != nil {
			t.Errorf("decode(%s): %v", data, err)
			continue
		}
		want := cmp.Or(tt.written, `{"`+tt.field+`":`+tt.good+`}`)
		written, err := d.encode()
		if got := sortedJSON(t, string(written)); got != sortedJSON(t, want) || err != nil {
			t.Errorf("%s is written as %s, %v, want %s", data, got, err, want)
		}
		data = "{\n\n\"" + tt.field + "\": " + tt.bad + "}"
		_, err = decodeDescription("f.json", []byte(data))
		bad, ok := errors.AsType[*DefinitionError](err)
		if !ok || bad.File != "f.json" || bad.Line != 3 || bad.Field != cmp.Or(tt.at, tt.field) {
			t.Errorf("decode(%s) = %v, want an error about line 3 and field %s", data, err, cmp.Or(tt.at, tt.field))
		}
	}
	if len(missing) > 0 {
		t.Errorf("not tried: %v", missing)
	}
}

// Every field of a definition has a name in JSON, since a definition is written
// as it is read.
func TestDescriptionFieldsHaveNames(t *testing.T) {
	t.Parallel()
	for _, typ := range []reflect.Type{reflect.TypeFor[Description](), reflect.TypeFor[definition](), reflect.TypeFor[config.User]()} {
		for i := range typ.NumField() {
			field := typ.Field(i)
			if field.IsExported() && !field.Anonymous && !strings.Contains(field.Tag.Get("json"), ",omitempty") {
				t.Errorf("%v.%s has no name in JSON", typ, field.Name)
			}
		}
	}
}
