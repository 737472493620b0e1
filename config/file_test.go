package config

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sample has what definitions have: scalars, pointers, maps of structs.
type sample struct {
	Name  string          `json:"name,omitempty"`
	Limit int             `json:"max-limit,omitempty"`
	Until *time.Time      `json:"until,omitempty"`
	Users map[string]User `json:"users,omitempty"`
	Other []User          `json:"other,omitempty"`
	Raw   json.RawMessage `json:"raw,omitempty"`
}

func TestDecodeNamesLineAndFieldOfAMistake(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, data, want string }{
		{"unknown field", "{\n\"name\": \"x\",\n\"bogus\": 1}", `f.json:3: unknown field "bogus"`},
		{"field in other case", "{\"Name\": \"x\"}", `f.json:1: unknown field "Name"`},
		{
			"unknown field of a user", "{\"users\": {\n\"bob\": {\n\n\"pass\": 1}}}",
			`f.json:4: unknown field "users.bob.pass"`,
		},
		{"unknown field in an array", "{\"other\": [{},\n{\"x\":1}]}", `f.json:2: unknown field "other.1.x"`},
		{"wrong type", "{\"name\":\n\n5}", `f.json:3: field "name": a JSON number cannot be here`},
		{"array for an object", "{\"users\": []}", `f.json:1: field "users": a JSON array cannot be here`},
		{"bad time", "{\n\"until\": \"noon\"}", `f.json:2: field "until": `},
		{
			"unknown set", "{\"users\":{\"bob\":\n{\"permissions\":\n\"king\"}}}",
			`f.json:3: field "users.bob.permissions": unknown permission "king"`,
		},
		{
			"unknown field of a password", "{\"users\":{\"bob\":\n{\"password\": {\"clef\": 1}}}}",
			`f.json:2: field "users.bob.password": password: json: unknown field "clef"`,
		},
		{"syntax", "{\n\"name\": \"x\",\n}", `f.json:3: `},
		{"cut short", "{\n\"name\": \"x\"", `f.json:2: `},
		{"nothing", "", `f.json:1: no JSON object`},
		{"null", "null", `f.json:1: not a JSON object`},
		{"array", " []", `f.json:1: not a JSON object`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var v sample
			err := Decode("f.json", []byte(tt.data), &v)
			if _, ok := errors.AsType[*FileError](err); !ok || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("Decode(%q) = %v, want %s…", tt.data, err, tt.want)
			}
		})
	}
}

func TestDecodeReadsAllFieldsAndIgnoresWhatFollows(t *testing.T) {
	t.Parallel()
	var v sample
	data := ` {"name":"x","max-limit":3,"until":"2030-01-02T03:04:05Z","raw":{"a":[1]},
		"users":{"":{"password":"p","permissions":["a","b"]},"eve":{"password":null,"permissions":null}}} trailing`
	if err := Decode("f.json", []byte(data), &v); err != nil {
		t.Fatal(err)
	}
	if v.Name != "x" || v.Limit != 3 || v.Until == nil || v.Until.Year() != 2030 || string(v.Raw) != `{"a":[1]}` {
		t.Errorf("Decode(%s) = %+v", data, v)
	}
	if got := v.Users[""].Permissions.List(); len(got) != 2 || got[0] != "a" || v.Users[""].Password == nil {
		t.Errorf("user = %+v, want permissions [a b] and a password", v.Users[""])
	}
	if eve := v.Users["eve"]; eve.Password != nil || len(eve.Permissions.List()) != 0 {
		t.Errorf("user with nulls = %+v, want neither password nor permissions", eve)
	}
}

func TestReadRefusesWhatIsNoRegularFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "dir.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "large.json"), strings.Repeat(" ", MaxFileBytes+1))
	for link, target := range map[string]string{"dirlink.json": "dir.json", "loop.json": "loop.json"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"dir.json", "large.json", "none.json", "dirlink.json", "loop.json"} {
		if data, _, err := Read(filepath.Join(dir, name)); err == nil {
			t.Errorf("Read(%s) = %d bytes, want an error", name, len(data))
		}
	}
}

func TestReadFollowsLinksWhereverTheyLead(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	write(t, filepath.Join(elsewhere, "target.json"), `{"a":1}`)
	for link, target := range map[string]string{
		"link.json":     filepath.Join(elsewhere, "target.json"),
		"again.json":    "link.json",
		"folder":        elsewhere,
		"dangling.json": filepath.Join(elsewhere, "none.json"),
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"link.json", "again.json", "folder/target.json"} {
		path := filepath.Join(dir, name)
		data, tag, err := Read(path)
		if err != nil || string(data) != `{"a":1}` {
			t.Errorf("Read(%s) = %q, %v, want the contents of the target", name, data, err)
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		tag.read = tag.read.Add(time.Hour) // it has settled
		if !tag.Same(info) {
			t.Errorf("Read(%s): the tag is not that of the target", name)
		}
	}
	if _, _, err := Read(filepath.Join(dir, "dangling.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Read of a link to nowhere = %v, want %v", err, os.ErrNotExist)
	}
}

func TestTagTellsFilesApart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f.json")
	old := time.Now().Add(-time.Hour)
	stat := func() os.FileInfo {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	write(t, path, `{"a":1}`)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	tag := Tag{stat(), time.Now().Add(time.Hour)} // it has settled
	if !tag.Same(stat()) {
		t.Error("Same = false for an untouched file, want true")
	}
	if fresh := (Tag{stat(), time.Now()}); fresh.Same(stat()) {
		t.Error("Same = true for a file read as soon as it was written, want false")
	}

	// Another file of the same size and time takes its place.
	write(t, path+".new", `{"a":2}`)
	if err := os.Chtimes(path+".new", old, old); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if tag.Same(stat()) {
		t.Error("Same = true for another file under the same name, want false")
	}
	if (Tag{}).Same(stat()) {
		t.Error("Same = true for the tag of no file, want false")
	}
}

func write(tb testing.TB, path, data string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// Whatever a file holds, Decode does not panic, fails only with a FileError
// whose line is within the file, and what it accepts it accepts again after it
// was written.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"name":"x","max-limit":3,"users":{"a":{"password":"p","permissions":"op"}}}`))
	f.Add([]byte("{\n\"other\":[{\"permissions\":[\"x\"]}],\"raw\":null,\"bogus\":1}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v sample
		if err := Decode("f.json", data, &v); err != nil {
			bad, ok := errors.AsType[*FileError](err)
			if lines := 1 + strings.Count(string(data), "\n"); !ok || bad.Line < 1 || bad.Line > lines {
				t.Fatalf("Decode(%q) = %v, want a FileError within %d lines", data, err, lines)
			}
			return
		}
		written, err := json.Marshal(v)
		if err != nil {
			t.Fatalf("Marshal after Decode(%q): %v", data, err)
		}
		var again sample
		if err := Decode("f.json", written, &again); err != nil {
			t.Fatalf("Decode(%s), written for %q: %v", written, data, err)
		}
	})
}
