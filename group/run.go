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

// scan takes all public groups into memory.
func (r *Registry) scan(ctx context.Context) {
	r.directory.names(ctx, func(name string) {
		if _, err := r.describe(name); err != nil && r.find(name) == nil {
			r.log.Warn("definition not read", "group", name, "error", err)
		}
	})
}

// poll reads the definitions of groups in memory that have changed, and forgets
// groups.
func (r *Registry) poll(ctx context.Context) {
	r.writable.Store(r.settings().WritableGroups)
	for _, g := range r.all() {
		if ctx.Err() != nil {
			return
		}
		if _, err := r.reread(g.name); err != nil && g.failsAnew(err) {
			r.log.Warn("definition not read", "group", g.name, "error", err)
		}
	}
	r.expire(time.Now())
}

// failsAnew notes that the group's definition could not be read because of err,
// and reports whether that is news.
func (g *Group) failsAnew(err error) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	news := g.failed != err.Error()
	g.failed = err.Error()
	return news
}

// expire forgets the groups that have been without members for too long.
func (r *Registry) expire(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, g := range r.groups {
		g.mu.Lock()
		expired := len(g.order) == 0 && !g.description.Public &&
			now.Sub(g.idle) > g.description.HistoryAge()
		g.mu.Unlock()
		if expired {
			delete(r.groups, name)
		}
	}
}
