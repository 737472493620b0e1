package testkit

import (
	"context"
	"sync"
)

// watched is a mutex whose holders can wait for changes of what it guards.
type watched struct {
	sync.Mutex

	changed chan struct{} // closed at the next change; nil if nobody waits
}

// announce wakes whoever waits. The caller holds the mutex.
func (w *watched) announce() {
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}

// wait returns nil when condition, which is called with the mutex held, has
// returned true; ctx's cause when ctx ends first; and end's result when done is
// closed first.
func (w *watched) wait(ctx context.Context, done <-chan struct{}, end func() error, condition func() bool) error {
	for {
		w.Lock()
		if condition() {
			w.Unlock()
			return nil
		}
		select {
		case <-done:
			w.Unlock()
			return end()
		default:
		}
		if w.changed == nil {
			w.changed = make(chan struct{})
		}
		changed := w.changed
		w.Unlock()
		select {
		case <-changed:
		case <-done: // once more: it may have become true before the end
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
