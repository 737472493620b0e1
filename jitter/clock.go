package jitter

import (
	"sync"
	"time"

	"galene/rtptime"
)

const (
	// memory is how long a [StreamClock] goes by an observation at least, and at most twice
	// as long. It is long enough to catch a packet that did not queue, and short enough for
	// clocks that drift apart by 100 parts in a million to be followed to within 6 ms.
	memory = 30 * time.Second

	// maxDelay is how much later than the earliest one a sender report can arrive without the
	// publisher's clock having been set back.
	maxDelay = 2 * time.Second
)

// StreamClock relates a publisher's wall clock to the local one, for all tracks of a stream. It
// goes by the sender reports that spent the least time on the way: their arrival minus their NTP
// time, a running minimum over the last 30 to 60 seconds, is the offset between the clocks
// plus the least delay. So it does not matter by how much the publisher's clock
// is wrong.
//
// Its methods may be called from any goroutine; nothing is called while its lock is held.
type StreamClock struct {
	mu       sync.Mutex // guards the fields below
	started  bool
	origin   rtptime.NTP     // some time on the publisher's clock
	present  rtptime.Instant // what origin is in local time, by the reports since turn
	previous rtptime.Instant // the same, by the reports of the period before that
	turn     rtptime.Instant // when the present period began
}

// NewStreamClock returns a clock that has seen no report yet.
func NewStreamClock() *StreamClock {
	return &StreamClock{}
}

// observe takes note of a report sent at ntp that arrived at arrival.
func (c *StreamClock) observe(ntp rtptime.NTP, arrival rtptime.Instant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	origin := arrival.Add(-ntp.Sub(c.origin))
	if !c.started || origin.Sub(min(c.present, c.previous)) > maxDelay {
		c.started = true
		c.origin = ntp
		c.present, c.previous = arrival, arrival
		c.turn = arrival
		return
	}
	switch age := arrival.Sub(c.turn); {
	case age >= 2*memory:
		c.present, c.previous = origin, origin
		c.turn = arrival
	case age >= memory:
		c.present, c.previous = origin, c.present
		c.turn = arrival
	default:
		c.present = min(c.present, origin)
	}
}

// local returns the local time of ntp on the publisher's clock. ok is false before the first
// report.
func (c *StreamClock) local(ntp rtptime.NTP) (t rtptime.Instant, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return min(c.present, c.previous).Add(ntp.Sub(c.origin)), c.started
}

// TrackClock relates the RTP timestamps of one track to local time, by way of the publisher's wall
// clock: tracks that share a [StreamClock] stay synchronised with each other as the publisher meant
// them to be.
//
// Its methods may be called from any goroutine; its lock is not held while the
// stream's clock is called.
type TrackClock struct {
	// Immutable after NewTrackClock.
	stream    *StreamClock
	clockRate uint32

	mu        sync.Mutex // guards the fields below
	reported  bool
	ntp       rtptime.NTP // of the last sender report
	timestamp uint32      // the RTP timestamp of that instant
}

// NewTrackClock returns the clock of a track of stream, whose timestamps tick at clockRate hertz.
func NewTrackClock(stream *StreamClock, clockRate uint32) *TrackClock {
	return &TrackClock{stream: stream, clockRate: clockRate}
}

// SenderReport takes note of a sender report, which says that rtp is the RTP timestamp of what
// was captured at ntp on the publisher's clock, and that arrived at arrival. A report of a publisher
// without a wall clock, whose ntp is 0 (RFC 3550 §6.4.1), is ignored.
func (c *TrackClock) SenderReport(ntp rtptime.NTP, rtp uint32, arrival rtptime.Instant) {
	if ntp == 0 {
		return
	}
	c.stream.observe(ntp, arrival)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reported, c.ntp, c.timestamp = true, ntp, rtp
}

// RTPAt returns the RTP timestamp that corresponds to local time t. ok is false before the first
// sender report.
func (c *TrackClock) RTPAt(t rtptime.Instant) (rtp uint32, ok bool) {
	reported, timestamp, ok := c.line()
	if !ok {
		return 0, false
	}
	return timestamp + uint32(rtptime.Ticks(t.Sub(reported), c.clockRate)), true
}

// InstantAt returns the local time that corresponds to RTP timestamp rtp, which is taken to be less
// than 2³¹ ticks away from the last sender report's. ok is false before the first one.
func (c *TrackClock) InstantAt(rtp uint32) (t rtptime.Instant, ok bool) {
	reported, timestamp, ok := c.line()
	if !ok {
		return 0, false
	}
	return reported.Add(rtptime.TicksDuration(int64(int32(rtp-timestamp)), c.clockRate)), true
}

// line returns the local time of the last sender report's instant, and its timestamp.
func (c *TrackClock) line() (t rtptime.Instant, timestamp uint32, ok bool) {
	c.mu.Lock()
	reported, ntp, timestamp := c.reported, c.ntp, c.timestamp
	c.mu.Unlock()
	if !reported {
		return 0, 0, false
	}
	t, ok = c.stream.local(ntp)
	return t, timestamp, ok
}
