package token

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// pruneInterval is how often Run prunes, and keepExpired how long a token
	// is kept after it has expired.
	pruneInterval = 15 * time.Minute
	keepExpired   = 7 * 24 * time.Hour

	// Bounds of how many tokens there can be.
	maxTokens      = 1 << 16
	maxGroupTokens = 1 << 12

	// maxAttempts bounds how often an operation is tried again because
	// somebody else changes the file at the same time.
	maxAttempts = 10
)

// AnyTag stands, instead of an entity tag, for whatever the present one is.
const AnyTag = "*"

var (
	// ErrNotExist is returned for a token that the store does not hold.
	ErrNotExist = errors.New("token: no such token")
	// ErrExists is returned when a new token has the name of another one.
	ErrExists = errors.New("token: token exists")
	// ErrTagMismatch is returned when a token is not as the caller thinks.
	ErrTagMismatch = errors.New("token: token has changed")
	// ErrOtherGroup is returned when an update would move a token to another
	// group.
	ErrOtherGroup = errors.New("token: token is for another group")
	// ErrFull is returned when there are too many tokens, of the group or
	// altogether.
	ErrFull = errors.New("token: too many tokens")
)

// Store holds the tokens of one file. Its methods may be called from any
// goroutine; all of them but Run fail if the file cannot be read. They wait for
// the disk, so they must not be called under a lock.
type Store struct {
	// Immutable.
	path string
	log  *slog.Logger
	// beforeCommit is called when a change is ready, just before it is seen
	// whether the file is still the same; nil but in tests.
	beforeCommit func()

	writing sync.Mutex // held while the file is read or written; guards failed
	failed  string     // the error that was logged last; empty if all is well

	mu      sync.RWMutex // guards the fields below; taken after writing, never for long
	current *contents    // as of current.tag
}

// contents are what the file says. What is in the store is guarded by its lock.
type contents struct {
	entries  []entry
	index    map[key]int // of entries
	problems []problem
	torn     bool // the last line has no end
	lines    int  // number of the last line
	tag      tag
	digest   digest // of the file's bytes
}

// key finds a token. It is a digest of the name, so that looking for a name
// takes the same time however much of it is right.
type key [sha256.Size]byte

func keyOf(name string) key { return sha256.Sum256([]byte(name)) }

// Open returns the store of the file at path, which need not exist: the file and
// its directory are made when they are needed. What a crash has left beside it
// is removed, and a torn last line is put aside. A file that cannot be read is logged; the store's operations fail
// until that is mended. With a nil log, nothing is logged.
func Open(path string, log *slog.Logger) (*Store, error) {
	if path == "" || strings.HasSuffix(path, "/") {
		return nil, fmt.Errorf("token: %q is not the name of a file", path)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Store{path: path, log: log, current: newContents(nil)}
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.removeLeftovers(); err != nil {
		log.Warn("leftovers of the tokens file not removed", "file", path, "error", err)
	}
	if s.refresh() == nil { // otherwise it is logged
		s.repair()
	}
	return s, nil
}

// repair takes the last line out of the file if a crash has torn it, so that
// programs which are less forgiving can read the file. Nobody was told that what
// it was about to say is stored.
func (s *Store) repair() {
	c := s.current
	if n := len(c.problems); !c.torn || n == 0 || c.problems[n-1].line != c.lines {
		return
	}
	if err := s.rewrite(c.entries); err != nil {
		s.log.Warn("tokens file: torn line not removed", "file", s.path, "error", err)
	}
}

// Get returns the token called name, or [ErrNotExist].
func (s *Store) Get(name string) (*Token, error) {
	if err := s.look(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, ok := s.current.index[keyOf(name)]
	if !ok {
		return nil, ErrNotExist
	}
	return s.current.entries[i].token.Clone(), nil
}

// List returns the tokens for exactly this group, or for the server if it is
// empty: first those without expiry, then by expiry. It is never nil.
func (s *Store) List(group string) ([]*Token, error) {
	if err := s.look(); err != nil {
		return nil, err
	}
	tokens := []*Token{}
	s.mu.RLock()
	for _, e := range s.current.entries {
		if e.token.Group == group {
			tokens = append(tokens, e.token)
		}
	}
	s.mu.RUnlock()
	for i, t := range tokens {
		tokens[i] = t.Clone()
	}
	slices.SortStableFunc(tokens, func(a, b *Token) int {
		switch {
		case a.Expires != nil && b.Expires != nil:
			return a.Expires.Compare(*b.Expires)
		case a.Expires == nil && b.Expires != nil:
			return -1
		case a.Expires != nil:
			return 1
		default:
			return 0
		}
	})
	return tokens, nil
}

// Groups lists the groups that there are tokens for, sorted; the empty one is the
// server.
func (s *Store) Groups() ([]string, error) {
	if err := s.look(); err != nil {
		return nil, err
	}
	groups := make(map[string]struct{})
	s.mu.RLock()
	for _, e := range s.current.entries {
		groups[e.token.Group] = struct{}{}
	}
	s.mu.RUnlock()
	return slices.Sorted(maps.Keys(groups)), nil
}

// Add stores a new token and returns it as it is stored. If t has no name it
// gets one that nobody can guess, otherwise [ErrExists] tells that the name is
// taken. It returns [ErrFull], and an error that wraps [ErrInvalid].
func (s *Store) Add(t *Token) (*Token, error) {
	added, line, err := prepare(t)
	if err != nil {
		return nil, err
	}
	err = s.change(func(c *contents) error {
		if _, ok := c.index[keyOf(added.Token)]; ok {
			return ErrExists
		}
		if !c.room(added.Group) {
			return ErrFull
		}
		return s.append(entry{added, line})
	})
	if err != nil {
		return nil, err
	}
	return added.Clone(), nil
}

// Update replaces the token of t's name, if etag is its [Token.ETag] or
// [AnyTag], and returns it as it is stored. With an empty etag the token must
// not exist, and is added.
//
// The error is [ErrNotExist], [ErrTagMismatch], [ErrOtherGroup], [ErrFull], or
// wraps [ErrInvalid].
func (s *Store) Update(t *Token, etag string) (*Token, error) {
	if t.Token == "" {
		return nil, invalid("token", "no name")
	}
	if etag == "" {
		added, err := s.Add(t)
		if errors.Is(err, ErrExists) {
			return nil, ErrTagMismatch
		}
		return added, err
	}
	updated, line, err := prepare(t)
	if err != nil {
		return nil, err
	}
	err = s.change(func(c *contents) error {
		i, err := c.find(updated.Token, etag)
		if err != nil {
			return err
		}
		if c.entries[i].token.Group != updated.Group {
			return ErrOtherGroup
		}
		entries := slices.Clone(c.entries)
		entries[i] = entry{updated, line}
		return s.rewrite(entries)
	})
	if err != nil {
		return nil, err
	}
	return updated.Clone(), nil
}

// Delete removes the token called name if etag is its [Token.ETag] or [AnyTag].
// The error is [ErrNotExist] or [ErrTagMismatch].
func (s *Store) Delete(name, etag string) error {
	return s.change(func(c *contents) error {
		i, err := c.find(name, etag)
		if err != nil {
			return err
		}
		return s.rewrite(slices.Delete(slices.Clone(c.entries), i, i+1))
	})
}

// Remove removes the tokens that match, and tells how many. It calls match under
// a lock: match must be a plain function of the token, which it must not keep.
func (s *Store) Remove(match func(*Token) bool) (int, error) {
	var removed int
	err := s.change(func(c *contents) error {
		entries := slices.DeleteFunc(slices.Clone(c.entries), func(e entry) bool { return match(e.token) })
		if removed = len(c.entries) - len(entries); removed == 0 {
			return nil
		}
		return s.rewrite(entries)
	})
	if err != nil {
		return 0, err
	}
	return removed, nil
}

// Expire removes the tokens that expired more than seven days before now, and
// those without expiry that were not issued since then.
func (s *Store) Expire(now time.Time) error {
	n, err := s.Remove(func(t *Token) bool { return expired(t, now, keepExpired) })
	if n > 0 {
		s.log.Info("expired tokens removed", "file", s.path, "count", n)
	}
	return err
}

// Run prunes the tokens now and then until ctx ends.
func (s *Store) Run(ctx context.Context) {
	ticker := time.NewTicker(pruneInterval)
	defer ticker.Stop()
	for {
		if err := s.Expire(time.Now()); err != nil {
			s.log.Warn("expired tokens not removed", "file", s.path, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// prepare returns a copy of t that can be stored, with a name, and its line.
func prepare(t *Token) (*Token, []byte, error) {
	t = t.Clone()
	t.normalise()
	if t.Token == "" {
		t.Token = newName()
	}
	if err := t.Validate(); err != nil {
		return nil, nil, err
	}
	line, err := t.encode()
	return t, line, err
}

func newContents(entries []entry) *contents {
	c := &contents{entries: make([]entry, 0, len(entries)), index: make(map[key]int, len(entries))}
	for _, e := range entries {
		c.add(e)
	}
	return c
}

// add adds e, or puts it in the place of the entry of the same name.
func (c *contents) add(e entry) {
	name := keyOf(e.token.Token)
	if i, ok := c.index[name]; ok {
		c.entries[i] = e
		return
	}
	c.index[name] = len(c.entries)
	c.entries = append(c.entries, e)
}

// find returns the index of the entry called name, which etag has to be for.
func (c *contents) find(name, etag string) (int, error) {
	i, ok := c.index[keyOf(name)]
	if !ok {
		return 0, ErrNotExist
	}
	if etag != AnyTag && etag != c.entries[i].token.ETag() {
		return 0, ErrTagMismatch
	}
	return i, nil
}

// room reports whether there can be one more token for group.
func (c *contents) room(group string) bool {
	count := 0
	for _, e := range c.entries {
		if e.token.Group == group {
			count++
		}
	}
	return len(c.entries) < maxTokens && count < maxGroupTokens
}
