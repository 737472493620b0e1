package packetcache

import "time"

const (
	// minCapacity and maxCapacity bound what [Capacity] returns, in packets.
	minCapacity = 64
	maxCapacity = 4096

	// minHistory is how far back packets should be kept at least.
	minHistory = time.Second
)

// Capacity returns how many packets the cache of a track should hold: what comes in a second,
// or in three of the longest round trips to a subscriber and a bit if that is more,
// so that a retransmission can be asked for repeatedly. The result is a power of two from
// 64 to 4096.
func Capacity(packetsPerSecond float64, roundTrip time.Duration) int {
	history := max(minHistory, 3*roundTrip+200*time.Millisecond)
	packets := packetsPerSecond * history.Seconds()
	if !(packets > minCapacity) { // not a number included
		return minCapacity
	}
	return ringLength(int(min(packets, maxCapacity)))
}
