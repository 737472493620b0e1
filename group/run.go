package group

import (
	"context"
	"time"
)

const (
	// pollInterval is how often the files of groups in memory are looked at,
	// and scanInterval how often public groups are searched for.
	pollInterval = time.Second
	scanInterval = 15 * time.Minute
	// orphanAge is how long a group without members outlives its definition.
	orphanAge = time.Second
)

// Run does what is due from time to time until ctx ends: it looks for public
// groups, lets groups follow their files, and forgets those that nobody has
// used for as long as they keep their history.
func (r *Registry) Run(ctx context.Context) {
	r.scan(ctx)
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	scan := time.NewTicker(scanInterval)
	defer scan.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
			r.poll(ctx)
		case <-scan.C:
			r.scan(ctx)
		}
	}
}

// scan looks at every file of a definition, and takes all public groups into
// memory.
func (r *Registry) scan(ctx context.Context) {
	seen := make(map[string]bool)
	r.library.walk(ctx, visitor{
		group: func(name string, _ bool) {
			seen[fileOf(name)] = true
			_, _ = r.reread(name) // faults are logged by the library
		},
		problem: func(path string, err error) {
			r.log.Warn("cannot be read as a definition", "path", path, "error", err)
		},
	})
	if ctx.Err() == nil {
		r.library.prune(seen)
	}
}

// poll reads the definitions of groups in memory that have changed, and forgets
// groups.
func (r *Registry) poll(ctx context.Context) {
	r.writable.Store(r.settings().WritableGroups)
	for _, g := range r.all() {
		if ctx.Err() != nil {
			return
		}
		_, _ = r.reread(g.name) // as above
	}
	r.expire(time.Now())
}

// expire forgets the groups that have been without members for too long, or
// without members and definition. A definition that is gone only for a moment
// is being replaced.
func (r *Registry) expire(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, g := range r.groups {
		g.mu.Lock()
		gone := !g.orphaned.IsZero() && now.Sub(g.orphaned) >= orphanAge
		old := !g.description.Public && now.Sub(g.idle) > g.description.HistoryAge()
		if len(g.order) == 0 && (gone || old) {
			delete(r.groups, name)
		}
		g.mu.Unlock()
	}
}
