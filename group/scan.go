package group

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// scene is where definitions are, by paths without links.
type scene struct {
	// folders are the directories with definitions.
	folders map[string]fs.FileInfo
	// targets are the files that links lead to, and outside the directories
	// they are in.
	targets map[string]bool
	outside map[string]fs.FileInfo
}

// addFolder adds a directory with definitions.
func (s *scene) addFolder(path string, info fs.FileInfo) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		s.folders[target] = info
	}
}

// addTarget adds the file that the link at path leads to.
func (s *scene) addTarget(path string) {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return
	}
	folder := filepath.Dir(target)
	if info, err := os.Stat(folder); err == nil {
		s.targets[target] = true
		s.outside[folder] = info
	}
}

// scanner looks at all files. It belongs to one goroutine.
type scanner struct {
	registry *Registry
	watcher  *watcher
	ended    time.Time       // when the last scan ended
	rest     time.Duration   // how long to rest after it
	problems map[string]bool // what has been logged
}

// soon is how long to wait after a change.
func (s *scanner) soon() time.Duration {
	return max(settleInterval, min(s.rest, pollInterval)-time.Since(s.ended))
}

// scan looks at every file of a definition, takes all public groups into
// memory, and has what it finds watched. It returns how long to wait until the
// next scan.
func (s *scanner) scan(ctx context.Context) time.Duration {
	began := time.Now()
	found, names := s.survey(ctx)
	if ctx.Err() != nil {
		return scanInterval
	}
	added := s.watcher.follow(found)
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if ctx.Err() != nil {
			return scanInterval
		}
		seen[fileOf(name)] = true
		_, _ = s.registry.reread(name) // faults are logged by the library
	}
	s.registry.library.prune(seen)

	s.ended = time.Now()
	s.rest = min(s.ended.Sub(began)*maxShare, scanInterval)
	switch {
	case added: // a change before that may have gone unseen
		return s.soon()
	case s.watcher.complete():
		return scanInterval
	default:
		return max(pollInterval, s.rest)
	}
}

// survey finds all definitions, and logs what cannot be one unless it has been
// logged.
func (s *scanner) survey(ctx context.Context) (found scene, names []string) {
	found = scene{
		folders: make(map[string]fs.FileInfo),
		targets: make(map[string]bool),
		outside: make(map[string]fs.FileInfo),
	}
	problems := make(map[string]bool)
	library := s.registry.library
	library.walk(ctx, visitor{
		folder: found.addFolder,
		group: func(name string, link bool) {
			if link {
				found.addTarget(library.join(fileOf(name)))
			}
			names = append(names, name)
		},
		problem: func(path string, err error) {
			problem := path + ": " + err.Error()
			problems[problem] = true
			if !s.problems[problem] {
				s.registry.log.Warn("cannot be read as a definition", "path", path, "error", err)
			}
		},
	})
	s.problems = problems
	return found, names
}
