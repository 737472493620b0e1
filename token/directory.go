package token

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

const (
	temporary = ".temp"     // ends the names of files in the making
	rejected  = ".rejected" // is added to the file's name for what was not understood
)

// directory is the one that holds the file, whose name in it is name.
type directory struct {
	*os.Root
	name string
}

// openDirectory opens the directory of the file, or of what it links to: a
// link is only ever made by the administrator.
func (s *Store) openDirectory() (*directory, error) {
	path := s.path
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	return &directory{root, filepath.Base(path)}, nil
}

// makeDirectory is openDirectory, but makes the directory if there is none.
func (s *Store) makeDirectory() (*directory, error) {
	dir, err := s.openDirectory()
	if !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil { //nolint:gosec // the path is the administrator's
		return nil, fmt.Errorf("token: %w", err)
	}
	if above, err := os.OpenRoot(filepath.Dir(filepath.Dir(s.path))); err == nil {
		err = errors.Join((&directory{above, ""}).sync(), above.Close())
		if err != nil {
			return nil, err
		}
	}
	return s.openDirectory()
}

// read returns the file's bytes.
func (d *directory) read() ([]byte, tag, error) {
	file, err := d.Open(d.name)
	if err != nil {
		return nil, tag{}, err
	}
	defer file.Close()
	return readFile(file)
}

// readFile returns the bytes of an open file from its beginning. It refuses
// what is not a regular file, and what is too large.
func readFile(file *os.File) ([]byte, tag, error) {
	read := time.Now()
	info, err := file.Stat()
	if err != nil {
		return nil, tag{}, err
	}
	if !info.Mode().IsRegular() {
		return nil, tag{}, fmt.Errorf("%s: not a regular file", file.Name())
	}
	data, err := io.ReadAll(io.NewSectionReader(file, 0, maxFileBytes+1))
	if err != nil {
		return nil, tag{}, err
	}
	if len(data) > maxFileBytes {
		return nil, tag{}, fmt.Errorf("%s: larger than %d bytes", file.Name(), maxFileBytes)
	}
	return data, tag{known: int64(len(data)) == info.Size(), info: info, read: read}, nil
}

// create writes data to a new file that only its owner can read, and waits until
// it is on the disk.
func (d *directory) create(data []byte) (name string, err error) {
	random := make([]byte, 9)
	_, _ = rand.Read(random) // it never fails
	name = d.name + "." + base64.RawURLEncoding.EncodeToString(random) + temporary
	file, err := d.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, d.Remove(name))
	}
	return name, nil
}

// setAside keeps what was not understood, since it is about to vanish from the
// file.
func (d *directory) setAside(problems []problem) error {
	if len(problems) == 0 {
		return nil
	}
	file, err := d.OpenFile(d.name+rejected, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	for _, p := range problems {
		if _, fault := file.Write(append(bytes.Clone(p.text), '\n')); fault != nil {
			err = errors.Join(err, fault)
		}
	}
	return errors.Join(err, file.Sync(), file.Close())
}

// exchange puts the file called name in the place of the directory's own; if the
// name is empty, that is removed.
func (d *directory) exchange(name string) (tag, error) {
	if name == "" {
		if err := d.Remove(d.name); err != nil {
			return tag{}, fmt.Errorf("token: %w", err)
		}
		return tag{known: true}, nil
	}
	if err := d.Rename(name, d.name); err != nil {
		return tag{}, fmt.Errorf("token: %w", err)
	}
	info, err := d.Stat(d.name)
	return tag{known: err == nil, info: info, read: time.Now()}, nil // if unknown, it is read again
}

// sync waits until the names in the directory are on the disk. Windows does
// that by itself.
func (d *directory) sync() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	file, err := d.Open(".")
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	if err = errors.Join(file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("token: sync directory: %w", err)
	}
	return nil
}
