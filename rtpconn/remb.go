package rtpconn

import (
	"slices"
	"time"

	"galene/conn"
	"galene/estimator"
	"galene/rtptime"
)

const (
	// lowEncoding is the rid of the encoding that clients send at a fixed low rate.
	lowEncoding = "l"

	// encodingStart is permitted at least to an encoding that somebody would take whose feedback
	// shows no limit: the rate of what was sent so far says nothing about it.
	encodingStart = 1_000_000

	// encodingLinger is for how long an encoding that nobody takes any more is permitted as it
	// is sent, so that it is there for who comes back to it.
	encodingLinger = 30 * time.Second
)

// chooser is a sink that changes between the encodings of a simulcast.
type chooser interface {
	// choice returns the encoding that is being taken, and the best one that would be; and the
	// most that the subscriber's feedback shows it to be able to take, or Unlimited.
	choice(now rtptime.Instant) (taken, best conn.UpTrack, limit uint64)
}

// permittedRate is what a track's publisher may send, in bits per second, for
// what the track's subscribers can take.
func (t *upTrack) permittedRate(now rtptime.Instant) uint64 {
	switch t.rid {
	case "":
		var buffer [64]uint64
		return estimator.Cap(t.sinks.allowedRates(now, buffer[:0]), 0, 0)
	case lowEncoding:
		return estimator.LowEncodingRate
	default:
		return t.permittedEncoding(now)
	}
}

// permittedEncoding is what may be sent of one encoding of several. Who cannot take this one takes
// another one, and holds nobody up. Publishers spend what they may send on the lower encodings
// first, so these count as they are sent, or else those above would get but what they leave.
func (t *upTrack) permittedEncoding(now rtptime.Instant) uint64 {
	sent, _ := t.rate.Rate(now)
	wishes, above := t.up.wishes(t, now)
	if len(wishes) > 0 {
		t.wished.Store(int64(now))
	}
	lingers := t.wished.Load() != 0 && now.Sub(rtptime.Instant(t.wished.Load())) < encodingLinger
	switch {
	case slices.Contains(wishes, estimator.Unlimited):
		return max(encodingStart, 2*sent)
	case len(wishes) > 0:
		return estimator.Cap([]uint64{slices.Max(wishes)}, 0, 0)
	case above || lingers:
		return max(estimator.Cap(nil, 0, 0), sent+sent/4)
	default:
		return estimator.Cap(nil, 0, 0)
	}
}

// wishes returns what each subscriber that would take encoding t can take of it, and
// whether any would take a better one of its section.
func (u *Up) wishes(t *upTrack, now rtptime.Instant) (wishes []uint64, above bool) {
	list := u.tracks.Load()
	rank := slices.Index(list.own, t)
	note := func(e conn.UpTrack, rate uint64) {
		at := slices.Index(list.view, e)
		if at == rank {
			wishes = append(wishes, rate)
		}
		above = above || at >= 0 && at < rank
	}
	for _, e := range list.own {
		if e.mid != t.mid {
			continue
		}
		e.sinks.each(func(s conn.Sink) {
			c, ok := s.(chooser)
			if !ok {
				note(e, s.AllowedRate(now))
				return
			}
			taken, best, limit := c.choice(now)
			note(taken, limit)
			if best != taken && limit == estimator.Unlimited {
				note(best, limit)
			}
		})
	}
	return wishes, above
}
