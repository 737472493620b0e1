package udpsocket

const (
	// MaxDatagram is the longest payload that is sent or received, in octets.
	// Media and handshakes keep theirs within an Ethernet frame.
	MaxDatagram = 2048

	// The arena of a batch starts small, for a batch that retransmits now and
	// then, and grows to what a burst of one picture to 50 subscribers needs.
	minArena = 16 << 10
	maxArena = 192 << 10
	// maxRuns bounds the runs that wait in one batch.
	maxRuns = 1024

	// What the system accepts as one run: UDP_MAX_SEGMENTS of older kernels, and
	// less than the greatest length of an IP packet with its headers.
	maxSegments  = 64
	maxRunOctets = 65000
)

// run is datagrams to one destination that follow each other in the arena. All
// have the same size but the last, which may be shorter.
type run struct {
	to     *Destination // nil once it has been sent
	start  int          // of the first datagram in the arena
	octets int          // in total
	size   int          // of each datagram but the last
	count  int
}

// takes tells whether a datagram of n octets to d may follow the run.
func (r *run) takes(d *Destination, n int) bool {
	return r.to == d && n <= r.size && r.octets == r.count*r.size &&
		r.count < maxSegments && r.octets+n <= maxRunOctets
}

// Batch gathers datagrams to any number of destinations, of any socket, and
// sends them together. Datagrams to one destination leave in order. One goroutine
// owns it. The zero value is empty.
type Batch struct {
	arena    []byte // len is what is used
	runs     []run
	to       *Destination // of the reservation; nil if there is none
	reserved int
}

// NewBatch returns an empty batch. It takes memory when it is first used, at most
// about 200 KiB.
func NewBatch() *Batch { return new(Batch) }

// Reserve returns space for the next datagram, which goes to d, of n octets, the
// most that it will have: at most [MaxDatagram]. [Batch.Commit] or the next
// Reserve ends the reservation. Reserve sends what the batch holds if that leaves
// no space.
func (b *Batch) Reserve(d *Destination, n int) []byte {
	if n < 0 || n > MaxDatagram {
		panic("udpsocket: reservation out of range")
	}
	used := len(b.arena)
	if cap(b.arena)-used < n || len(b.runs) == maxRuns {
		b.makeRoom(n)
		used = len(b.arena)
	}
	b.to, b.reserved = d, n
	return b.arena[used : used+n : used+n]
}

// makeRoom makes space for n octets and a run.
func (b *Batch) makeRoom(n int) {
	if len(b.runs) == maxRuns || cap(b.arena) == maxArena {
		b.Flush()
		return
	}
	size := max(minArena, 2*cap(b.arena))
	for size < len(b.arena)+n {
		size *= 2
	}
	grown := make([]byte, len(b.arena), min(size, maxArena))
	copy(grown, b.arena)
	b.arena = grown
}

// Commit appends the datagram that was written into the reserved space, and has
// n octets in truth. None takes the reservation back.
func (b *Batch) Commit(n int) {
	d := b.to
	b.to = nil
	if n == 0 {
		return
	}
	if d == nil || n < 0 || n > b.reserved {
		panic("udpsocket: commit of more than was reserved")
	}
	start := len(b.arena)
	b.arena = b.arena[:start+n]
	if last := len(b.runs) - 1; last >= 0 && b.runs[last].takes(d, n) {
		b.runs[last].octets += n
		b.runs[last].count++
		return
	}
	b.runs = append(b.runs, run{to: d, start: start, octets: n, size: n, count: 1})
}

// Empty tells whether there is nothing to send.
func (b *Batch) Empty() bool { return len(b.runs) == 0 }

// Flush sends everything. What the system does not take is dropped and counted:
// see [Socket.Stats]. Afterwards the batch is empty.
func (b *Batch) Flush() {
	if len(b.runs) > 0 {
		b.transmit()
		clear(b.runs) // destinations are not kept alive
	}
	b.runs, b.arena, b.to = b.runs[:0], b.arena[:0], nil
}
