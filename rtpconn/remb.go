package rtpconn

import (
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
	return estimator.Cap(t.sinks.allowedRates(now, buffer[:0]), 0, 0)
}
