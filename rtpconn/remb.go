package rtpconn

import (
	"slices"
	"time"

	"github.com/pion/rtcp"

	"galene/conn"
	"galene/estimator"
	"galene/layers"
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

// remb tells the publisher what it may send of all tracks together
// (draft-alvestrand-rmcat-remb-03 §2.2); nil if nothing has come yet for which it
// would understand that.
func (u *Up) remb(now rtptime.Instant) *rtcp.ReceiverEstimatedMaximumBitrate {
	remb := &rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: u.ssrc}
	var rates []uint64
	for _, t := range u.tracks.Load().own {
		if !t.current.Load().feedback.remb {
			continue
		}
		// An encoding that is not sent yet counts, or else the limit
		// would keep the publisher from ever sending it.
		rates = append(rates, t.permittedRate(now))
		if ssrc := t.ssrc(); ssrc != 0 {
			remb.SSRCs = append(remb.SSRCs, ssrc)
		}
	}
	if len(remb.SSRCs) == 0 {
		return nil
	}
	remb.Bitrate = float32(estimator.Total(rates...))
	return remb
}

// sendREMB does so out of turn.
func (u *Up) sendREMB(now rtptime.Instant) {
	if remb := u.remb(now); remb != nil {
		u.send(remb)
	}
}

// permittedRate is what a track's publisher may send, in bits per second, for
// what the track's subscribers can take.
func (t *upTrack) permittedRate(now rtptime.Instant) uint64 {
	switch t.rid {
	case "":
	case lowEncoding:
		return estimator.LowEncodingRate
	default:
		return t.permittedEncoding(now)
	}
	var buffer [64]uint64
	allowed := t.sinks.allowedRates(now, buffer[:0])
	if t.estimates() {
		return estimator.Ceiling(allowed, t.highestLayer(now) != layers.Layer{})
	}
	sent := t.sinks.highestLayers()
	return estimator.Cap(allowed, sent.Spatial, sent.Temporal)
}

// estimates tells whether the publisher finds out by itself what its network bears.
func (t *upTrack) estimates() bool { return t.current.Load().feedback.transport }

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
	case len(wishes) > 0 && t.estimates():
		return estimator.Ceiling(wishes, true)
	case slices.Contains(wishes, estimator.Unlimited):
		return max(encodingStart, 2*sent)
	case len(wishes) > 0:
		return estimator.Cap([]uint64{slices.Max(wishes)}, 0, 0)
	case above || lingers:
		return max(estimator.Cap(nil, 0, 0), sent+sent/4)
	case t.estimates() && !t.up.takesOther(t):
		return estimator.Ceiling(nil, true)
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

// takesOther tells whether somebody takes another encoding of t's section.
func (u *Up) takesOther(t *upTrack) bool {
	return slices.ContainsFunc(u.tracks.Load().own, func(other *upTrack) bool {
		return other != t && other.mid == t.mid && !other.sinks.empty()
	})
}

// highestLayers returns the highest layers that any sink is being sent.
func (f *fanout) highestLayers() (highest layers.Layer) {
	for _, s := range f.list() {
		if feed, ok := s.(*feed); ok {
			l := feed.sentLayers()
			highest.Spatial = max(highest.Spatial, l.Spatial)
			highest.Temporal = max(highest.Temporal, l.Temporal)
		}
	}
	return highest
}

// sentLayers returns up to which layers the subscriber is being sent a track.
func (f *feed) sentLayers() layers.Layer {
	if s := f.down.counters.layers.Load(); s != nil {
		return layers.Layer{Spatial: s.Spatial, Temporal: s.Temporal}
	}
	return layers.Layer{}
}
