package rtpconn

import (
	"time"

	"galene/rtptime"
)

const (
	// keyframeSpacing and keyframeMargin make the least time between two
	// requests: max(keyframeSpacing, round trip + keyframeMargin).
	keyframeSpacing = 300 * time.Millisecond
	keyframeMargin  = 10 * time.Millisecond
	// keyframeMaxSpacing is what the time between requests grows to while
	// they remain unanswered.
	keyframeMaxSpacing = 2 * time.Second
)

// keyframeRequester decides when a track's publisher is asked for a keyframe.
// Reasons are coalesced; once there is one, the request is repeated until a
// keyframe has really come, whether or not packets flow. It has no lock and
// reads no clock.
//
//	         want                        due
//	Idle ───────────▶ Wanted ─┬──────────────────▶ ask, and double the spacing
//	  ▲                 │  ▲  └──────────────────────────┐
//	  └─── received ────┘  └─────────────────────────────┘
type keyframeRequester struct {
	wanted  bool
	asked   rtptime.Instant // when the last request was sent; 0 if never
	retries int             // requests sent since the last keyframe
	number  uint8           // of the present request, for FIR (RFC 5104 §4.3.1.1)
}

// want makes a request wanted. It reports whether it was not already.
func (k *keyframeRequester) want() bool {
	if k.wanted {
		return false
	}
	k.wanted = true
	k.number++
	return true
}

// received tells that a keyframe has started to arrive.
func (k *keyframeRequester) received() { k.wanted, k.retries = false, 0 }

// forget drops the request, as when nobody takes the track any more.
func (k *keyframeRequester) forget() { k.wanted = false }

// next returns when a request is to be sent; ok is false if none is wanted.
func (k *keyframeRequester) next(roundTrip time.Duration) (at rtptime.Instant, ok bool) {
	if !k.wanted {
		return 0, false
	}
	if k.asked == 0 {
		return 0, true
	}
	spacing := max(keyframeSpacing, roundTrip+keyframeMargin)
	for range min(k.retries-1, 8) {
		spacing *= 2
	}
	return k.asked.Add(min(spacing, max(keyframeMaxSpacing, roundTrip+keyframeMargin))), true
}

// due reports whether a request is to be sent now, and takes it for sent.
func (k *keyframeRequester) due(now rtptime.Instant, roundTrip time.Duration) bool {
	at, ok := k.next(roundTrip)
	if !ok || now < at {
		return false
	}
	k.asked = now
	k.retries++
	return true
}
