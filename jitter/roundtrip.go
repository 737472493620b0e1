package jitter

import (
	"time"

	"galene/rtptime"
)

const (
	// maxReportAge is how old the sender report that a report block refers to may be.
	maxReportAge = 8 * time.Second

	// clockGrain is by how much the delay a peer reports may exceed the time that has
	// really passed, since some peers read a coarse clock.
	clockGrain = 10 * time.Millisecond
)

// RoundTrip returns the round-trip time by a report block that arrived at now on our wall clock: lsr
// is the middle of the NTP time of the sender report it refers to, dlsr how long the peer has held
// that, in 1/65536 s (RFC 3550 §6.4.1). ok is false if it refers to none, to one sent 8 s
// ago or more, or to one that it cannot have held for so long.
//
// It is for the caller to know whether lsr is of a report that was really sent.
func RoundTrip(now rtptime.NTP, lsr, dlsr uint32) (rtt time.Duration, ok bool) {
	if lsr == 0 {
		return 0, false
	}
	elapsed := rtptime.TicksDuration(int64(int32(now.Middle()-lsr)), 1<<16)
	rtt = elapsed - rtptime.TicksDuration(int64(dlsr), 1<<16)
	if elapsed >= maxReportAge || rtt < -clockGrain {
		return 0, false
	}
	return max(rtt, 0), true
}

// SmoothRoundTrip returns the smoothed round-trip time after a new sample, which counts for a quarter.
// A smoothed time of 0 is none yet.
func SmoothRoundTrip(smoothed, sample time.Duration) time.Duration {
	if smoothed == 0 {
		return sample
	}
	return (3*smoothed + sample) / 4
}
