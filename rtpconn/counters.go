package rtpconn

import (
	"sync/atomic"
	"time"

	"galene/codecs"
	"galene/estimator"
	"galene/jitter"
	"galene/rtptime"
)

// receptionValidity is how long what a receiver reports of its reception counts.
const receptionValidity = 30 * time.Second

// counters is what a track keeps for statistics. What is counted of each packet
// is in its rate; everything here changes rarely. Any goroutine may use it, and
// none waits for another.
type counters struct {
	// Immutable.
	direction direction
	kind      codecs.Kind
	clockRate uint32 // of the reports that a down track gets
	rate      *estimator.Rate

	lost          atomic.Uint64
	nacks         atomic.Uint64
	plis, firs    atomic.Uint64
	retransmitted atomic.Uint64
	malformed     atomic.Uint64
	layerDrops    atomic.Uint64
	sendErrors    atomic.Uint64

	mostLost  atomic.Int64 // greatest cumulative loss that is in lost
	reception atomic.Pointer[reception]
	roundTrip atomic.Int64 // in nanoseconds; 0 if never measured
	// layers is stored anew by whoever chooses layers, when the choice changes;
	// nil as long as there is nothing to choose.
	layers atomic.Pointer[LayerStats]
}

// reception is what was reported last of how packets arrive. It is immutable.
type reception struct {
	at     rtptime.Instant
	loss   float64
	jitter time.Duration
}

// current returns what was reported, zero if that is too old.
func (c *counters) current(now rtptime.Instant) reception {
	if r := c.reception.Load(); r != nil && now.Sub(r.at) < receptionValidity {
		return *r
	}
	return reception{}
}

// observe takes over an up track's statistics, whose interval has just ended.
func (c *counters) observe(s *jitter.Statistics, now rtptime.Instant) {
	c.addLosses(s.Lost())
	c.reception.Store(&reception{at: now, loss: s.Loss(), jitter: s.Jitter()})
}

// reported takes over a report block of a subscriber (RFC 3550 §6.4.1). Nobody can
// have lost more packets than were sent.
func (c *counters) reported(fractionLost uint8, totalLost, jitter uint32, now rtptime.Instant) {
	cumulative := int64(int32(totalLost<<8) >> 8) // 24 bits, signed
	c.addLosses(min(cumulative, int64(c.rate.Packets())))
	c.reception.Store(&reception{
		at:     now,
		loss:   float64(fractionLost) / (1 << 8),
		jitter: rtptime.TicksDuration(int64(jitter), c.clockRate),
	})
}

// addLosses counts what a cumulative loss exceeds all earlier ones by. It goes
// down when late packets arrive, and a counter must not.
func (c *counters) addLosses(cumulative int64) {
	for {
		most := c.mostLost.Load()
		if cumulative <= most {
			return
		}
		if c.mostLost.CompareAndSwap(most, cumulative) {
			c.lost.Add(uint64(cumulative - most))
			return
		}
	}
}

// askedForKeyframe counts a request that was sent to a publisher of that feedback.
func (c *counters) askedForKeyframe(understood feedback) {
	switch {
	case understood.pli:
		c.plis.Add(1)
	case understood.fir:
		c.firs.Add(1)
	}
}

// counts returns the totals. They are read one after the other.
func (c *counters) counts() Counts {
	packets, bytes := c.rate.Packets(), c.rate.Bytes()
	if c.direction == downward {
		bytes += packets * rtpFixedHeader // the rate is that of payloads
	}
	return Counts{
		Packets:       packets,
		Bytes:         bytes,
		Lost:          c.lost.Load(),
		NACKs:         c.nacks.Load(),
		PLIs:          c.plis.Load(),
		FIRs:          c.firs.Load(),
		Retransmitted: c.retransmitted.Load(),
		Malformed:     c.malformed.Load(),
		LayerDrops:    c.layerDrops.Load(),
		SendErrors:    c.sendErrors.Load(),
	}
}

// bitrate returns the rate of the last window in bit/s, RTP headers included.
func (c *counters) bitrate(now rtptime.Instant) uint64 {
	bits, packets := c.rate.Rate(now)
	if c.direction == downward {
		bits += uint64(packets * rtpFixedHeader * 8)
	}
	return bits
}

// stats returns the part of a track's statistics that is the same both ways.
func (c *counters) stats(now rtptime.Instant) TrackStats {
	r := c.current(now)
	s := TrackStats{
		Kind:      c.kind,
		Counts:    c.counts(),
		Bitrate:   c.bitrate(now),
		Loss:      r.loss,
		Jitter:    r.jitter,
		RoundTrip: time.Duration(c.roundTrip.Load()),
	}
	if l := c.layers.Load(); l != nil {
		s.Layers = *l
	}
	return s
}
