package netsim

import (
	"math/rand/v2"
	"time"
)

// Conditions say what befalls the packets of one direction. The zero value is a perfect
// network.
type Conditions struct {
	// Loss is the part of the packets that is lost, from 0 to 1.
	Loss float64
	// Burst is how many packets in a row are lost on average, once one is: the two
	// states of Gilbert and Elliott's model, of which the bad one loses everything. At 1 or
	// less, each packet is lost or not for itself.
	Burst float64
	// Delay is how long a packet travels. Jitter adds up to as much, evenly
	// distributed, without changing the order.
	Delay, Jitter time.Duration
	// Reorder is the part of the packets that travels ReorderDelay longer and is
	// overtaken meanwhile.
	Reorder      float64
	ReorderDelay time.Duration
	// Duplicate is the part of the packets that arrives twice.
	Duplicate float64
	// Rate is how many bits per second pass; 0 means any number. Packets wait their
	// turn in a queue, but are lost if that takes longer than Queue.
	Rate  int
	Queue time.Duration
}

// Statistics count what became of packets.
type Statistics struct {
	Offered    uint64 // to the path
	Lost       uint64 // by chance
	Overflowed uint64 // lost since the queue was full
	Reordered  uint64 // delayed to be overtaken
	Duplicated uint64
}

// Path is one direction of a simulated network.
type Path struct {
	conditions Conditions
	random     *rand.Rand
	statistics Statistics

	bad    bool          // a burst of losses goes on
	idle   time.Duration // when the bottleneck will have sent all it was given
	latest time.Duration // when the last packet arrives that keeps its place
}

// NewPath returns a path on which a seed decides by chance. Paths of equal seed and
// conditions treat the same packets alike.
func NewPath(seed uint64, c Conditions) *Path {
	return &Path{conditions: c, random: rand.New(rand.NewPCG(seed, seed))} //nolint:gosec // it is to be predictable
}

// SetConditions changes what befalls later packets.
func (p *Path) SetConditions(c Conditions) { p.conditions = c }

// Statistics returns what became of all packets so far.
func (p *Path) Statistics() Statistics { return p.statistics }

// Pass sends a packet of size bytes at now, on any clock. It returns when it arrives: never,
// once, or twice.
func (p *Path) Pass(now time.Duration, size int) (arrivals [2]time.Duration, n int) {
	c := &p.conditions
	p.statistics.Offered++
	// The same number of chances for each packet, whatever the conditions: who changes one
	// of these leaves the others' effects as they were.
	lost, moved := p.random.Float64(), p.random.Float64()
	reordered, duplicated := p.random.Float64() < c.Reorder, p.random.Float64() < c.Duplicate
	if p.loses(lost) {
		p.statistics.Lost++
		return arrivals, 0
	}
	leaves, ok := p.queue(now, size)
	if !ok {
		p.statistics.Overflowed++
		return arrivals, 0
	}
	at := leaves + c.Delay + time.Duration(moved*float64(c.Jitter))
	at = max(at, p.latest)
	if reordered {
		p.statistics.Reordered++
		at += c.ReorderDelay
	} else {
		p.latest = at
	}
	arrivals[0], arrivals[1] = at, at
	if duplicated {
		p.statistics.Duplicated++
		return arrivals, 2
	}
	return arrivals, 1
}

// loses decides whether a packet is lost, by a number from 0 to 1.
func (p *Path) loses(chance float64) bool {
	c := &p.conditions
	if c.Burst <= 1 || c.Loss <= 0 || c.Loss >= 1 {
		p.bad = false
		return chance < c.Loss
	}
	// In the long run, the states last as long as the loss says.
	leave := 1 / c.Burst
	enter := min(1, leave*c.Loss/(1-c.Loss))
	if p.bad {
		p.bad = chance >= leave
	} else {
		p.bad = chance < enter
	}
	return p.bad
}

// queue returns when a packet has passed the bottleneck. ok is false if it finds no room
// before that.
func (p *Path) queue(now time.Duration, size int) (leaves time.Duration, ok bool) {
	c := &p.conditions
	if c.Rate <= 0 {
		p.idle = now
		return now, true
	}
	begins := max(p.idle, now)
	if begins-now > c.Queue {
		return 0, false
	}
	p.idle = begins + time.Duration(int64(size)*8*int64(time.Second)/int64(c.Rate))
	return p.idle, true
}
