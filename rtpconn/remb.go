package rtpconn

import (
	"slices"

	"galene/estimator"
	"galene/rtptime"
)

// lowEncoding is the rid of the encoding that clients send at a fixed low rate.
const lowEncoding = "l"

// permittedRate is what a track's publisher may send, in bits per second, for
// what the track's subscribers can take.
func (t *upTrack) permittedRate(now rtptime.Instant) uint64 {
	if t.rid == lowEncoding {
		return estimator.LowEncodingRate
	}
	var buffer [64]uint64
	allowed := t.sinks.allowedRates(now, buffer[:0])
	if t.rid != "" && len(allowed) > 0 {
		// Who cannot take this encoding takes another one, and holds nobody up.
		allowed = append(allowed[:0], slices.Max(allowed))
	}
	return estimator.Cap(allowed, 0, 0)
}
