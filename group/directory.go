package group

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"galene/config"
)

// extension ends the names of files with definitions.
const extension = ".json"

// leftoverAge is how old an incomplete file has to be to have been left behind
// rather than being written at present.
const leftoverAge = time.Minute

var (
	// ErrNotFound is returned for a group that has no definition.
	ErrNotFound = errors.New("group: group does not exist")
	// ErrInvalidName is returned for what no group can be called.
	ErrInvalidName = errors.New("group: illegal group name")

	// errMisspelt is returned for a file that has another name on disk than
	// the one by which it was opened.
	errMisspelt = fmt.Errorf("%w: its file is called otherwise", ErrNotFound)
)

// directory is where definitions are. Names cannot climb out of it, since
// [ValidName] allows none that could; symbolic links may lead anywhere, since
// it is the administrator who makes them.
type directory struct {
	path string
	// stat is os.Stat.
	stat func(path string) (fs.FileInfo, error)
}

// fileOf is the file that defines the group called name, below the directory.
func fileOf(name string) string { return filepath.FromSlash(name + extension) }

// join is the path of a file in the directory.
func (d *directory) join(file string) string { return filepath.Join(d.path, file) }

// spelt reports whether file, which exists, is called so on disk: where file
// systems ignore case, or normalise what is written in several ways, one file
// answers to many names. Only one of them can be the group's.
func (d *directory) spelt(file string) bool {
	folder := d.path
	for segment := range strings.SplitSeq(filepath.ToSlash(file), "/") {
		if !d.lists(folder, segment) {
			return false
		}
		folder = filepath.Join(folder, segment)
	}
	return true
}

// lists reports whether name is listed in folder just like that. It spares
// itself the listing where names are seen to be told apart.
func (d *directory) lists(folder, name string) bool {
	if runtime.GOOS != "darwin" && runtime.GOOS != "windows" {
		other := strings.Map(unicode.SimpleFold, name)
		if _, err := d.stat(filepath.Join(folder, other)); err != nil {
			return true
		}
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return true // it can be searched but not listed
	}
	defer root.Close()
	entries, err := root.Open(".")
	if err != nil {
		return true // as above
	}
	defer entries.Close()
	const batch = 256
	for {
		names, err := entries.Readdirnames(batch)
		if slices.Contains(names, name) {
			return true
		}
		if err != nil {
			return false
		}
	}
}

// visitor says what to do with what a walk finds. Functions may be nil.
type visitor struct {
	// folder gets each directory that is walked.
	folder func(path string, info fs.FileInfo)
	// group gets the name of every group that has a file, and whether the
	// file is a symbolic link.
	group func(name string, link bool)
	// problem gets what cannot be read, or has a name that no group can have.
	problem func(path string, err error)
}

// walk visits the directory in lexical order of its entries until ctx ends.
// Hidden files and directories are left out. Incomplete files that were left
// behind are removed.
func (d *directory) walk(ctx context.Context, v visitor) {
	if d.path == "" { // which is nowhere rather than here
		return
	}
	info, err := os.Stat(d.path)
	if err != nil {
		if v.problem != nil {
			v.problem(d.path, err)
		}
		return
	}
	d.walkFolder(ctx, "", []fs.FileInfo{info}, v)
}

// walkFolder is walk for the directory called folder, which is empty or ends
// with a slash. A link to one of the directories above, of which folder itself
// is the last, is not followed: it has no end.
func (d *directory) walkFolder(ctx context.Context, folder string, above []fs.FileInfo, v visitor) {
	path := d.join(filepath.FromSlash(folder))
	if v.folder != nil {
		v.folder(path, above[len(above)-1])
	}
	entries, err := os.ReadDir(path)
	if err != nil && v.problem != nil {
		v.problem(path, err)
	}
	for _, entry := range entries {
		if ctx.Err() != nil {
			return
		}
		if strings.HasPrefix(entry.Name(), ".") {
			removeLeftover(path, entry)
			continue
		}
		inner := folder + entry.Name()
		if info := d.folder(inner, entry); info != nil {
			if !slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }) {
				d.walkFolder(ctx, inner+"/", append(above, info), v)
			}
			continue
		}
		name, isJSON := strings.CutSuffix(inner, extension)
		switch {
		case !isJSON:
		case ValidName(name):
			v.group(name, entry.Type() == fs.ModeSymlink)
		case v.problem != nil:
			v.problem(d.join(filepath.FromSlash(inner)), ErrInvalidName)
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

// removeLeftover removes an entry of a directory if it was left there by a
// crash. If that fails, it stays without harm.
func removeLeftover(folder string, entry fs.DirEntry) {
	if !config.IsTemporary(entry.Name()) {
		return
	}
	if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > leftoverAge {
		_ = os.Remove(filepath.Join(folder, entry.Name()))
	}
}

// absent reports whether err says that there is no such file, or that there
// cannot be one.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) ||
		errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG)
}
