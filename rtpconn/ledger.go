package rtpconn

import (
	"sync"
	"sync/atomic"
	"time"

	"galene/codecs"
)

// Totals is what all tracks of one direction and kind add up to.
type Totals struct {
	Tracks int // that there are now
	Counts     // since the engine was made
}

// DirectionStats is what all up connections or all down connections add up to.
type DirectionStats struct {
	Connections  int // that there are now
	Audio, Video Totals
}

// EngineStats is what an engine's connections add up to.
type EngineStats struct {
	Up, Down DirectionStats
	// Joins is how long subscribers waited from the beginning of their
	// connection to the first packet of media.
	Joins Histogram
}

// Stats returns what there is and what was counted since the engine was made.
// Forwarding does not wait for it.
func (e *Engine) Stats() EngineStats {
	s := EngineStats{Joins: e.joins.histogram()}
	e.ledger.sum(&s)
	for _, c := range e.list() {
		switch c.(type) {
		case *Up:
			s.Up.Connections++
		case *Down:
			s.Down.Connections++
		}
	}
	return s
}

// ledger adds up what an engine's tracks count, those included that have ended.
// A track that has a source or a destination is in it until it ends. It belongs
// to the engine; any goroutine may use it.
type ledger struct {
	mu     sync.Mutex // guards the fields below; nothing is called under it
	open   map[*counters]struct{}
	closed EngineStats // without connections
}

// count makes a track count.
func (l *ledger) count(c *counters) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = make(map[*counters]struct{})
	}
	l.open[c] = struct{}{}
}

// retire keeps what a track has counted. It does nothing if the track is not in
// the ledger. What is counted afterwards is lost.
func (l *ledger) retire(c *counters) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.open[c]; ok {
		delete(l.open, c)
		l.closed.of(c).Add(c.counts())
	}
}

// sum adds everything to s, which is zero but for its joins.
func (l *ledger) sum(s *EngineStats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Up, s.Down = l.closed.Up, l.closed.Down
	for c := range l.open {
		t := s.of(c)
		t.Tracks++
		t.Add(c.counts())
	}
}

// of returns the totals that a track belongs to.
func (s *EngineStats) of(c *counters) *Totals {
	direction := &s.Up
	if c.direction == downward {
		direction = &s.Down
	}
	if c.kind == codecs.Video {
		return &direction.Video
	}
	return &direction.Audio
}

// count makes a track count towards the engine's totals. The engine is nil in tests of
// single tracks.
func (e *Engine) count(c *counters) {
	if e != nil {
		e.ledger.count(c)
	}
}

// retire ends that; the totals keep what the track has counted.
func (e *Engine) retire(c *counters) {
	if e != nil {
		e.ledger.retire(c)
	}
}

// Histogram tells how often something took how long.
type Histogram struct {
	Count   uint64
	Sum     time.Duration
	Buckets []Bucket // with increasing limits
}

// Bucket tells how often something took no longer than a limit.
type Bucket struct {
	Limit time.Duration
	Count uint64
}

// joinLimits are the limits of a histogram of joins.
var joinLimits = [...]time.Duration{
	50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond,
	500 * time.Millisecond, 750 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second,
	10 * time.Second, 30 * time.Second,
}

// joins measures how long subscribers wait. Any goroutine may use it.
type joins struct {
	counts [len(joinLimits) + 1]atomic.Uint64 // the last one is of those beyond all limits
	sum    atomic.Int64                       // in nanoseconds
}

func (j *joins) add(took time.Duration) {
	i := 0
	for i < len(joinLimits) && took > joinLimits[i] {
		i++
	}
	j.counts[i].Add(1)
	j.sum.Add(int64(took))
}

// histogram returns what was measured so far.
func (j *joins) histogram() Histogram {
	h := Histogram{Sum: time.Duration(j.sum.Load()), Buckets: make([]Bucket, len(joinLimits))}
	for i, limit := range joinLimits {
		h.Count += j.counts[i].Load()
		h.Buckets[i] = Bucket{limit, h.Count}
	}
	h.Count += j.counts[len(joinLimits)].Load()
	return h
}
