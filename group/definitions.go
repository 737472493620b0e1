package group

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"galene/config"
)

// AnyTag stands for whatever entity tag a definition has, and for none.
const AnyTag = "*"

// modifyAttempts bounds how often a change is made anew because somebody has
// edited the file meanwhile.
const modifyAttempts = 3

var (
	// ErrNotWritable is returned when the configuration does not allow
	// definitions to be changed.
	ErrNotWritable = errors.New("group: definitions are not writable")
	// ErrTagMismatch is returned when a definition, or a user, is not the one
	// that was expected, and when somebody keeps editing it.
	ErrTagMismatch = errors.New("group: the definition has changed")
)

// Names lists the groups that have a file, whether that can be read or not, in
// lexical order of the walk through the directory. Groups with a hidden file or
// directory are left out.
func (r *Registry) Names() ([]string, error) {
	names := []string{}
	var failed error
	r.library.walk(context.Background(), visitor{
		group: func(name string, _ bool) { names = append(names, name) },
		problem: func(path string, err error) {
			if !errors.Is(err, ErrInvalidName) && !(path == r.library.path && absent(err)) {
				failed = errors.Join(failed, err)
			}
		},
	})
	return names, failed
}

// ReadDefinition returns the definition in the file of the group called name,
// and its entity tag, which changes with every change of the file. A group
// without a file of its own is not found. The result holds secrets; see
// [Description.Sanitised]. The error is [ErrInvalidName], [ErrNotFound] or a
// [*DefinitionError], even if an earlier version of the file is in force.
func (r *Registry) ReadDefinition(name string) (d *Description, etag string, err error) {
	if !ValidName(name) {
		return nil, "", ErrInvalidName
	}
	d, err = r.readFile(name)
	if err != nil {
		return nil, "", err
	}
	return d, d.etag(), nil
}

// readFile reads the definition of the group called name, which must be valid,
// as it is at present.
func (r *Registry) readFile(name string) (*Description, error) {
	v, err := r.readVolume(name)
	if err != nil {
		return nil, err
	}
	if v.err != nil {
		return nil, v.err
	}
	return v.own, nil
}

// readVolume is readFile for a file that may be bad.
func (r *Registry) readVolume(name string) (*volume, error) {
	if r.library.path == "" {
		return nil, ErrNotFound
	}
	v := r.library.read(fileOf(name))
	if v == nil {
		return nil, ErrNotFound
	}
	if !r.library.spelt(fileOf(name)) {
		return nil, errMisspelt
	}
	return v, nil
}

// WriteDefinition makes d the definition of the group called name, at once and
// for good, and reports whether there was none before. If d is sanitised, the
// group's users, wildcard user, fallback users and keys stay; otherwise d says
// everything. etag is that of the definition that d shall replace; empty if
// there shall be none, or [AnyTag].
//
// Mode, owner and links of the file are kept; a new one is readable by its owner
// only. Should the server or the machine fail, the old definition or the new one
// is there. A subgroup's administrator by virtue of a group above is not the
// administrator of a definition made for it, unless that says so.
//
// The error is [ErrInvalidName], [ErrNotWritable], [ErrTagMismatch], a
// [*DefinitionError], or that of the file system.
func (r *Registry) WriteDefinition(name string, d *Description, etag string) (created bool, err error) {
	if err := r.mayWrite(name); err != nil {
		return false, err
	}
	if _, _, err := r.library.load(name); errors.Is(err, ErrNotFound) {
		// Whatever tokens there are were another group's of that name.
		if err := r.dropTokens(name); err != nil {
			return false, err
		}
	}
	err = r.modify(name, func(old *Description) (*Description, error) {
		created = old == nil
		if !matches(old, etag) {
			return nil, ErrTagMismatch
		}
		if err := d.validate(); err != nil {
			return nil, err
		}
		return d.mergedInto(old)
	}, etag == AnyTag)
	return created && err == nil, err
}

// DeleteDefinition removes the definition of the group called name, and with it
// the group's tokens. etag is that of the definition that is meant, or
// [AnyTag]. Members stay until they leave, unless the configuration wants them
// checked. If the file is a link, it is the link that is removed. The error is
// [ErrNotFound], one of [Registry.WriteDefinition], or that of removing the
// tokens, when the definition is gone already.
func (r *Registry) DeleteDefinition(name, etag string) error {
	if err := r.mayWrite(name); err != nil {
		return err
	}
	if err := r.deleteFile(name, etag); err != nil {
		return err
	}
	r.apply(name)
	r.forgetOrphans(name)
	return r.dropTokens(name)
}

func (r *Registry) deleteFile(name, etag string) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	v, err := r.readVolume(name)
	if errors.Is(err, errMisspelt) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	tag := (&Description{sum: v.sum}).etag()
	if etag != AnyTag && etag != tag {
		return ErrTagMismatch
	}
	err = config.Remove(r.library.join(fileOf(name)), func() error {
		if etag == AnyTag {
			return nil
		}
		return r.unchanged(name, v)
	})
	return fileError(err)
}

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

// apply has the groups in memory to which the definition of the group called
// name may apply follow it, and lists the group if it is public.
func (r *Registry) apply(name string) {
	_, _ = r.reread(name) // faults are logged by the library
	for _, g := range r.below(name) {
		_, _ = r.reread(g.name) // as above
	}
}

// forgetOrphans forgets the group called name, and those below it, as far as
// they have neither members nor a definition.
func (r *Registry) forgetOrphans(name string) {
	orphans := r.below(name)
	if g := r.find(name); g != nil {
		orphans = append(orphans, g)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range orphans {
		g.mu.Lock()
		if len(g.order) == 0 && !g.orphaned.IsZero() && r.groups[g.name] == g {
			delete(r.groups, g.name)
		}
		g.mu.Unlock()
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

// SetKeys makes keys, each a JSON Web Key, those of the group called name; none
// removes them. etag and errors are as for [Registry.WriteDefinition], but the
// definition has to exist, or it is [ErrNotFound].
func (r *Registry) SetKeys(name string, keys []json.RawMessage, etag string) error {
	if err := validateKeys(keys); err != nil {
		return err
	}
	return r.modifyExisting(name, etag, func(d *Description) error {
		d.AuthKeys = slices.Clone(keys)
		return nil
	})
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
