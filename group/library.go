package group

import (
	"crypto/sha256"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"galene/config"
)

// library keeps what the files in a directory of definitions say, so that a
// file is read once per change, and what was good stays in force when its file
// breaks. Its methods may be called from any goroutine.
type library struct {
	directory
	log     *slog.Logger
	clock   atomic.Uint64 // orders looks at files
	mu      sync.Mutex    // guards volumes
	volumes map[string]*volume
}

// volume is what is known of one file. It is immutable.
type volume struct {
	asOf uint64     // when it was read, by the library's clock
	tag  config.Tag // of the version that was read, good or bad
	sum  [sha256.Size]byte
	// own is the last good version, nil if there was none, and inherited the
	// same for groups below that have no file, nil unless they may exist.
	own, inherited *Description
	err            error // why the version that was read is bad; nil if own is it
}

func newLibrary(path string, log *slog.Logger) *library {
	return &library{
		directory: directory{path: path, stat: os.Stat},
		log:       log,
		volumes:   make(map[string]*volume),
	}
}

// load returns the definition of the group called name, which must be valid:
// that of its own file, or the nearest ancestor's if that allows subgroups; and
// when it was in force by the library's clock. The same definition is the same
// pointer.
//
// The error is [ErrNotFound], or a [*DefinitionError] if the file is bad and
// always was.
func (l *library) load(name string) (d *Description, asOf uint64, err error) {
	asOf = l.clock.Add(1)
	if l.path == "" { // which is nowhere rather than here
		return nil, asOf, ErrNotFound
	}
	for ancestor := name; ancestor != ""; ancestor = parent(ancestor) {
		v, err := l.look(fileOf(ancestor))
		switch {
		case err != nil: // what is misspelt is no group, and no subgroup either
			return nil, asOf, ErrNotFound
		case v == nil:
			continue
		case v.own == nil:
			return nil, asOf, v.err
		case ancestor == name:
			return v.own, asOf, nil
		case v.inherited == nil:
			return nil, asOf, ErrNotFound
		default:
			return v.inherited, asOf, nil
		}
	}
	return nil, asOf, ErrNotFound
}

// look returns what file says, having read it if it has changed; nil if there
// is no such file. The error is errMisspelt.
func (l *library) look(file string) (*volume, error) {
	asOf := l.clock.Add(1)
	info, err := l.stat(l.join(file))
	if absent(err) {
		l.drop(file, asOf)
		return nil, nil
	}
	known := l.known(file)
	if err == nil && known != nil && known.tag.Same(info) {
		return known, nil
	}
	if !l.spelt(file) {
		return nil, errMisspelt
	}
	v := l.read(file)
	if v == nil {
		l.drop(file, asOf)
		return nil, nil
	}
	v.asOf = asOf
	return l.keep(file, v), nil
}

// read reads file; nil if there is none.
func (l *library) read(file string) *volume {
	path := l.join(file)
	data, tag, err := config.Read(path)
	if absent(err) {
		return nil
	}
	if err != nil {
		return &volume{tag: tag, err: &DefinitionError{File: path, Err: err}}
	}
	v := &volume{tag: tag, sum: sha256.Sum256(data)}
	v.own, v.err = decodeDescription(path, data)
	if v.err != nil {
		return v
	}
	v.own.file = file
	if v.own.AutoSubgroups {
		v.inherited = v.own.forSubgroup()
	}
	return v
}

// keep puts v in the place of what was known of file, unless that is newer, and
// returns what is there then. News of the file are logged once.
func (l *library) keep(file string, v *volume) *volume {
	l.mu.Lock()
	old := l.volumes[file]
	switch {
	case old == nil:
	case old.asOf > v.asOf:
		l.mu.Unlock()
		return old
	case v.err != nil, old.own != nil && old.own.sum == v.sum:
		v.own, v.inherited = old.own, old.inherited
	}
	l.volumes[file] = v
	l.mu.Unlock()
	l.report(file, old, v)
	return v
}

// report logs what is odd in v, unless it is the same as in old.
func (l *library) report(file string, old, v *volume) {
	same := old != nil && old.sum == v.sum
	switch {
	case v.err != nil:
		if !same || old.err == nil || old.err.Error() != v.err.Error() {
			l.log.Error("definition not read", "error", v.err, "lastGoodInForce", v.own != nil)
		}
	case !same:
		for _, warning := range v.own.warnings {
			l.log.Warn("definition", "file", l.join(file), "problem", warning)
		}
		fallthrough
	default:
		if old != nil && old.err != nil {
			l.log.Info("definition is good again", "file", l.join(file))
		}
	}
}

func (l *library) known(file string) *volume {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.volumes[file]
}

// drop forgets what file said before asOf.
func (l *library) drop(file string, asOf uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v := l.volumes[file]; v != nil && v.asOf < asOf {
		delete(l.volumes, file)
	}
}

// prune looks at every known file that is not in seen, which forgets those that
// are gone.
func (l *library) prune(seen map[string]bool) {
	l.mu.Lock()
	var missing []string
	for file := range l.volumes {
		if !seen[file] {
			missing = append(missing, file)
		}
	}
	l.mu.Unlock()
	for _, file := range missing {
		_, _ = l.look(file) // what it says is for whoever asks
	}
}
