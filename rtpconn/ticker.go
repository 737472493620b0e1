package rtpconn

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// ticker does what the down connections of an engine have to do from time to time,
// in one goroutine for all: most of them are idle most of the time. It belongs
// to the engine.
type ticker struct {
	mu      sync.Mutex // guards the fields below
	downs   map[*Down]struct{}
	hurried []*Down       // to be served at once
	wake    chan struct{} // has room for one
}

func newTicker() *ticker {
	return &ticker{downs: make(map[*Down]struct{}), wake: make(chan struct{}, 1)}
}

// add has d served until it is removed.
func (k *ticker) add(d *Down) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.downs[d] = struct{}{}
}

// remove undoes add. d may still be being served, which its closing awaits.
func (k *ticker) remove(d *Down) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.downs, d)
}

// hurry has d served at once.
func (k *ticker) hurry(d *Down) {
	k.mu.Lock()
	if !slices.Contains(k.hurried, d) {
		k.hurried = append(k.hurried, d)
	}
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// serveInterval is how often the ticker serves each connection.
const serveInterval = 500 * time.Millisecond

// tickerSlices is into how many parts an interval is divided, lest all connections
// be served in one go.
const tickerSlices = 10

// run serves each connection once per interval until done is closed.
func (k *ticker) run(done <-chan struct{}) {
	timer := time.NewTicker(serveInterval / tickerSlices)
	defer timer.Stop()
	for part := 0; ; {
		select {
		case <-done:
			return
		case <-k.wake:
			for _, d := range k.takeHurried() {
				d.serve(false)
			}
		case <-timer.C:
			part = (part + 1) % tickerSlices
			for _, d := range k.list() {
				if d.part == part {
					d.serve(true)
				}
			}
		}
	}
}

func (k *ticker) takeHurried() []*Down {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := k.hurried
	k.hurried = nil
	return list
}

func (k *ticker) list() []*Down {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Keys(k.downs))
}
