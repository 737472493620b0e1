package group

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"galene/config"
	"galene/token"
)

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

// Everybody who changes something at the same time gets their change.
func TestChangesAtTheSameTimeAreAllMade(t *testing.T) {
	t.Parallel()
	h := newWritableHouse(t, map[string]string{"room": `{}`})
	const writers, users = 4, 5
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for j := range users {
				key := UserKey{Name: fmt.Sprintf("user-%d-%d", i, j)}
				if created, err := h.WriteUser("room", key, config.User{}, ""); !created || err != nil {
					t.Errorf("WriteUser(%s) = %v, %v", key.Name, created, err)
				}
				if _, err := h.Description("room"); err != nil {
					t.Errorf("Description meanwhile = %v", err)
				}
			}
		})
	}
	wg.Wait()
	if names, _, err := h.ListUsers("room"); len(names) != writers*users || err != nil {
		t.Errorf("there are %d users, %v, want %d", len(names), err, writers*users)
	}
}

// A definition that is a link, in a directory that is one, is changed where it
// is.
func TestLinkedDefinitionsAreWrittenThrough(t *testing.T) {
	t.Parallel()
	elsewhere := t.TempDir()
	h := newWritableHouse(t, nil)
	target := filepath.Join(elsewhere, "target.json")
	if err := os.WriteFile(target, []byte(ops), 0o640); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"room.json": target, "team": elsewhere} {
		if err := os.Symlink(to, filepath.Join(h.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"room", "team/target"} {
		op := h.join(name, "op")
		op.take()
		if _, err := h.WriteDefinition(name, &Description{DisplayName: name}, h.etag(name)); err != nil {
			t.Fatal(err)
		}
		if got := one[GroupChanged](op); got.Status.DisplayName != name {
			t.Errorf("members of %s were told %+v", name, got.Status)
		}
		op.Leave()
	}
	link, err := os.Lstat(filepath.Join(h.dir, "room.json"))
	if err != nil || link.Mode().Type() != fs.ModeSymlink {
		t.Errorf("the link is %v, %v, want it to be one still", link, err)
	}
	info, err := os.Stat(target)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the target is %v, %v, want its mode kept", info, err)
	}
	if err := h.DeleteDefinition("room", AnyTag); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(target); err != nil {
		t.Errorf("the target went with the link: %v", err)
	}
}
