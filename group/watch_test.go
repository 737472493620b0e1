package group

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"galene/config"
)

const public = `{"public":true}`

// edits are what administrators and their programs do to a directory of
// definitions, one after the other. Groups come and go that are in nobody's
// use, so that nothing but the directory tells of them.
type edits struct {
	tb           testing.TB
	dir, outside string
}

// newEdits makes the directories that edits start with.
func newEdits(tb testing.TB) *edits {
	tb.Helper()
	top := tb.TempDir()
	e := &edits{tb: tb, dir: filepath.Join(top, "groups"), outside: filepath.Join(top, "outside")}
	for _, name := range []string{"written", "replaced", "changing", "sub/written"} {
		e.write(e.dir, name+".json", `{}`)
	}
	for _, name := range []string{"target.json", "v1/room.json", "team/old.json", "movable/room.json"} {
		e.write(e.outside, name, `{}`)
	}
	e.write(e.outside, "v2/room.json", public)
	e.link("../outside/target.json", "linked.json")
	e.link("../outside/v1/room.json", "turned.json")
	e.link(filepath.Join(e.outside, "team"), "team")
	return e
}

func (e *edits) do(err error) {
	e.tb.Helper()
	if err != nil {
		e.tb.Fatal(err)
	}
}

func (e *edits) write(dir, file, data string) {
	e.tb.Helper()
	path := filepath.Join(dir, file)
	e.do(os.MkdirAll(filepath.Dir(path), 0o700))
	e.do(os.WriteFile(path, []byte(data), 0o600))
}

func (e *edits) link(target, file string) {
	e.tb.Helper()
	e.do(os.Symlink(target, filepath.Join(e.dir, file)))
}

func (e *edits) rename(from, to string) {
	e.tb.Helper()
	e.do(os.Rename(from, to))
}

// in is the path of a file in the directory of definitions.
func (e *edits) in(file string) string { return filepath.Join(e.dir, file) }

// steps lists the edits, and what each adds to the public groups, or with a
// minus takes from them.
func (e *edits) steps() []editStep {
	return []editStep{
		{"file made", func() { e.write(e.dir, "made.json", public) }, "made"},
		{"file truncated and written", func() { e.write(e.dir, "written.json", public) }, "written"},
		{"file written below", func() { e.write(e.dir, "sub/written.json", public) }, "sub/written"},
		{"file replaced like editors do", func() {
			e.write(e.dir, ".replaced.json.swp", public)
			e.rename(e.in(".replaced.json.swp"), e.in("replaced.json"))
		}, "replaced"},
		{"file renamed", func() {
			e.write(e.dir, "draft.txt", public)
			e.rename(e.in("draft.txt"), e.in("renamed.json"))
		}, "renamed"},
		{"file renamed again", func() { e.rename(e.in("renamed.json"), e.in("other.json")) }, "-renamed other"},
		{"file removed", func() { e.do(os.Remove(e.in("made.json"))) }, "-made"},
		{"file made again", func() { e.write(e.dir, "made.json", public) }, "made"},
		{"file moved away and written", func() {
			e.rename(e.in("changing.json"), e.in("changing.json~"))
			e.write(e.dir, "changing.json", public)
		}, "changing"},
		{"directories made", func() { e.write(e.dir, "very/deep/room.json", public) }, "very/deep/room"},
		{"directory moved in", func() {
			e.write(e.outside, "movable/room.json", public)
			e.rename(filepath.Join(e.outside, "movable"), e.in("moved"))
		}, "moved/room"},
		{"file made in a directory moved in", func() { e.write(e.dir, "moved/later.json", public) }, "moved/later"},
		{"directory moved out", func() {
			e.rename(e.in("moved"), filepath.Join(e.outside, "movable"))
		}, "-moved/room -moved/later"},
		{"directory moved in again", func() {
			e.rename(filepath.Join(e.outside, "movable"), e.in("back"))
		}, "back/room back/later"},
		{"directory removed and made again", func() {
			e.do(os.RemoveAll(e.in("very/deep")))
			e.write(e.dir, "very/deep/again.json", public)
		}, "-very/deep/room very/deep/again"},
		{"file made in a directory made again", func() { e.write(e.dir, "very/deep/more.json", public) }, "very/deep/more"},
		{"target of a link written", func() { e.write(e.outside, "target.json", public) }, "linked"},
		{"link turned", func() {
			e.link("../outside/v2/room.json", "new.link")
			e.rename(e.in("new.link"), e.in("turned.json"))
		}, "turned"},
		{"file written in a linked directory", func() { e.write(e.outside, "team/old.json", public) }, "team/old"},
		{"file made in a linked directory", func() { e.write(e.outside, "team/new.json", public) }, "team/new"},
		{"all replaced", func() {
			e.rename(e.dir, e.dir+".old")
			e.write(e.dir, "fresh.json", public)
		}, "-* fresh"},
		{"file made after all was replaced", func() { e.write(e.dir, "last.json", public) }, "last"},
	}
}

type editStep struct {
	name   string
	edit   func()
	change string
}

// apply returns what groups becomes by the step.
func (s editStep) apply(groups map[string]bool) {
	for change := range strings.FieldsSeq(s.change) {
		name, removed := strings.CutPrefix(change, "-")
		switch {
		case change == "-*":
			clear(groups)
		case removed:
			delete(groups, name)
		default:
			groups[name] = true
		}
	}
}

// lists reports whether exactly the public groups in want are listed.
func lists(r *Registry, want map[string]bool) bool {
	statuses := r.PublicStatuses()
	for _, s := range statuses {
		if !want[s.Name] {
			return false
		}
	}
	return len(statuses) == len(want)
}

// Between two scans it is only events that tell of groups in nobody's use.
func TestEditsAreSeenByWatching(t *testing.T) {
	t.Parallel()
	if !tellsChanges(t.TempDir()) {
		t.Skip("the file system of temporary directories does not tell of changes")
	}
	const enough = scanInterval / 2
	e := newEdits(t)
	h := &house{tb: t, dir: e.dir, Registry: NewRegistry(Options{Directory: e.dir, Log: slog.New(slog.DiscardHandler)})}
	defer h.runFor(t)()
	want := make(map[string]bool)
	time.Sleep(time.Second) // the two scans at the start are over
	var slowest time.Duration
	for _, step := range e.steps() {
		step.edit()
		step.apply(want)
		began := time.Now()
		for !lists(h.Registry, want) {
			if time.Since(began) > enough {
				t.Fatalf("%s: public groups are %+v after %v, want %v", step.name, h.PublicStatuses(), enough, want)
			}
			time.Sleep(5 * time.Millisecond)
		}
		slowest = max(slowest, time.Since(began))
	}
	t.Logf("the slowest change was seen after %v", slowest)
}

func TestEditsAreSeenByLooking(t *testing.T) {
	t.Parallel()
	e := newEdits(t)
	synctest.Test(t, func(t *testing.T) {
		h := &house{tb: t, dir: e.dir, Registry: NewRegistry(Options{Directory: e.dir, PollOnly: true})}
		defer h.run()()
		want := make(map[string]bool)
		for _, step := range e.steps() {
			step.edit()
			step.apply(want)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if !lists(h.Registry, want) {
				t.Errorf("%s: public groups are %+v after 2 s, want %v", step.name, h.PublicStatuses(), want)
			}
		}
	})
}

// runFor runs the registry outside of synctest; the function it returns stops
// it.
func (h *house) runFor(tb testing.TB) (stop func()) {
	tb.Helper()
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	go func() {
		defer close(done)
		h.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

func TestDirectoryMayBeMadeLater(t *testing.T) {
	t.Parallel()
	e := newEdits(t)
	dir := filepath.Join(e.outside, "later")
	h := &house{tb: t, dir: dir, Registry: NewRegistry(Options{Directory: dir})}
	defer h.runFor(t)()
	time.Sleep(50 * time.Millisecond)
	e.write(dir, "room.json", public)
	for began := time.Now(); !lists(h.Registry, map[string]bool{"room": true}); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > scanInterval/2 {
			t.Fatal("the group is not listed")
		}
	}
}

func TestWatcherTellsWhatConcernsIt(t *testing.T) {
	t.Parallel()
	if !tellsChanges(t.TempDir()) {
		t.Skip("the file system of temporary directories does not tell of changes")
	}
	e := newEdits(t)
	r := NewRegistry(Options{Directory: e.dir})
	w := newWatcher(false, r.log)
	defer w.close()
	s := &scanner{registry: r, watcher: w}
	if next := s.scan(t.Context()); next >= scanInterval {
		t.Errorf("the next scan is in %v, want a second one soon after watching has begun", next)
	}
	if next := s.scan(t.Context()); next != scanInterval || !w.complete() {
		t.Errorf("the next scan is in %v, complete %v, want it much later as all is watched", next, w.complete())
	}
	// concerned reports whether an event that matters comes in time.
	concerned := func(enough time.Duration) bool {
		timeout := time.After(enough)
		for {
			select {
			case event := <-w.events():
				if w.concerns(event) {
					return true
				}
			case <-timeout:
				return false
			}
		}
	}
	const soon, surely = 200 * time.Millisecond, 20 * time.Second
	e.write(e.outside, "unrelated.json", `{}`)
	if concerned(soon) {
		t.Error("a file beside the target of a link concerns definitions")
	}
	e.write(e.dir, ".galene-x.temp", `{}`)
	if concerned(soon) {
		t.Error("an incomplete file concerns definitions")
	}
	if err := config.Create(e.in("made.json"), []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	if !concerned(surely) {
		t.Error("a new file does not concern definitions")
	}
}

func TestWithoutWatchingEverythingIsLookedAt(t *testing.T) {
	t.Parallel()
	e := newEdits(t)
	r := NewRegistry(Options{Directory: e.dir})
	w := newWatcher(true, r.log)
	defer w.close()
	if next := (&scanner{registry: r, watcher: w}).scan(t.Context()); next > scanInterval/2 || w.complete() {
		t.Errorf("the next scan is in %v, complete %v, want it soon", next, w.complete())
	}
	if w.events() != nil || w.errors() != nil {
		t.Error("a watcher that is disabled has events")
	}
}

func TestLeftoversOfACrashAreRemoved(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"sub/room": `{}`})
	old := time.Now().Add(-time.Hour)
	for file, age := range map[string]time.Time{
		".galene-a.temp": old, "sub/.galene-b.temp": old, ".galene-c.temp": time.Now(), ".mine.temp": old,
	} {
		path := filepath.Join(h.dir, file)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, age, age); err != nil {
			t.Fatal(err)
		}
	}
	h.scan()
	for file, want := range map[string]bool{
		".galene-a.temp": false, "sub/.galene-b.temp": false, ".galene-c.temp": true, ".mine.temp": true,
	} {
		if _, err := os.Lstat(filepath.Join(h.dir, file)); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", file, err == nil, want)
		}
	}
}
