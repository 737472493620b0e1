package group

import (
	"context"
	"time"
)

const (
	// pollInterval is how often the files of groups in memory are looked at,
	// and all files where changes are not told; scanInterval is how often all
	// files are looked at where they are.
	pollInterval = time.Second
	scanInterval = time.Minute
	// settleInterval is how long it takes from a change until it is looked at:
	// few come alone.
	settleInterval = 100 * time.Millisecond
	// maxShare bounds the share of time spent looking at all files: one part
	// in so many.
	maxShare = 20
	// orphanAge is how long a group without members outlives its definition.
	orphanAge = time.Second
)

// Run does what is due from time to time until ctx ends: it looks for public
// groups, lets groups follow their files, and forgets those that nobody has
// used for as long as they keep their history.
func (r *Registry) Run(ctx context.Context) {
	w := newWatcher(r.pollOnly, r.log)
	defer w.close()
	s := &scanner{registry: r, watcher: w}
	scan := time.NewTimer(s.scan(ctx))
	defer scan.Stop()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	hurried := false // a scan is near because of a change
	for {
		changed := false
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
			r.poll(ctx)
		case <-scan.C:
			if hurried {
				r.poll(ctx)
			}
			scan.Reset(s.scan(ctx))
			hurried = false
		case event := <-w.events():
			changed = w.concerns(event)
		case err := <-w.errors():
			changed = true
			r.log.Warn("changes of definitions missed", "error", err)
		}
		if changed && !hurried {
			hurried = true
			scan.Reset(s.soon())
		}
	}
}

// poll reads the definitions of groups in memory that have changed, and forgets
// groups.
func (r *Registry) poll(ctx context.Context) {
	r.configure()
	for _, g := range r.all() {
		if ctx.Err() != nil {
			return
		}
		_, _ = r.reread(g.name) // as above
	}
	r.expire(time.Now())
}

// expire forgets the groups that have been without members for too long, or
// without members and definition. If the configuration wants that, members have
// to leave groups that are closed to them.
func (r *Registry) expire(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, g := range r.groups {
		g.mu.Lock()
		if r.recheck.Load() {
			g.closeLocked(now)
		}
		gone := g.goneLocked(now)
		old := !g.description.Public && now.Sub(g.idle) > g.description.HistoryAge()
		if len(g.order) == 0 && (gone || old) {
			delete(r.groups, name)
		}
		g.mu.Unlock()
	}
}
