package loadtest

import (
	"container/heap"
	"sync"
	"time"
)

// maxLateness is how far behind publishers may be before they leave out what they missed.
const maxLateness = 200 * time.Millisecond

// maxTurns is how many turns are taken before others may do something.
const maxTurns = 256

// player sends for all publishers.
type player struct {
	due schedule // owned by whoever calls play

	mu    sync.Mutex // guards the fields below
	added []*source  // not yet played
	all   []*source  // every one that was ever added
}

// add makes src play from the given time on. Any goroutine may call it.
func (p *player) add(src *source, start time.Time) {
	src.next = start
	p.mu.Lock()
	defer p.mu.Unlock()
	p.added = append(p.added, src)
	p.all = append(p.all, src)
}

// sent returns how many packets all sources have sent so far. Any goroutine may call it.
func (p *player) sent() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var n uint64
	for _, src := range p.all {
		n += src.sent.Load()
	}
	return n
}

// play sends what is due and returns how long until there is more, as far as is known.
func (p *player) play() time.Duration {
	p.mu.Lock()
	for _, src := range p.added {
		heap.Push(&p.due, turn{src.next, src})
	}
	p.added = p.added[:0]
	p.mu.Unlock()
	return p.due.play()
}

// turn is when a source plays next.
type turn struct {
	at     time.Time
	source *source
}

// schedule is a heap of turns, the soonest first.
type schedule []turn

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].at.Before(s[j].at) }
func (s schedule) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }

// play lets each source play whose turn it is, for a while, and returns how long until there is more to do.
func (s *schedule) play() time.Duration {
	for range maxTurns {
		now := time.Now()
		if len(*s) == 0 {
			return time.Hour
		}
		first := &(*s)[0]
		if first.source.closed.Load() {
			heap.Pop(s)
			continue
		}
		if wait := first.at.Sub(now); wait > 0 {
			return wait
		}
		first.at = first.source.play(now)
		heap.Fix(s, 0)
	}
	return 0
}

// Push is for package heap.
func (s *schedule) Push(x any) { *s = append(*s, x.(turn)) } //nolint:forcetypeassert // called by play only

// Pop is for package heap.
func (s *schedule) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}
