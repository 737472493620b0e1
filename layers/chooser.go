package layers

import (
	"time"

	"galene/rtptime"
)

const (
	// headroom is how much more than it takes must be allowed before a step up, in percent.
	headroom = 115
	// steady is for how long it must be.
	steady = 1500 * time.Millisecond
	// minPause is the least time between a change and a step up, doubled by each step up that failed up
	// to maxPause.
	minPause = 3 * time.Second
	maxPause = 30 * time.Second
	// patience is for how long what is wanted may not be sent by the publisher before another rung
	// takes its place.
	patience = 2 * time.Second
)

// Rung is one of the ways to send a stream: an encoding with its layers up to some. Rungs are
// ordered from the least to the most.
type Rung struct {
	Rate uint64 // what it takes at present, in bits per second
	Live bool   // whether the publisher sends it
}

// Chooser picks the rung that a subscriber can take. The zero value is ready for use.
type Chooser struct {
	begun   bool
	changed rtptime.Instant // when the rung was last changed
	pause   time.Duration   // how long to wait after that
	climbed bool            // the last change was a step up, which may fail yet
	fits    rtptime.Instant // since when the next rung fits; 0 if it does not
	dead    rtptime.Instant // since when the present rung is not sent; 0 if it is
	hurried bool            // what is not sent is not waited for
}

// Hurry has the next Choose not wait for what the publisher does not send: the subscriber, who is being
// sent something, has asked for something else.
func (c *Chooser) Hurry() { c.hurried = true }

// Choose returns which rung to send, given the present one, an index in rungs, and what the
// subscriber is allowed in bits per second. It goes down at once, and up by single
// steps after a pause. At least the lowest rung that is live is sent; if none is, or until one that has just
// stopped is given up, the present one.
func (c *Chooser) Choose(rungs []Rung, present int, allowed uint64, now rtptime.Instant) int {
	if !c.begun {
		c.begun, c.changed, c.pause = true, now, minPause
	}
	next := c.choose(rungs, present, allowed, now)
	c.hurried = false
	if next != present {
		c.changed, c.fits, c.dead = now, 0, 0
	}
	return next
}

func (c *Chooser) choose(rungs []Rung, present int, allowed uint64, now rtptime.Instant) int {
	if !rungs[present].Live {
		return c.replace(rungs, present, now)
	}
	c.dead = 0
	if rungs[present].Rate > allowed {
		if below := lower(rungs, present, allowed); below >= 0 {
			if c.climbed {
				c.pause = min(2*c.pause, maxPause)
			}
			c.climbed = false
			return below
		}
		return present
	}
	if c.climbed && now.Sub(c.changed) > c.pause {
		c.climbed, c.pause = false, minPause // the step up was good
	}
	return c.climb(rungs, present, allowed, now)
}

// climb goes one step up if that has fitted for long enough.
func (c *Chooser) climb(rungs []Rung, present int, allowed uint64, now rtptime.Instant) int {
	above := present + 1
	for above < len(rungs) && !rungs[above].Live {
		above++
	}
	if above == len(rungs) || rungs[above].Rate > allowed/headroom*100 {
		c.fits = 0
		return present
	}
	if c.fits == 0 {
		c.fits = now
	}
	if now.Sub(c.fits) < steady || now.Sub(c.changed) < c.pause {
		return present
	}
	c.climbed = true
	return above
}

// replace finds a rung in the place of one that is not sent any more, or was never.
func (c *Chooser) replace(rungs []Rung, present int, now rtptime.Instant) int {
	if c.dead == 0 {
		c.dead = now
	}
	if now.Sub(c.dead) < patience && !c.hurried {
		return present
	}
	for i := present - 1; i >= 0; i-- {
		if rungs[i].Live {
			return i
		}
	}
	for i := present + 1; i < len(rungs); i++ {
		if rungs[i].Live {
			return i
		}
	}
	return present
}

// lower returns the highest live rung below present that is allowed, or else the lowest live
// one; -1 if there is none.
func lower(rungs []Rung, present int, allowed uint64) int {
	lowest := -1
	for i := present - 1; i >= 0; i-- {
		if !rungs[i].Live {
			continue
		}
		if lowest = i; rungs[i].Rate <= allowed {
			break
		}
	}
	return lowest
}
