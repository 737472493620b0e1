package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func noCheck() error { return nil }

func contents(tb testing.TB, path string) string {
	tb.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

// temporary lists incomplete files in the directories.
func temporary(tb testing.TB, dirs ...string) (found []string) {
	tb.Helper()
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			tb.Fatal(err)
		}
		for _, entry := range entries {
			if IsTemporary(entry.Name()) {
				found = append(found, filepath.Join(dir, entry.Name()))
			}
		}
	}
	return found
}

func TestReplaceKeepsTheMode(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there are no modes")
	}
	for _, mode := range []fs.FileMode{0o600, 0o640, 0o664, 0o400, 0o755} {
		path := filepath.Join(t.TempDir(), "f.json")
		write(t, path, "old")
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		kept, err := Replace(path, []byte("new"), noCheck)
		if err != nil || !kept {
			t.Errorf("Replace of a file with mode %v = %v, %v", mode, kept, err)
			continue
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("the mode is %v, %v, want %v", info, err, mode)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := contents(t, path); got != "new" {
			t.Errorf("contents are %q, want the new ones", got)
		}
	}
}

func TestReplaceKeepsTheOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("files cannot be given away")
	}
	path := filepath.Join(t.TempDir(), "f.json")
	write(t, path, "old")
	if err := os.Chown(path, 12345, 23456); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if kept, err := Replace(path, []byte("new"), noCheck); !kept || err != nil {
		t.Fatalf("Replace = %v, %v", kept, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if uid, gid := owner(info); uid != 12345 || gid != 23456 || info.Mode().Perm() != 0o640 {
		t.Errorf("owner %d, group %d, mode %v after Replace, want 12345, 23456, 0640", uid, gid, info.Mode())
	}
}

func TestReplaceKeepsLinks(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	target := filepath.Join(elsewhere, "target.json")
	write(t, target, "old")
	for link, to := range map[string]string{
		"link.json": target, "again.json": "link.json", "folder": elsewhere,
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"link.json", "again.json", "folder/target.json"} {
		if _, err := Replace(filepath.Join(dir, name), []byte(name), noCheck); err != nil {
			t.Errorf("Replace(%s): %v", name, err)
		}
		if got := contents(t, target); got != name {
			t.Errorf("the target says %q after Replace(%s)", got, name)
		}
	}
	for _, link := range []string{"link.json", "again.json", "folder"} {
		if info, err := os.Lstat(filepath.Join(dir, link)); err != nil || info.Mode().Type() != fs.ModeSymlink {
			t.Errorf("%s is no link any more: %v, %v", link, info, err)
		}
	}
	if found := temporary(t, dir, elsewhere); len(found) > 0 {
		t.Errorf("left over: %q", found)
	}
}

func TestReplaceThatFailsLeavesTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f.json")
	write(t, path, "old")
	if err := os.Symlink("loop.json", filepath.Join(dir, "loop.json")); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	if _, err := Replace(path, []byte("new"), func() error { return refused }); !errors.Is(err, refused) {
		t.Errorf("Replace = %v, want what verify says", err)
	}
	verified := func() error {
		t.Error("verify was called though nothing can be replaced")
		return nil
	}
	for name, want := range map[string]error{
		"none.json": fs.ErrNotExist, "none/f.json": fs.ErrNotExist, "loop.json": nil, "f.json/x.json": nil,
	} {
		_, err := Replace(filepath.Join(dir, name), []byte("new"), verified)
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("Replace(%s) = %v, want an error, %v if that is one", name, err, want)
		}
	}
	if got := contents(t, path); got != "old" {
		t.Errorf("contents are %q, want the old ones", got)
	}
	if found := temporary(t, dir); len(found) > 0 {
		t.Errorf("left over: %q", found)
	}
}

func TestReplaceWithoutRoomLeavesTheFile(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("directories cannot be closed to this user")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "f.json")
	write(t, path, "old")
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := Replace(path, []byte("new"), noCheck); err == nil {
		t.Error("Replace in a directory that is closed succeeded")
	}
	if got := contents(t, path); got != "old" {
		t.Errorf("contents are %q, want the old ones", got)
	}
}

func TestCreateMakesWhatIsMissingAndReplacesNothing(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	write(t, filepath.Join(dir, "taken.json"), "old")
	target := filepath.Join(elsewhere, "target.json")
	if err := os.Symlink(target, filepath.Join(dir, "dangling.json")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"f.json", "a/b/c.json", "dangling.json"} {
		path := filepath.Join(dir, name)
		if err := Create(path, []byte("new")); err != nil {
			t.Errorf("Create(%s): %v", name, err)
		}
		if got := contents(t, path); got != "new" {
			t.Errorf("%s says %q", name, got)
		}
		if err := Create(path, []byte("newer")); !errors.Is(err, fs.ErrExist) || contents(t, path) != "new" {
			t.Errorf("Create(%s) again = %v, want %v", name, err, fs.ErrExist)
		}
	}
	if got := contents(t, target); got != "new" {
		t.Errorf("where the link leads it says %q", got)
	}
	for name, want := range map[string]error{
		"taken.json": fs.ErrExist, "taken.json/x": nil, strings.Repeat("x", 300): nil,
	} {
		err := Create(filepath.Join(dir, name), []byte("new"))
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("Create(%.20s) = %v, want an error, %v if that is one", name, err, want)
		}
	}
	if found := temporary(t, dir, elsewhere, filepath.Join(dir, "a/b")); len(found) > 0 {
		t.Errorf("left over: %q", found)
	}
}

func TestRemoveRemovesLinksButNotWhatTheyLeadTo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target, link := filepath.Join(dir, "f.json"), filepath.Join(dir, "link.json")
	write(t, target, "old")
	if err := os.Symlink("f.json", link); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	if err := Remove(link, func() error { return refused }); !errors.Is(err, refused) {
		t.Errorf("Remove = %v, want what verify says", err)
	}
	if _, err := os.Lstat(link); err != nil {
		t.Errorf("the link is gone though verify failed: %v", err)
	}
	if err := Remove(link, noCheck); err != nil {
		t.Errorf("Remove = %v", err)
	}
	if _, err := os.Lstat(link); !errors.Is(err, fs.ErrNotExist) || contents(t, target) != "old" {
		t.Errorf("the link: %v, its target says %q", err, contents(t, target))
	}
	if err := Remove(link, noCheck); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Remove again = %v, want %v", err, fs.ErrNotExist)
	}
}

func TestTemporaryNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		".galene-x.temp": true, ".galene-.temp": true, "room.json": false, "x.galene-x.temp": false, ".x.temp": false,
	} {
		if got := IsTemporary(name); got != want {
			t.Errorf("IsTemporary(%s) = %v, want %v", name, got, want)
		}
	}
}
