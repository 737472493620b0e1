package group

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
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

// directory is where definitions are. Names cannot climb out of it, since
// [ValidName] allows none that could; symbolic links may lead anywhere, since
// it is the administrator who makes them.
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
	if d.path == "" { // which is nowhere rather than here
		return nil, ErrNotFound
	}
	for ancestor := name; ancestor != ""; ancestor = parent(ancestor) {
		file := filepath.FromSlash(ancestor + extension)
		info, err := os.Stat(d.join(file))
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, &DefinitionError{File: d.join(file), Err: err}
		}
		own := ancestor == name
		if known != nil && known.file == file && known.inferred != own && known.tag.Same(info) {
			return known, nil
		}
		found, err := d.read(file, serial)
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

// join is the path of a file in the directory.
func (d *directory) join(file string) string { return filepath.Join(d.path, file) }

func (d *directory) read(file string, serial uint64) (*Description, error) {
	path := d.join(file)
	data, tag, err := config.Read(path)
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
	info, err := os.Stat(d.path)
	if err != nil {
		d.log.Warn("directory of groups not read", "error", err)
		return
	}
	d.walk(ctx, "", []fs.FileInfo{info}, yield)
}

// walk is names for the directory called folder, which is empty or ends with a
// slash. A link to one of the directories above, of which folder itself is the
// last, is not followed: it has no end.
func (d *directory) walk(ctx context.Context, folder string, above []fs.FileInfo, yield func(name string)) {
	entries, err := os.ReadDir(d.join(filepath.FromSlash(folder)))
	if err != nil {
		d.log.Warn("definitions not read", "folder", folder, "error", err)
	}
	for _, entry := range entries {
		if ctx.Err() != nil {
			return
		}
		path := folder + entry.Name()
		name, isJSON := strings.CutSuffix(path, extension)
		info := d.folder(path, entry)
		switch {
		case strings.HasPrefix(entry.Name(), "."):
		case info != nil:
			if !slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }) {
				d.walk(ctx, path+"/", append(above, info), yield)
			}
		case !isJSON:
		case !ValidName(name):
			d.log.Warn("file cannot define a group", "file", path)
		default:
			yield(name)
		}
	}
}

// folder describes the directory that an entry is or links to; nil if it is
// something else.
func (d *directory) folder(path string, entry fs.DirEntry) fs.FileInfo {
	if !entry.IsDir() && entry.Type() != fs.ModeSymlink {
		return nil
	}
	info, err := os.Stat(d.join(filepath.FromSlash(path)))
	if err != nil || !info.IsDir() {
		return nil
	}
	return info
}

// absent reports whether err says that there is no such file, or that there
// cannot be one.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) ||
		errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG)
}
