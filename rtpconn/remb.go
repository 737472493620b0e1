package rtpconn

import (
	"slices"

	"github.com/pion/rtcp"

	"galene/estimator"
	"galene/layers"
	"galene/rtptime"
)

// lowEncoding is the rid of the encoding that clients send at a fixed low rate.
const lowEncoding = "l"

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
	if t.rid == lowEncoding {
		return estimator.LowEncodingRate
	}
	var buffer [64]uint64
	allowed := t.sinks.allowedRates(now, buffer[:0])
	if len(allowed) == 0 && t.up.takesOther(t) {
		// Who takes another encoding may come back to this one, if it is sent.
		return estimator.Cap(nil, 0, 0)
	}
	if t.current.Load().feedback.transport {
		_, top := t.layerRates(now)
		return estimator.Ceiling(allowed, t.rid != "" || top != layers.Layer{})
	}
	if t.rid != "" && len(allowed) > 0 {
		// Who cannot take this encoding takes another one, and holds nobody up.
		allowed = append(allowed[:0], slices.Max(allowed))
	}
	sent := t.sinks.highestLayers()
	return estimator.Cap(allowed, sent.Spatial, sent.Temporal)
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
