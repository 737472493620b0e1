package token

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestStoreMakesItsFileWhenNeeded(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "")
	if _, err := os.Stat(filepath.Dir(s.path)); !os.IsNotExist(err) {
		t.Fatalf("directory made too early: %v", err)
	}
	if got, err := s.List("g"); err != nil || got == nil || len(got) != 0 {
		t.Errorf("List without a file = %v, %v, want nothing", got, err)
	}
	if err := s.Expire(time.Now()); err != nil {
		t.Errorf("Expire without a file = %v", err)
	}
	first := s.add(&Token{Group: "g", Permissions: []string{"op"}, Expires: in(time.Hour)})
	second := s.add(&Token{Group: "g", Expires: in(time.Hour)})
	for name, want := range map[string]os.FileMode{filepath.Dir(s.path): 0o700, s.path: 0o600} {
		info, err := os.Stat(name)
		if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != want {
			t.Errorf("mode of %s = %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
	if got := s.names(); !slices.Equal(got, []string{first.Token, second.Token}) {
		t.Errorf("file has %v, want a line each", got)
	}
	if err := s.Delete(first.Token, first.ETag()); err != nil {
		t.Fatal(err)
	}
	if got := s.names(); !slices.Equal(got, []string{second.Token}) {
		t.Errorf("file has %v, want the second token", got)
	}
	if err := s.Delete(second.Token, AnyTag); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.path); !os.IsNotExist(err) {
		t.Errorf("file without tokens: %v, want it removed", err)
	}
	s.add(&Token{Group: "g", Expires: in(time.Hour)})
	if len(s.names()) != 1 {
		t.Error("no token after the file was removed and made again")
	}
}

func TestNewNamesCannotBeGuessed(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "")
	seen := make(map[string]bool)
	for range 20 {
		name := s.add(&Token{Group: "g", Expires: in(time.Hour)}).Token
		if b, err := base64.RawURLEncoding.DecodeString(name); err != nil || len(b) != 16 || seen[name] {
			t.Errorf("name %q, want 128 new bits in base64url", name)
		}
		seen[name] = true
	}
}

func TestUpdateAndDeleteNeedTheTag(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "")
	token := s.add(&Token{Token: "t", Group: "g", Expires: &fixed})
	other := s.add(&Token{Token: "o", Group: "g", Expires: &fixed})
	edited := token.Clone()
	edited.Permissions = []string{"present"}
	moved := token.Clone()
	moved.Group = "h"
	tests := []struct {
		name string
		do   func() error
		want error
	}{
		{"add a taken name", func() error { _, err := s.Add(token); return err }, ErrExists},
		{"update of nothing", func() error { _, err := s.Update(&Token{Token: "x", Expires: &fixed}, AnyTag); return err }, ErrNotExist},
		{"update without a name", func() error { _, err := s.Update(&Token{Expires: &fixed}, ""); return err }, ErrInvalid},
		{"update without expiry", func() error { _, err := s.Update(&Token{Token: "t", Group: "g"}, AnyTag); return err }, ErrInvalid},
		{"update with another's tag", func() error { _, err := s.Update(edited, other.ETag()); return err }, ErrTagMismatch},
		{"create what exists", func() error { _, err := s.Update(edited, ""); return err }, ErrTagMismatch},
		{"move", func() error { _, err := s.Update(moved, token.ETag()); return err }, ErrOtherGroup},
		{"delete nothing", func() error { return s.Delete("x", AnyTag) }, ErrNotExist},
		{"delete with another's tag", func() error { return s.Delete("t", other.ETag()) }, ErrTagMismatch},
		{"delete without a tag", func() error { return s.Delete("t", "") }, ErrTagMismatch},
		{"update", func() error { _, err := s.Update(edited, token.ETag()); return err }, nil},
		{"update with the old tag", func() error { _, err := s.Update(edited, token.ETag()); return err }, ErrTagMismatch},
		{"the other's tag is still good", func() error { _, err := s.Update(other, other.ETag()); return err }, nil},
		{"create", func() error { _, err := s.Update(&Token{Token: "new", Expires: &fixed}, ""); return err }, nil},
		{"delete", func() error { return s.Delete("t", edited.ETag()) }, nil},
	}
	for _, tt := range tests {
		if err := tt.do(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if got := s.names(); !slices.Equal(got, []string{"o", "new"}) {
		t.Errorf("file has %v, want o and new", got)
	}
}

func TestStoredTokensDoNotGiveSystem(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "")
	given := &Token{Group: "g", Expires: &fixed, Permissions: []string{"op", "system", "present"}}
	token := s.add(given)
	if want := []string{"op", "present"}; !slices.Equal(token.Permissions, want) {
		t.Errorf("Permissions = %v, want %v", token.Permissions, want)
	}
	if len(given.Permissions) != 3 {
		t.Error("the argument has changed")
	}
}

func TestWhatTheStoreReturnsIsTheCallers(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "")
	given := &Token{Token: "t", Group: "g", Expires: in(time.Hour), Permissions: []string{"op"}, Username: new("u")}
	tokens := []*Token{given, s.add(given)}
	got, err := s.Get("t")
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.List("g")
	if err != nil {
		t.Fatal(err)
	}
	tag := got.ETag()
	for _, token := range append(tokens, got, list[0]) {
		token.Permissions[0], *token.Username, *token.Expires = "admin", "root", fixed
	}
	if got, err = s.Get("t"); err != nil || got.ETag() != tag {
		t.Errorf("Get = %v, %v, want what was stored", got, err)
	}
}

func TestListIsOfOneGroupAndSorted(t *testing.T) {
	t.Parallel()
	s := newShelf(t, `{"token":"late","group":"g","permissions":[],"expires":"2031-01-01T00:00:00Z"}
		{"token":"never","group":"g","permissions":[]}
		{"token":"early","group":"g","permissions":[],"expires":"2030-01-01T00:00:00+01:00"}
		{"token":"sub","group":"g/h","permissions":[],"expires":"2030-01-01T00:00:00Z"}
		{"token":"global","group":"","includeSubgroups":true,"permissions":[],"expires":"2030-01-01T00:00:00Z"}
		{"token":"middle","group":"g","permissions":[],"expires":"2030-01-01T00:00:00Z"}`)
	for group, want := range map[string][]string{
		"g": {"never", "early", "middle", "late"}, "g/h": {"sub"}, "": {"global"}, "h": {},
	} {
		tokens, err := s.List(group)
		names := []string{}
		for _, token := range tokens {
			names = append(names, token.Token)
		}
		if err != nil || !slices.Equal(names, want) {
			t.Errorf("List(%q) = %v, %v, want %v", group, names, err, want)
		}
	}
	if got, err := s.Groups(); err != nil || !slices.Equal(got, []string{"", "g", "g/h"}) {
		t.Errorf("Groups() = %q, %v", got, err)
	}
}

func TestLaterLinesWin(t *testing.T) {
	t.Parallel()
	s := newShelf(t, `{"token":"t","group":"g","permissions":["op"],"expires":"2030-01-01T00:00:00Z"}
{"token":"t","group":"g","permissions":["present"],"expires":"2030-01-01T00:00:00Z"}
`)
	if got, err := s.Get("t"); err != nil || !slices.Equal(got.Permissions, []string{"present"}) {
		t.Errorf("Get = %v, %v, want the later one", got, err)
	}
	if list, err := s.List("g"); err != nil || len(list) != 1 {
		t.Errorf("List = %v, %v, want one", list, err)
	}
}

func TestPruningRemovesWhatIsLongOfNoUse(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "")
	const week = 7 * 24 * time.Hour
	for name, age := range map[string]time.Duration{"old": week + time.Hour, "expired": week - time.Hour, "good": -time.Hour} {
		s.add(&Token{Token: name, Group: "g", Expires: in(-age)})
	}
	text := s.read() + `{"token":"endless","group":"g","permissions":[]}` + "\n" +
		`{"token":"endless and new","group":"g","permissions":[],"issuedAt":"` +
		time.Now().Format(time.RFC3339) + `"}` + "\n"
	s.write(text)
	if err := s.Expire(time.Now()); err != nil {
		t.Fatal(err)
	}
	got := s.names()
	slices.Sort(got)
	if want := []string{"endless and new", "expired", "good"}; !slices.Equal(got, want) {
		t.Errorf("left are %v, want %v", got, want)
	}
	before, err := os.Stat(s.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Expire(time.Now()); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(s.path); err != nil || !os.SameFile(before, after) {
		t.Errorf("pruning nothing has written the file anew: %v", err)
	}
}

func TestRunPrunesEveryQuarterOfAnHour(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(filepath.Join(directory, "tokens.jsonl"), nil)
		if err != nil {
			t.Fatal(err)
		}
		expires := time.Now().Add(10*time.Minute - keepExpired)
		if _, err := s.Add(&Token{Token: "t", Group: "g", Expires: &expires}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.Run(ctx)
		synctest.Wait()
		if _, err := s.Get("t"); err != nil {
			t.Errorf("at the start: Get = %v, want the token", err)
		}
		time.Sleep(pruneInterval)
		synctest.Wait()
		if _, err := s.Get("t"); !errors.Is(err, ErrNotExist) {
			t.Errorf("after a quarter of an hour: Get = %v, want ErrNotExist", err)
		}
	})
}

func TestTokensAreBounded(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range maxGroupTokens {
		fmt.Fprintf(&text, `{"token":"%d","group":"g","permissions":[],"expires":"2100-01-01T00:00:00Z"}`+"\n", i)
	}
	s := newShelf(t, text.String())
	if _, err := s.Add(&Token{Group: "g", Expires: in(time.Hour)}); !errors.Is(err, ErrFull) {
		t.Errorf("one more token: %v, want ErrFull", err)
	}
	s.add(&Token{Group: "other", Expires: in(time.Hour)})
}

func TestStoreServesManyAtOnce(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "")
	const workers, tokens = 4, 8
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			group := fmt.Sprint(w)
			for range tokens {
				token, err := s.Add(&Token{Group: group, Expires: in(time.Hour)})
				if err != nil {
					t.Error(err)
					return
				}
				token.Permissions = []string{"op"}
				if _, err := s.Update(token, AnyTag); err != nil {
					t.Error(err)
				}
				if got, err := s.Get(token.Token); err != nil || len(got.Permissions) != 1 {
					t.Errorf("Get = %v, %v, want what was stored", got, err)
				}
			}
			if err := s.Expire(time.Now()); err != nil {
				t.Error(err)
			}
			if list, err := s.List(group); err != nil || len(list) != tokens {
				t.Errorf("List = %d tokens, %v, want %d", len(list), err, tokens)
			}
		})
	}
	wg.Wait()
	if got := len(s.names()); got != workers*tokens {
		t.Errorf("file has %d tokens, want %d", got, workers*tokens)
	}
}

func BenchmarkGet(b *testing.B) {
	s := newShelf(b, "")
	s.add(&Token{Token: "t", Group: "g", Expires: in(time.Hour)})
	time.Sleep(2 * settleTime) // the file is not looked into any more
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Get("t"); err != nil {
			b.Fatal(err)
		}
	}
}
