package config

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

const (
	// newFileMode and newFolderMode are for what did not exist before:
	// definitions hold passwords.
	newFileMode   = 0o600
	newFolderMode = 0o700

	// maxLinks bounds the symbolic links that are followed from one name.
	maxLinks = 40

	temporaryPrefix, temporarySuffix = ".galene-", ".temp"
)

// IsTemporary reports whether a file's base name is one that [Replace] and
// [Create] give to a file before it is complete. Such a file that is not recent
// was left behind by a crash and may be removed.
func IsTemporary(base string) bool {
	return strings.HasPrefix(base, temporaryPrefix) && strings.HasSuffix(base, temporarySuffix)
}

// Replace gives the existing file at path new contents. At any time, whatever
// happens to the process or the machine, the file has either the old contents
// or the new ones, and they are on stable storage when Replace returns.
//
// If path is a symbolic link, it stays, and what it leads to is replaced. The
// mode is kept. So are owner and group, which may take privileges: kept tells
// whether they are, and if they are not, what the group was allowed is allowed
// to nobody.
//
// verify is called as late as possible. If it fails, nothing has changed, and
// its error is returned.
func Replace(path string, data []byte, verify func() error) (kept bool, err error) {
	root, base, err := openTarget(path)
	if err != nil {
		return false, err
	}
	defer root.Close()
	old, err := root.Stat(base)
	if err != nil {
		return false, err
	}
	kept = true
	temporary, err := writeTemporary(root, data, func(file *os.File) error {
		kept, err = keepAttributes(file, old)
		return err
	})
	if err != nil {
		return false, err
	}
	if err = verify(); err == nil {
		err = root.Rename(temporary, base)
	}
	if err != nil {
		return false, errors.Join(err, root.Remove(temporary))
	}
	return kept, syncFolder(root)
}

// Create makes the file at path, and the directories it lies in, unless there
// is a file already; the error wraps [fs.ErrExist] then. The file is complete
// and on stable storage when Create returns, and not there at all before it is
// complete. Only the owner may read it. If path is a symbolic link to nowhere,
// that is where the file is made.
func Create(path string, data []byte) error {
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return err
	}
	root, base, err := openTarget(path)
	if err != nil {
		return err
	}
	defer root.Close()
	temporary, err := writeTemporary(root, data, func(*os.File) error { return nil })
	if err != nil {
		return err
	}
	// A link, unlike a rename, never takes the place of something else.
	err = root.Link(temporary, base)
	if linksUnsupported(err) {
		if _, missing := root.Lstat(base); missing == nil {
			err = fmt.Errorf("%s: %w", path, fs.ErrExist)
		} else {
			err = root.Rename(temporary, base)
			temporary = ""
		}
	}
	if temporary != "" {
		err = errors.Join(err, root.Remove(temporary))
	}
	if err != nil {
		return err
	}
	return syncFolder(root)
}

// linksUnsupported tells that a file system has no hard links.
func linksUnsupported(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM)
}

// openTarget opens the directory of the file that path leads to, which need not
// exist, and returns the name that the file has there.
func openTarget(path string) (root *os.Root, base string, err error) {
	for range maxLinks {
		folder, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return nil, "", err
		}
		base = filepath.Base(path)
		target, err := os.Readlink(filepath.Join(folder, base))
		if err != nil { // it is no link
			root, err = os.OpenRoot(folder)
			return root, base, err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(folder, target)
		}
		path = target
	}
	return nil, "", fmt.Errorf("%s: too many symbolic links", path)
}

// writeTemporary writes data to a new file, calls finish with it, and has it
// stored. It returns the file's name.
func writeTemporary(root *os.Root, data []byte, finish func(*os.File) error) (name string, err error) {
	name = temporaryPrefix + strings.ToLower(rand.Text()) + temporarySuffix
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, newFileMode)
	if err != nil {
		return "", err
	}
	_, err = file.Write(data)
	if err == nil {
		err = finish(file)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, root.Remove(name))
	}
	return name, nil
}

// keepAttributes gives file the owner and the mode of the file that it is to
// replace.
func keepAttributes(file *os.File, old fs.FileInfo) (kept bool, err error) {
	mode := old.Mode().Perm()
	created, err := file.Stat()
	if err != nil {
		return false, err
	}
	uid, gid := owner(old)
	newUID, newGID := owner(created)
	kept = uid == newUID && gid == newGID
	if !kept {
		kept = file.Chown(uid, gid) == nil
	}
	if !kept && gid != newGID && file.Chown(-1, gid) != nil {
		mode &^= 0o070
	}
	if runtime.GOOS == "windows" {
		return kept, nil
	}
	return kept, file.Chmod(mode)
}

// makeFolder makes a directory and those it lies in, and has them stored.
func makeFolder(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := filepath.Dir(path)
	if above == path {
		return fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	if err := makeFolder(above); err != nil {
		return err
	}
	if err := os.Mkdir(path, newFolderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	root, err := os.OpenRoot(above)
	if err != nil {
		return err
	}
	defer root.Close()
	return syncFolder(root)
}

// Remove removes the file or link at path, for good when it returns. verify is
// called as late as possible; if it fails, nothing has changed, and its error is
// returned. What a link leads to stays.
func Remove(path string, verify func() error) error {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer root.Close()
	if err := verify(); err != nil {
		return err
	}
	if err := root.Remove(filepath.Base(path)); err != nil {
		return err
	}
	return syncFolder(root)
}

// syncFolder has the entries of a directory stored.
func syncFolder(root *os.Root) error {
	if runtime.GOOS == "windows" { // which stores them by itself
		return nil
	}
	folder, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
