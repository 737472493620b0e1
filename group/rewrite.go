package group

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"galene/config"
)

// modifyAttempts bounds how often a change is made anew because somebody has
// edited the file meanwhile.
const modifyAttempts = 3

// mayWrite tells why the definition of the group called name cannot be changed.
func (r *Registry) mayWrite(name string) error {
	if !ValidName(name) {
		return ErrInvalidName
	}
	if !r.settings().WritableGroups || r.library.path == "" {
		return ErrNotWritable
	}
	return nil
}

// modify writes what change makes of the definition of the group called name,
// which is nil if there is none. If the file changes meanwhile, and again is
// set, change is called again.
func (r *Registry) modify(name string, change func(old *Description) (*Description, error), again bool) error {
	if err := r.mayWrite(name); err != nil {
		return err
	}
	r.writing.Lock()
	err := r.modifyOnce(name, change)
	for i := 1; again && i < modifyAttempts && errors.Is(err, ErrTagMismatch); i++ {
		err = r.modifyOnce(name, change)
	}
	r.writing.Unlock()
	if err == nil {
		r.apply(name)
	}
	return err
}

func (r *Registry) modifyOnce(name string, change func(old *Description) (*Description, error)) error {
	v, err := r.readVolume(name)
	var old *Description
	switch {
	case errors.Is(err, errMisspelt):
		return fmt.Errorf("%w: %w", ErrInvalidName, err)
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return err
	case v.err != nil:
		return v.err
	default:
		old = v.own
	}
	changed, err := change(old)
	if err != nil {
		return err
	}
	data, err := changed.encode()
	if err != nil {
		return err
	}
	path := r.library.join(fileOf(name))
	if old == nil {
		return fileError(config.Create(path, data))
	}
	kept, err := config.Replace(path, data, func() error { return r.unchanged(name, v) })
	if err == nil && !kept {
		r.log.Warn("owner of a definition cannot be kept", "file", path)
	}
	return fileError(err)
}

// encode returns the contents of a file that says d, having made sure that it
// can be read.
func (d *Description) encode() ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "    ")
	if err := encoder.Encode(d); err != nil { //nolint:gosec // the keys are meant to be stored
		return nil, unacceptable("", err)
	}
	if buffer.Len() > config.MaxFileBytes {
		return nil, unacceptable("", fmt.Errorf("larger than %d bytes", config.MaxFileBytes))
	}
	if _, err := decodeDescription(bodyName, buffer.Bytes()); err != nil {
		return nil, unacceptable("", err)
	}
	return buffer.Bytes(), nil
}

// unchanged returns [ErrTagMismatch] if the file of the group called name does
// not hold what it did when v was read.
func (r *Registry) unchanged(name string, v *volume) error {
	if r.beforeCommit != nil {
		r.beforeCommit()
	}
	now := r.library.read(fileOf(name))
	if now == nil || now.sum != v.sum {
		return ErrTagMismatch
	}
	return nil
}

// fileError is the error for what the file system has refused.
func fileError(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrTagMismatch):
		return err
	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", ErrTagMismatch, err)
	case errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %w", ErrInvalidName, err)
	default:
		return fmt.Errorf("group: definition not written: %w", err)
	}
}

// matches reports whether d, nil for none, has the entity tag etag.
func matches(d *Description, etag string) bool {
	switch {
	case etag == AnyTag:
		return true
	case d == nil:
		return etag == ""
	default:
		return etag == d.etag()
	}
}

// modifyExisting applies change to a copy of the definition of the group called
// name, which is otherwise shared and has to be left alone. The definition has
// to exist and to have the entity tag etag.
func (r *Registry) modifyExisting(name, etag string, change func(d *Description) error) error {
	return r.modify(name, func(old *Description) (*Description, error) {
		if old == nil {
			return nil, ErrNotFound
		}
		if !matches(old, etag) {
			return nil, ErrTagMismatch
		}
		changed := *old
		if err := change(&changed); err != nil {
			return nil, err
		}
		return &changed, nil
	}, etag == AnyTag)
}
