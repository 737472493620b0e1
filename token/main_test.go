package token

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"galene/internal/testlog"
)

func TestMain(m *testing.M) {
	if directory := os.Getenv(crashVariable); directory != "" {
		crash(directory)
	}
	os.Exit(m.Run())
}

// shelf is a store with a file of its own, and what it logs.
type shelf struct {
	*Store
	tb   testing.TB
	path string
	log  *testlog.Journal
}

// newShelf makes a store whose file says text; without text there is no file.
func newShelf(tb testing.TB, text string) *shelf {
	tb.Helper()
	s := &shelf{tb: tb, path: filepath.Join(tb.TempDir(), "var", "tokens.jsonl")}
	if text != "" {
		s.write(text)
	}
	s.open()
	return s
}

// open opens the store anew, as after a start of the server.
func (s *shelf) open() {
	s.tb.Helper()
	s.log = new(testlog.Journal)
	store, err := Open(s.path, s.log.Logger())
	if err != nil {
		s.tb.Fatal(err)
	}
	s.Store = store
}

// write edits the file by hand.
func (s *shelf) write(text string) {
	s.tb.Helper()
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		s.tb.Fatal(err)
	}
	if err := os.WriteFile(s.path, []byte(text), 0o600); err != nil {
		s.tb.Fatal(err)
	}
}

// read returns the file's text; empty if there is no file.
func (s *shelf) read() string {
	s.tb.Helper()
	data, err := os.ReadFile(s.path)
	if err != nil && !os.IsNotExist(err) {
		s.tb.Fatal(err)
	}
	return string(data)
}

func (s *shelf) add(t *Token) *Token {
	s.tb.Helper()
	added, err := s.Add(t)
	if err != nil {
		s.tb.Fatalf("Add(%v) = %v", t, err)
	}
	return added
}

// names lists the names in the file, as another program would read it.
func (s *shelf) names() []string {
	s.tb.Helper()
	names := []string{}
	for line := range strings.Lines(s.read()) {
		var t Token
		if err := json.Unmarshal([]byte(line), &t); err != nil {
			s.tb.Fatalf("line %q: %v", line, err)
		}
		names = append(names, t.Token)
	}
	return names
}

// in is the time so much from now.
func in(d time.Duration) *time.Time { return new(time.Now().Add(d).UTC()) }

// fixed is a time that tests compare with.
var fixed = time.Date(2030, time.May, 6, 7, 8, 9, 123456789, time.UTC)
