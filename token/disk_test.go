package token

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// line is a token as another program would write it.
func line(name string) string {
	return fmt.Sprintf(`{"token":%q,"group":"g","permissions":["op"],"expires":"2100-01-01T00:00:00Z"}`+"\n", name)
}

func TestEditsByHandAreHeeded(t *testing.T) {
	t.Parallel()
	s := newShelf(t, line("a"))
	has := func(want ...string) {
		t.Helper()
		for _, name := range []string{"a", "b", "c"} {
			_, err := s.Get(name)
			if want := slices.Contains(want, name); want && err != nil || !want && !errors.Is(err, ErrNotExist) {
				t.Errorf("Get(%s) = %v; want %v to be there", name, err, want)
			}
		}
	}
	has("a")
	s.write(line("b")) // same size, perhaps the same time
	has("b")
	s.write(line("b") + line("c"))
	has("b", "c")
	if err := os.Remove(s.path); err != nil {
		t.Fatal(err)
	}
	has()
	replacement := s.path + ".new"
	if err := os.WriteFile(replacement, []byte(line("a")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(replacement, s.path); err != nil {
		t.Fatal(err)
	}
	has("a")
}

func TestAFileThatCannotBeReadStopsEverything(t *testing.T) {
	t.Parallel()
	s := newShelf(t, line("a"))
	if err := os.Remove(s.path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.path, 0o700); err != nil {
		t.Fatal(err)
	}
	token := &Token{Token: "b", Group: "g", Expires: in(time.Hour)}
	operations := map[string]func() error{
		"Get":    func() error { _, err := s.Get("a"); return err },
		"List":   func() error { _, err := s.List("g"); return err },
		"Groups": func() error { _, err := s.Groups(); return err },
		"Add":    func() error { _, err := s.Add(token); return err },
		"Update": func() error { _, err := s.Update(token, AnyTag); return err },
		"Delete": func() error { return s.Delete("a", AnyTag) },
		"Expire": func() error { return s.Expire(time.Now()) },
	}
	for name, do := range operations {
		if err := do(); err == nil || errors.Is(err, ErrNotExist) {
			t.Errorf("%s = %v, want that the file cannot be read", name, err)
		}
	}
	if got := strings.Count(s.log.String(), "tokens not read"); got != 1 {
		t.Errorf("the fault was logged %d times, want once; log:\n%s", got, s.log)
	}
	if err := os.Remove(s.path); err != nil {
		t.Fatal(err)
	}
	s.write(line("a"))
	if _, err := s.Get("a"); err != nil {
		t.Errorf("once it is mended: Get = %v", err)
	}
}

// Wherever a crash cuts the file, each whole line survives, and what is stored
// later does too.
func TestATornFileLosesTheTornLineOnly(t *testing.T) {
	t.Parallel()
	whole := line("a") + line("b")
	for cut := 0; cut <= len(whole); cut++ {
		if left := (len(whole) - cut) % len(line("a")); left > 3 && left%11 != 0 {
			continue // much the same as the others
		}
		s := newShelf(t, whole[:cut])
		if _, problems := parse([]byte(s.read())); problems != nil {
			t.Errorf("cut at %d: the file still has a torn line", cut)
		}
		want := []string{}
		for _, name := range []string{"a", "b"} {
			if strings.Contains(whole[:cut], strings.TrimSuffix(line(name), "\n")) {
				want = append(want, name)
			}
		}
		s.add(&Token{Token: "c", Group: "g", Expires: in(time.Hour)})
		want = append(want, "c")
		for range 2 { // as it stands in memory, and as it stands in the file
			var got []string
			list, err := s.List("g")
			if err != nil {
				t.Fatal(err)
			}
			for _, token := range list {
				got = append(got, token.Token)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("cut at %d: tokens are %v, want %v", cut, got, want)
			}
			s.open()
		}
	}
}

func TestWhatIsNotUnderstoodIsReportedAndPutAside(t *testing.T) {
	t.Parallel()
	const torn = `{"token":"verysecret","group":"g","perm`
	const wrong = `{"token":"verysecret","group":"g","permissions":"op"}`
	const extra = `{"token":"x","group":"g","permissions":[],"expires":"2100-01-01T00:00:00Z","note":"keep me"}`
	s := newShelf(t, line("a")+torn+"\n"+wrong+"\n"+extra+"\n")
	log := s.log.String()
	if strings.Contains(log, "verysecret") {
		t.Errorf("the log has the secret:\n%s", log)
	}
	for _, want := range []string{"line=2", "line=3", "permissions"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	if err := s.Delete("a", AnyTag); err != nil {
		t.Fatal(err)
	}
	if got := s.read(); got != extra+"\n" {
		t.Errorf("file = %q, want the other token as it was", got)
	}
	aside, err := os.ReadFile(s.path + rejected)
	if err != nil || string(aside) != torn+"\n"+wrong+"\n" {
		t.Errorf("put aside = %q, %v", aside, err)
	}
	if info, err := os.Stat(s.path + rejected); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode of what is put aside: %v, %v, want 0600", info.Mode(), err)
	}
}

func TestLeftoversOfACrashAreRemoved(t *testing.T) {
	t.Parallel()
	s := newShelf(t, line("a"))
	directory := filepath.Dir(s.path)
	for _, name := range []string{"tokens.jsonl.abc.temp", "tokens.jsonl.bak", "other.temp"} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.open()
	entries, err := os.ReadDir(directory)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"other.temp", "tokens.jsonl", "tokens.jsonl.bak"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("directory has %v, %v, want %v", names, err, want)
	}
}

// Somebody else's change that comes in just before ours is not lost, nor is
// ours.
func TestSimultaneousEditsAreBothKept(t *testing.T) {
	t.Parallel()
	rename := func(s *shelf, text string) {
		temporary := s.path + ".edited"
		if err := os.WriteFile(temporary, []byte(text), 0o600); err != nil {
			t.Error(err)
		}
		if err := os.Rename(temporary, s.path); err != nil {
			t.Error(err)
		}
	}
	edits := map[string]func(s *shelf){
		"append": func(s *shelf) {
			f, err := os.OpenFile(s.path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if _, err := f.WriteString(line("new")); err != nil {
				t.Error(err)
			}
		},
		"rewrite": func(s *shelf) { rename(s, s.read()+line("new")) },
		"replace": func(s *shelf) { rename(s, strings.Replace(s.read(), "keep", "more", 1)+line("new")) },
	}
	operations := map[string]struct {
		do   func(s *shelf) error
		want func(s *shelf) error // nil if it was done
	}{
		"add": {
			func(s *shelf) error {
				_, err := s.Add(&Token{Token: "added", Group: "g", Expires: in(time.Hour)})
				return err
			},
			func(s *shelf) error { _, err := s.Get("added"); return err },
		},
		"update": {
			func(s *shelf) error {
				_, err := s.Update(&Token{Token: "a", Group: "g", Username: new("u"), Expires: in(time.Hour)}, AnyTag)
				return err
			},
			func(s *shelf) error {
				token, err := s.Get("a")
				if err == nil && token.Username == nil {
					err = errors.New("not updated")
				}
				return err
			},
		},
		"delete": {
			func(s *shelf) error { return s.Delete("a", AnyTag) },
			func(s *shelf) error {
				if _, err := s.Get("a"); !errors.Is(err, ErrNotExist) {
					return errors.New("not deleted")
				}
				return nil
			},
		},
	}
	for edit, change := range edits {
		for name, operation := range operations {
			t.Run(edit+" and "+name, func(t *testing.T) {
				t.Parallel()
				s := newShelf(t, line("a")+line("keep"))
				edited := false
				s.beforeCommit = func() {
					if !edited {
						edited = true
						change(s)
					}
				}
				if err := operation.do(s); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if err := operation.want(s); err != nil {
						t.Error(err)
					}
					if _, err := s.Get("new"); err != nil {
						t.Errorf("the other change is lost: %v", err)
					}
					s.open()
				}
				if leftovers, err := filepath.Glob(s.path + ".*" + temporary); err != nil || leftovers != nil {
					t.Errorf("left behind: %v, %v", leftovers, err)
				}
			})
		}
	}
}

func TestAnEditThatNeverEndsIsGivenUp(t *testing.T) {
	t.Parallel()
	s := newShelf(t, line("a"))
	n := 0
	s.beforeCommit = func() { n++; s.write(line(fmt.Sprint(n))) }
	if _, err := s.Add(&Token{Group: "g", Expires: in(time.Hour)}); !errors.Is(err, errChanged) || n != maxAttempts {
		t.Errorf("Add = %v after %d attempts, want errChanged after %d", err, n, maxAttempts)
	}
}

func TestWritingThroughALinkKeepsTheLink(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "")
	target := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.WriteFile(target, []byte(line("a")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, s.path); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	s.add(&Token{Token: "b", Group: "g", Expires: in(time.Hour)})
	if err := s.Delete("a", AnyTag); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(s.path); err != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link is %v, %v now", info.Mode(), err)
	}
	if data, err := os.ReadFile(target); err != nil || !strings.Contains(string(data), `"b"`) || strings.Contains(string(data), `"a"`) {
		t.Errorf("the file linked to = %q, %v", data, err)
	}
}

func TestAFileForAllToReadIsReported(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no modes there")
	}
	s := newShelf(t, line("a"))
	if s.log.String() != "" {
		t.Errorf("log of a good file:\n%s", s.log)
	}
	if err := os.Chmod(s.path, 0o644); err != nil {
		t.Fatal(err)
	}
	s.open()
	if !strings.Contains(s.log.String(), "others than its owner") {
		t.Errorf("log:\n%s", s.log)
	}
	s.add(&Token{Token: "b", Group: "g", Expires: in(time.Hour)})
	if err := s.Delete("a", AnyTag); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(s.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode after a change = %v, %v, want 0600", info.Mode(), err)
	}
}

func TestOpenNeedsAFileName(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "x/"} {
		if _, err := Open(path, nil); err == nil {
			t.Errorf("Open(%q) succeeded", path)
		}
	}
}
