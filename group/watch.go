package group

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"

	"galene/config"
)

// maxWatched bounds the directories that are watched; with more, changes are
// found by looking for them.
const maxWatched = 4096

// Why a directory is not watched.
var (
	errMute    = errors.New("the file system does not tell of changes")
	errTooMany = errors.New("too many directories")
)

// watcher tells when something may have changed where definitions are. It only
// ever saves time: that something may be missed is for its user to reckon with.
// It belongs to one goroutine.
type watcher struct {
	log    *slog.Logger
	notify *fsnotify.Watcher // nil if nothing can be watched
	// watched are the directories that are watched, by path without links.
	watched map[string]fs.FileInfo
	scene   scene
	trouble string // why not everything is watched; empty if it is
}

// newWatcher returns a watcher that sees nothing yet. With disabled, it never
// will.
func newWatcher(disabled bool, log *slog.Logger) *watcher {
	w := &watcher{log: log, watched: make(map[string]fs.FileInfo), trouble: "disabled"}
	if disabled {
		return w
	}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		w.complain(err)
		return w
	}
	w.notify = notify
	return w
}

// close ends the watcher and awaits it.
func (w *watcher) close() {
	if w.notify == nil {
		return
	}
	if err := w.notify.Close(); err != nil {
		w.log.Warn("watching definitions has not ended well", "error", err)
	}
	w.notify = nil
}

// events gives what has happened; [watcher.concerns] tells whether it matters.
func (w *watcher) events() <-chan fsnotify.Event {
	if w.notify == nil {
		return nil
	}
	return w.notify.Events
}

// errors gives what has been missed.
func (w *watcher) errors() <-chan error {
	if w.notify == nil {
		return nil
	}
	return w.notify.Errors
}

// complete reports whether all changes are expected to be told.
func (w *watcher) complete() bool { return w.trouble == "" }

// concerns reports whether definitions may have changed by event.
func (w *watcher) concerns(event fsnotify.Event) bool {
	if _, ok := w.watched[event.Name]; ok {
		if event.Has(fsnotify.Remove) || event.Has(fsnotify.Rename) {
			// Whatever is there later is watched anew.
			_ = w.notify.Remove(event.Name) // it may have ended by itself
			delete(w.watched, event.Name)
		}
		return true
	}
	if config.IsTemporary(filepath.Base(event.Name)) {
		return false
	}
	_, inside := w.scene.folders[filepath.Dir(event.Name)]
	return inside || w.scene.targets[event.Name]
}

// follow watches the directories of s instead of those of the last scene. It
// reports whether some are watched only from now on: what has happened there
// before may have been missed.
func (w *watcher) follow(s scene) (added bool) {
	if w.notify == nil {
		return false
	}
	w.scene = s
	alive := make(map[string]bool)
	for _, path := range w.notify.WatchList() {
		alive[path] = true
	}
	for path, info := range w.watched {
		now, ok := s.folders[path]
		if !ok {
			now, ok = s.outside[path]
		}
		if !ok || !alive[path] || !os.SameFile(info, now) {
			_ = w.notify.Remove(path) // as above
			delete(w.watched, path)
		}
	}
	var failed error
	if len(s.folders) == 0 {
		failed = errors.New("there is no directory")
	}
	for _, folders := range []map[string]fs.FileInfo{s.folders, s.outside} {
		for path, info := range folders {
			if _, ok := w.watched[path]; ok {
				continue
			}
			if err := w.watch(path, info); err == nil {
				added = true
			} else if failed == nil {
				failed = err
			}
		}
	}
	w.complain(failed)
	return added
}

// watch watches one more directory.
func (w *watcher) watch(path string, info fs.FileInfo) error {
	switch {
	case !tellsChanges(path):
		return errMute
	case len(w.watched) >= maxWatched:
		return errTooMany
	}
	if err := w.notify.Add(path); err != nil {
		return err
	}
	w.watched[path] = info
	return nil
}

// complain notes why not everything is watched, and logs it when that is news.
func (w *watcher) complain(err error) {
	if err == nil {
		w.trouble = ""
		return
	}
	if news := err.Error(); news != w.trouble {
		w.trouble = news
		w.log.Info("changes of definitions are looked for every now and then", "reason", err)
	}
}
