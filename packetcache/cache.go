package packetcache

import (
	"math/bits"
	"sync"

	"galene/rtptime"
)

// maxPackets bounds the ring of a [Cache], whatever it is asked for.
const maxPackets = 1 << 14

// Cache holds the most recent packets of one track, each with metadata M, which should be
// small and hold no pointers.
//
// Buffer, Commit and Resize belong to the writer. The other methods may be called from
// any goroutine. Nothing is called while the lock is held.
type Cache[M any] struct {
	// Immutable after New.
	packetSize int

	// Owned by the writer.
	spare []byte // packetSize octets

	mu    sync.RWMutex // guards the fields below against readers; only the writer writes them
	slots []slot[M]    // packet seq is in slot seq & (len-1); a power of two long
	head  int64        // the greatest sequence number committed; valid if begun
	begun bool         // whether a packet was ever committed
	group group        // the current group of pictures
}

// slot holds one packet, or none.
type slot[M any] struct {
	seq  int64
	size int // octets of the packet in data; -1 if the slot is empty
	data []byte
	meta M
}

// New returns a cache for that many packets, rounded up to a power of two, of at most
// packetSize octets each. All memory is allocated here and in [Cache.Resize].
func New[M any](packets, packetSize int) *Cache[M] {
	c := &Cache[M]{
		packetSize: packetSize,
		spare:      make([]byte, packetSize),
		slots:      make([]slot[M], ringLength(packets)),
	}
	for i := range c.slots {
		c.slots[i] = slot[M]{size: -1, data: make([]byte, packetSize)}
	}
	return c
}

// ringLength returns the power of two that packets is rounded up to.
func ringLength(packets int) int {
	packets = min(max(packets, 1), maxPackets)
	return 1 << bits.Len(uint(packets-1))
}

// Buffer returns a buffer of packetSize octets for the writer to read the next packet into.
// It remains the same, and the writer's, until a call of Commit succeeds.
func (c *Cache[M]) Buffer() []byte {
	return c.spare
}

// Commit stores the first n octets of the spare buffer as packet seq, an unwrapped sequence
// number, received at now. keyframe says that the packet is the first of a keyframe.
//
// The returned data is the packet where it lies in the cache. The writer may read but not
// change it, until it commits the packet that takes its slot, a ring's length
// later. ok is false, and nothing happens, if the packet is already stored, if it is a
// ring's length or more behind the head, or if n is out of range. Commit does not allocate.
func (c *Cache[M]) Commit(seq int64, n int, keyframe bool, now rtptime.Instant, meta M) (data []byte, ok bool) {
	if n < 0 || n > len(c.spare) {
		return nil, false
	}
	if c.begun && seq <= c.head-int64(len(c.slots)) || c.find(seq) != nil {
		return nil, false
	}
	s := c.slot(seq)

	c.mu.Lock()
	s.data, c.spare = c.spare, s.data
	s.seq, s.size, s.meta = seq, n, meta
	if !c.begun || seq > c.head {
		c.head, c.begun = seq, true
	}
	if keyframe && c.group.startsAt(seq) {
		c.openGroup(seq, now)
	} else {
		c.group.add(seq, n)
	}
	c.group.expire(c.head, len(c.slots))
	c.mu.Unlock()

	return s.data[:n], true
}

// Get copies packet seq to dst and returns its length and metadata. ok is false if the packet
// is not in the cache, or if dst is too short for it; n is then the length needed.
// Get does not allocate.
func (c *Cache[M]) Get(seq int64, dst []byte) (n int, meta M, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s := c.find(seq)
	if s == nil {
		return 0, meta, false
	}
	if s.size > len(dst) {
		return s.size, meta, false
	}
	return copy(dst, s.data[:s.size]), s.meta, true
}

// Has says whether packet seq is in the cache.
func (c *Cache[M]) Has(seq int64) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.find(seq) != nil
}

// Head returns the greatest sequence number committed so far. ok is false before the first.
func (c *Cache[M]) Head() (seq int64, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.head, c.begun
}

// Len returns the length of the ring: how many packets fit.
func (c *Cache[M]) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.slots)
}

// Resize changes how many packets fit, rounded up to a power of two. The most recent packets
// are kept. Packets that [Cache.Commit] returned remain valid for the writer.
func (c *Cache[M]) Resize(packets int) {
	length := ringLength(packets)
	if length == len(c.slots) {
		return
	}
	slots := make([]slot[M], length)
	for i := range slots {
		slots[i].size = -1
	}
	kept := min(length, len(c.slots))
	for seq := c.head; c.begun && seq > c.head-int64(kept); seq-- {
		if s := c.find(seq); s != nil {
			slots[seq&int64(length-1)] = *s
		}
	}
	for i := range slots {
		if slots[i].data == nil {
			slots[i].data = make([]byte, c.packetSize)
		}
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	c.slots = slots
	c.group.expire(c.head, length)
}

// slot returns where packet seq would be.
func (c *Cache[M]) slot(seq int64) *slot[M] {
	return &c.slots[seq&int64(len(c.slots)-1)]
}

// find returns the slot that holds packet seq, or nil. What a jump ahead left behind in the ring
// is too old to be found.
func (c *Cache[M]) find(seq int64) *slot[M] {
	s := c.slot(seq)
	if s.size < 0 || s.seq != seq || seq <= c.head-int64(len(c.slots)) {
		return nil
	}
	return s
}
