package token

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"
)

// settleTime is how long after its modification the file is looked into even
// though nothing seems to have changed: two writes of one size within the clock
// of the file system look the same.
const settleTime = 50 * time.Millisecond

// errChanged tells that somebody else has changed the file meanwhile.
var errChanged = errors.New("token: the file has changed")

// digest identifies the bytes of the file.
type digest [sha256.Size]byte

// tag tells versions of the file apart. The zero value is the tag of none.
type tag struct {
	known bool
	info  fs.FileInfo // nil if there was no file
	read  time.Time
}

// same reports whether the file that info describes, nil if there is none, is
// certainly the tagged one.
func (t tag) same(info fs.FileInfo) bool {
	if !t.known || t.info == nil || info == nil {
		return t.known && t.info == nil && info == nil
	}
	return t.info.Size() == info.Size() && t.info.ModTime().Equal(info.ModTime()) &&
		os.SameFile(t.info, info) && t.read.Sub(t.info.ModTime()).Abs() > settleTime
}

// stat describes the file; nil without an error if there is none.
func (s *Store) stat() (fs.FileInfo, error) {
	info, err := os.Stat(s.path) //nolint:gosec // the path is the administrator's
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return info, err
}

// look makes the contents in memory those of the file.
func (s *Store) look() error {
	info, err := s.stat()
	if err == nil {
		s.mu.RLock()
		same := s.current.tag.same(info)
		s.mu.RUnlock()
		if same {
			return nil
		}
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.refresh()
}

// change calls f with what the file says, again if f finds that the file has
// changed meanwhile. f may read the contents; only append and rewrite replace
// them.
func (s *Store) change(f func(c *contents) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	for range maxAttempts {
		if err := s.refresh(); err != nil {
			return err
		}
		if err := f(s.current); !errors.Is(err, errChanged) {
			return err
		}
	}
	return errChanged
}

// refresh is look for who holds writing. Only who does replaces s.current, so
// it may be read without the other lock.
func (s *Store) refresh() error {
	err := s.reread()
	switch {
	case err == nil:
		s.failed = ""
	case s.failed != err.Error():
		s.failed = err.Error()
		s.log.Error("tokens not read, nobody can use one", "error", err)
	}
	return err
}

func (s *Store) reread() error {
	info, err := s.stat()
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	if s.current.tag.same(info) {
		return nil
	}
	if info != nil && !info.Mode().IsRegular() { // it might block
		return fmt.Errorf("token: %s is not a regular file", s.path)
	}
	if info == nil {
		c := newContents(nil)
		c.tag = tag{known: true}
		s.replace(c)
		return nil
	}
	dir, err := s.openDirectory()
	if err != nil {
		return err
	}
	defer dir.Close()
	data, version, err := dir.read()
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	if sum := sha256.Sum256(data); s.current.tag.info != nil && s.current.digest == sum {
		s.mu.Lock()
		s.current.tag = version
		s.mu.Unlock()
		return nil
	}
	c := load(data)
	c.tag = version
	s.warn(c)
	s.replace(c)
	return nil
}

// load makes sense of the file's bytes.
func load(data []byte) *contents {
	entries, problems := parse(data)
	c := newContents(entries)
	c.problems = problems
	c.torn = len(data) > 0 && data[len(data)-1] != '\n'
	c.lines = 1 + bytes.Count(data, []byte{'\n'})
	c.digest = sha256.Sum256(data)
	return c
}

func (s *Store) replace(c *contents) {
	s.mu.Lock()
	s.current = c
	s.mu.Unlock()
}

// warn logs what is odd in a file that was read.
func (s *Store) warn(c *contents) {
	for _, p := range c.problems {
		s.log.Warn("tokens file: not understood, put aside", "file", s.path, "line", p.line, "error", p.err)
	}
	for _, e := range c.entries {
		if e.token.Expires == nil {
			s.log.Warn("tokens file: a token without expiry cannot be used", "file", s.path, "token", e.token)
		}
	}
	if info := c.tag.info; runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		s.log.Warn("tokens file: others than its owner have access", "file", s.path, "mode", info.Mode().String())
	}
}

// append adds e to the end of the file, on a line of its own.
func (s *Store) append(e entry) error {
	dir, err := s.makeDirectory()
	if err != nil {
		return err
	}
	defer dir.Close()
	file, err := dir.OpenFile(dir.name, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	defer file.Close()
	if s.beforeCommit != nil {
		s.beforeCommit()
	}
	data, before, err := readFile(file)
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	c := s.current
	created := c.tag.info == nil && len(data) == 0
	if !created && (c.tag.info == nil || sha256.Sum256(data) != c.digest) {
		return errChanged
	}

	line := append(bytes.Clone(e.line), '\n')
	if c.torn {
		line = append([]byte{'\n'}, line...)
	}
	if len(data)+len(line) > maxFileBytes {
		return ErrFull
	}
	if err := appendSynced(file, line, before.info.Size()); err != nil {
		s.distrust()
		return fmt.Errorf("token: %w", err)
	}
	if created {
		if err := dir.sync(); err != nil {
			s.distrust()
			return err
		}
	}
	return s.appended(dir, file, e, append(data, line...))
}

// appended takes note that e was added to the file, whose bytes ought to be
// data now. If the file is not in its place any more, e is lost.
func (s *Store) appended(dir *directory, file *os.File, e entry, data []byte) error {
	after, err := file.Stat()
	if err != nil {
		s.distrust()
		return fmt.Errorf("token: %w", err)
	}
	if named, err := dir.Stat(dir.name); err != nil || !os.SameFile(named, after) {
		s.distrust()
		return errChanged
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.add(e)
	s.current.torn = false
	s.current.digest = sha256.Sum256(data)
	s.current.tag = tag{known: after.Size() == int64(len(data)), info: after, read: time.Now()}
	return nil
}

// distrust makes sure that the file is read again.
func (s *Store) distrust() {
	s.mu.Lock()
	s.current.tag = tag{}
	s.mu.Unlock()
}

// appendSynced writes line at the end of file, whose size is given, and waits
// until it is on the disk. If it fails, it does its best to leave nothing.
func appendSynced(file *os.File, line []byte, size int64) error {
	n, err := file.Write(line)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		return nil
	}
	if info, fault := file.Stat(); fault == nil && info.Size() == size+int64(n) {
		err = errors.Join(err, file.Truncate(size))
	}
	return err
}

// rewrite makes entries the contents of the file; without any, the file is
// removed. What was not understood goes to another file.
func (s *Store) rewrite(entries []entry) error {
	dir, err := s.makeDirectory()
	if err != nil {
		return err
	}
	defer dir.Close()
	var data bytes.Buffer
	for _, e := range entries {
		data.Write(e.line)
		data.WriteByte('\n')
	}
	if data.Len() > maxFileBytes {
		return ErrFull
	}
	version, err := s.commit(dir, data.Bytes())
	if err != nil {
		return err
	}

	c := newContents(entries)
	c.digest = sha256.Sum256(data.Bytes())
	c.tag = version
	s.replace(c)
	return dir.sync()
}

// commit makes data the bytes of the file if the present ones are those that are
// known. Without data it removes the file.
func (s *Store) commit(dir *directory, data []byte) (version tag, err error) {
	var name string
	if len(data) > 0 {
		if name, err = dir.create(data); err != nil {
			return tag{}, fmt.Errorf("token: %w", err)
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, dir.Remove(name))
			}
		}()
	}
	if err := dir.setAside(s.current.problems); err != nil {
		return tag{}, fmt.Errorf("token: %w", err)
	}
	if s.beforeCommit != nil {
		s.beforeCommit()
	}
	if present, _, err := dir.read(); errors.Is(err, fs.ErrNotExist) {
		return tag{}, errChanged
	} else if err != nil {
		return tag{}, fmt.Errorf("token: %w", err)
	} else if sha256.Sum256(present) != s.current.digest {
		return tag{}, errChanged
	}
	return dir.exchange(name)
}

// removeLeftovers removes what was in the making when a process ended.
func (s *Store) removeLeftovers() error {
	dir, err := s.openDirectory()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	entries, err := fs.ReadDir(dir.FS(), ".")
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), dir.name+".") && strings.HasSuffix(e.Name(), temporary) {
			errs = append(errs, dir.Remove(e.Name()))
		}
	}
	return errors.Join(errs...)
}
