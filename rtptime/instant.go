package rtptime

import (
	"math"
	"math/bits"
	"time"
)

// Instant is a point on this process's monotonic clock, in nanoseconds. It means
// nothing outside the process. Zero means never.
type Instant int64

// origin is where the clock of [Now] reads zero. It lies an hour before the
// process started, so that subtracting any usual age from an early instant
// gives neither zero nor a negative value.
var origin = time.Now().Add(-time.Hour)

// Now returns the present. It never goes back and is never zero. Inside a
// testing/synctest bubble it follows the bubble's clock; instants taken inside and
// outside of a bubble must not be compared.
func Now() Instant {
	if d := time.Since(origin); d > 0 {
		return Instant(d)
	}
	// Only a bubble's clock, which starts in the year 2000 and has no monotonic
	// reading to compare with that of origin, gets here. It is never set back.
	return Instant(time.Now().UnixNano())
}

// Add returns the instant d after t.
func (t Instant) Add(d time.Duration) Instant {
	return t + Instant(d)
}

// Sub returns the time from u to t, negative if t is earlier.
func (t Instant) Sub(u Instant) time.Duration {
	return time.Duration(t - u)
}

// Ticks returns how often a clock of clockRate hertz ticks in d, rounded towards
// zero and limited to the range of an int64.
func Ticks(d time.Duration, clockRate uint32) int64 {
	return scale(int64(d), uint64(clockRate), uint64(time.Second))
}

// TicksDuration returns how long a clock of clockRate hertz takes for that many
// ticks, rounded towards zero and limited to the range of a Duration. It is
// zero if clockRate is.
func TicksDuration(ticks int64, clockRate uint32) time.Duration {
	if clockRate == 0 {
		return 0
	}
	return time.Duration(scale(ticks, uint64(time.Second), uint64(clockRate)))
}

// scale returns v*num/den through a product of 128 bits, rounded towards zero and
// saturated. den must not be zero.
func scale(v int64, num, den uint64) int64 {
	magnitude := uint64(v)
	if v < 0 {
		magnitude = -magnitude
	}
	quotient := uint64(math.MaxInt64)
	if hi, lo := bits.Mul64(magnitude, num); hi < den {
		quotient, _ = bits.Div64(hi, lo, den)
		quotient = min(quotient, math.MaxInt64)
	}
	if v < 0 {
		return -int64(quotient)
	}
	return int64(quotient)
}
