package group

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"galene/config"
)

// extension ends the names of files with definitions.
const extension = ".json"

var (
	// ErrNotFound is returned for a group that has no definition.
	ErrNotFound = errors.New("group: group does not exist")
	// ErrInvalidName is returned for what no group can be called.
	ErrInvalidName = errors.New("group: illegal group name")
)

// directory is where definitions are. Files outside of it are not reached,
// whatever names and symbolic links say.
type directory struct {
	path string
	log  *slog.Logger
}

// load returns the definition of the group called name, which must be valid:
// that of its own file, or the nearest ancestor's if that allows subgroups.
// If it is still the one that known was read from, known is returned;
// otherwise the result gets serial.
//
// The error is [ErrNotFound] or a [*DefinitionError].
func (d *directory) load(name string, known *Description, serial uint64) (*Description, error) {
	root, err := os.OpenRoot(d.path)
	if absent(err) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, &DefinitionError{File: d.path, Err: err}
	}
	defer root.Close()

	for ancestor := name; ancestor != ""; ancestor = parent(ancestor) {
		file := filepath.FromSlash(ancestor + extension)
		info, err := root.Stat(file)
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, &DefinitionError{File: filepath.Join(d.path, file), Err: err}
		}
		own := ancestor == name
		if known != nil && known.file == file && known.inferred != own && known.tag.Same(info) {
			return known, nil
		}
		found, err := d.read(root, file, serial)
		switch {
		case err != nil:
			return nil, err
		case own:
			return found, nil
		case !found.AutoSubgroups:
			return nil, ErrNotFound
		default:
			return found.forSubgroup(), nil
		}
	}
	return nil, ErrNotFound
}

func (d *directory) read(root *os.Root, file string, serial uint64) (*Description, error) {
	path := filepath.Join(d.path, file)
	data, tag, err := config.Read(root, file)
	if absent(err) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, &DefinitionError{File: path, Err: err}
	}
	found, err := decodeDescription(path, data)
	if err != nil {
		return nil, err
	}
	found.file, found.tag, found.serial = file, tag, serial
	return found, nil
}

// names calls yield with the name of every group that has a file, except
// hidden ones, until ctx ends.
func (d *directory) names(ctx context.Context, yield func(name string)) {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		d.log.Warn("directory of groups not read", "error", err)
		return
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			d.log.Warn("definitions not read", "file", path, "error", err)
			return nil
		}
		hidden := path != "." && strings.HasPrefix(entry.Name(), ".")
		name, isJSON := strings.CutSuffix(path, extension)
		switch {
		case entry.IsDir() && hidden:
			return fs.SkipDir
		case entry.IsDir() || hidden || !isJSON:
		case !ValidName(name):
			d.log.Warn("file cannot define a group", "file", path)
		default:
			yield(name)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		d.log.Warn("directory of groups not read", "error", err)
	}
}

// absent reports whether err says that there is no such file, or that there
// cannot be one.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) ||
		errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG)
}
