package packetcache

import (
	"time"

	"galene/rtptime"
)

const (
	// maxGroupAge is how old a keyframe may be for newcomers to be started from it:
	// they have to catch up with all that followed.
	maxGroupAge = 1500 * time.Millisecond

	// maxGroupSize is how many octets a newcomer may be sent to catch up.
	maxGroupSize = 1 << 20
)

// group is the current group of pictures: the packets since the start of the last
// keyframe. The zero value is no group.
type group struct {
	open  bool
	first int64           // the first packet of the keyframe
	start rtptime.Instant // when that packet was received
	count int64           // packets received since first, it included
	size  int64           // their octets
}

// startsAt says whether a keyframe that starts at seq begins a newer group.
func (g *group) startsAt(seq int64) bool {
	return !g.open || seq > g.first
}

// add counts a packet of size octets, if it belongs to the group.
func (g *group) add(seq int64, size int) {
	if g.open && seq > g.first {
		g.count++
		g.size += int64(size)
	}
}

// expire closes the group if a ring of that length has no room for all of it any more.
func (g *group) expire(head int64, length int) {
	if head-g.first >= int64(length) {
		*g = group{}
	}
}

// openGroup begins the group of the keyframe whose first packet, seq, has just been stored. Usually
// that is the head; if it came late, what follows it is in the ring already. The caller
// holds the lock.
func (c *Cache[M]) openGroup(seq int64, now rtptime.Instant) {
	c.group = group{open: true, first: seq, start: now}
	last := min(c.head, seq+int64(len(c.slots))-1)
	for i := seq; i <= last; i++ {
		if s := c.find(i); s != nil {
			c.group.count++
			c.group.size += int64(s.size)
		}
	}
}

// GroupOfPictures returns the range of packets, both ends included, from the start of the last
// keyframe to the head. ok is false unless that start was received at most 1.5 s ago, the packets
// sum up to at most a mebibyte, every one of them is in the cache, and they take at most half of it:
// while a newcomer is sent them at twice the pace at which they came, as many arrive, and the
// first of those overwrite the last of these otherwise.
func (c *Cache[M]) GroupOfPictures(now rtptime.Instant) (first, last int64, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	g := &c.group
	length := c.head - g.first + 1
	if !g.open || now.Sub(g.start) > maxGroupAge || g.size > maxGroupSize ||
		g.count != length || 2*length > int64(len(c.slots)) {
		return 0, 0, false
	}
	return g.first, c.head, true
}
