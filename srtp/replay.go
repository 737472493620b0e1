package srtp

// replaySize is how many packets a [Replay] remembers; a multiple of 64.
const replaySize = 1024

// Replay is the replay list of one SSRC (RFC 3711 §3.3.2): a window of 1024 packets that ends with the greatest
// index accepted. The zero Replay has accepted nothing. It belongs to one goroutine.
type Replay struct {
	highest uint64
	started bool
	seen    [replaySize / 64]uint64 // a ring by index: bit index%replaySize, of the packets in the window
}

// Fresh reports whether a packet may be opened: whether its index has not been accepted, and is not too old to tell.
func (r *Replay) Fresh(index uint64) bool {
	switch {
	case !r.started || index > r.highest:
		return true
	case r.highest-index >= replaySize:
		return false
	default:
		return r.seen[index%replaySize/64]>>(index%64)&1 == 0
	}
}

// Accept records a packet that was fresh and has been authenticated. An index too old for the window is ignored.
func (r *Replay) Accept(index uint64) {
	switch {
	case !r.started:
		r.started, r.highest = true, index
	case index > r.highest:
		r.forget(index)
		r.highest = index
	case r.highest-index >= replaySize:
		return
	}
	r.seen[index%replaySize/64] |= 1 << (index % 64)
}

// Highest returns the greatest index accepted, for [EstimateIndex]. ok is false if there is none.
func (r *Replay) Highest() (index uint64, ok bool) { return r.highest, r.started }

// forget clears the places of the indices between highest and index.
func (r *Replay) forget(index uint64) {
	if index-r.highest >= replaySize {
		clear(r.seen[:])
		return
	}
	for i := r.highest + 1; i < index; i++ {
		r.seen[i%replaySize/64] &^= 1 << (i % 64)
	}
}
