package estimator

import (
	"math/bits"
	"slices"
)

const (
	// minCap is the lowest rate to which subscribers hold a publisher's track.
	minCap = 204_800

	// minCeiling is the same for a track with nothing to leave out, whose publisher knows
	// by itself what its own network bears.
	minCeiling = 300_000

	// idleCeiling is what a track may have that nobody takes.
	idleCeiling = 100_000

	// LowEncodingRate is what the lowest encoding of a simulcast, the one whose rid is "l",
	// is permitted whatever its subscribers say.
	LowEncodingRate = 102_400
)

// Cap returns the rate permitted to a publisher's track, by the rates allowed to its subscribers and by
// the highest spatial and temporal layers that any of them is being sent.
//
// Each subscriber counts for at least 204800. The slowest of them limits the rate, but twice as high for
// each temporal layer, which it need not be sent; and so does the fastest one, a quarter higher if
// there are spatial layers. Without subscribers the result is 204800, and with
// [Unlimited] ones only, Unlimited.
func Cap(allowed []uint64, spatial, temporal uint8) uint64 {
	if len(allowed) == 0 {
		return minCap
	}
	slowest, fastest := uint64(Unlimited), uint64(minCap)
	for _, rate := range allowed {
		slowest = min(slowest, max(rate, minCap))
		fastest = max(fastest, rate)
	}
	if spatial > 0 {
		fastest = saturatingAdd(fastest, fastest/4)
	}
	if bits.LeadingZeros64(slowest) < int(temporal) {
		slowest = Unlimited
	} else {
		slowest <<= temporal
	}
	return min(slowest, fastest)
}

// Ceiling does what [Cap] does for publishers that find out by themselves what their own network
// bears, by transport-wide feedback: to them the result is not an estimate, but the most that would be of use.
//
// What is layered, or one of several encodings, is of use as long as one subscriber can take all of it; who cannot is sent less.
// Of the others, a quarter of the subscribers at most is left behind, and never below 300000.
// Without subscribers the result is 100000, and with [Unlimited] ones only, Unlimited. Ceiling sorts allowed.
func Ceiling(allowed []uint64, layered bool) uint64 {
	if len(allowed) == 0 {
		return idleCeiling
	}
	slices.Sort(allowed)
	if layered {
		return max(allowed[len(allowed)-1], minCap)
	}
	return max(allowed[(len(allowed)-1)/4], minCeiling)
}

// Total returns the sum of rates, at most [MaxRate]: what a REMB for several tracks says.
func Total(rates ...uint64) uint64 {
	total := uint64(0)
	for _, rate := range rates {
		total = saturatingAdd(total, rate)
	}
	return min(total, MaxRate)
}

// saturatingAdd returns a+b, or Unlimited if that is too much.
func saturatingAdd(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return Unlimited
	}
	return sum
}
