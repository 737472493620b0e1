package config

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// asSomebody calls f with the rights that uid and gid have on files.
func asSomebody(t *testing.T, uid, gid int, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with its rights
		err := syscall.Setfsgid(gid)
		if err == nil {
			err = syscall.Setfsuid(uid)
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// Who may write a file that belongs to somebody else cannot give it back. What
// its group was allowed must not be allowed to another group.
func TestReplaceWithoutTheRightToKeepTheOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("files cannot be given away")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "f.json")
	write(t, path, "old")
	for _, step := range []error{
		os.Chown(path, 12345, 23456), os.Chmod(path, 0o664), os.Chown(dir, 12346, 23457),
		os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o700),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	asSomebody(t, 12346, 23457, func() {
		if kept, err := Replace(path, []byte("new"), noCheck); kept || err != nil {
			t.Errorf("Replace of somebody else's file = %v, %v, want it not kept", kept, err)
		}
	})
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if uid, _ := owner(info); uid != 12346 || info.Mode().Perm() != 0o604 {
		t.Errorf("owner %d, mode %v, want the writer's and 0604", uid, info.Mode())
	}
	if got := contents(t, path); got != "new" {
		t.Errorf("contents are %q, want the new ones", got)
	}
}
