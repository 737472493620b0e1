package group

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"galene/config"
)

// AnyTag stands for whatever entity tag a definition has, and for none.
const AnyTag = "*"

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
