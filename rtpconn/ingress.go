package rtpconn

import (
	"slices"
	"sync"

	"github.com/pion/webrtc/v4"

	"galene/rtptime"
	"galene/srtp"
	"galene/udpmux"
	"galene/udpsocket"
)

// ingress is where an up connection's packets come in: from a reader of the mux,
// still protected, once the connection's lane is open and Pion has told which
// track a source belongs to; before that, and otherwise, from Pion, in the clear.
// Either way they go into the same cache.
//
// It implements [udpmux.Receiver]. The mux's readers and Pion's hold the lock
// while they deliver, so that each track has one reader at a time.
type ingress struct {
	up *Up // immutable

	mu      sync.Mutex   // guards what the ingests own, and the fields below
	opener  *srtp.Opener // nil while the lane is not open, and at the end
	sources []*ingest    // few
	claims  []claim      // of encodings that have a source
	// extensions says what the ids of header extensions mean; nil at first.
	extensions *extensionTable
}

var _ udpmux.Receiver = (*ingress)(nil)

// sourceState is what is known of a source by those who protect it.
type sourceState struct {
	ssrc   uint32
	direct bool // packets are taken past Pion
	replay srtp.Replay
}

// index returns the packet index of a sequence number (RFC 3711 §3.3.1).
func (s *sourceState) index(sequence uint16) uint64 {
	highest, _ := s.replay.Highest()
	return srtp.EstimateIndex(highest, sequence)
}

// add makes what comes from a source in future go to in.
func (g *ingress) add(ssrc webrtc.SSRC, in *ingest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	in.source.ssrc = uint32(ssrc)
	g.sources = append(g.sources, in)
}

// remove undoes add.
func (g *ingress) remove(in *ingest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.disclaim(in)
	g.sources = slices.DeleteFunc(g.sources, func(other *ingest) bool { return other == in })
}

// find returns the newest source with an SSRC, or nil. The caller holds the lock.
func (g *ingress) find(ssrc uint32) *ingest {
	for _, in := range slices.Backward(g.sources) {
		if in.source.ssrc == ssrc {
			return in
		}
	}
	return nil
}

// open makes packets that are still protected welcome, or unwelcome if opener is nil.
func (g *ingress) open(opener *srtp.Opener) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opener = opener
}

// setExtensions says what the ids of header extensions mean from now on.
func (g *ingress) setExtensions(t *extensionTable) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.extensions = t
}

// ReceiveRTP implements udpmux.Receiver.
func (g *ingress) ReceiveRTP(b []byte, burst *udpsocket.Batch) bool {
	defer g.up.recover("receiving")
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opener == nil {
		return false
	}
	var h header
	if !parseHeader(b, &h) {
		return false
	}
	in := g.find(h.ssrc)
	if in == nil {
		return g.receiveRepair(b, &h, burst)
	}
	s := &in.source
	index := s.index(h.sequence)
	if highest, _ := s.replay.Highest(); !s.direct && index != highest+1 {
		return false // Pion has yet to deliver what came before
	}
	if !s.replay.Fresh(index) {
		return true
	}
	n, err := g.opener.Open(in.track.cache.Buffer(), b, h.start, h.ssrc, index)
	if err != nil {
		in.track.reject()
		return true
	}
	s.replay.Accept(index)
	s.direct = true
	in.header = h
	in.take(n, rtptime.Now(), burst)
	return index%pionStride != 0 // Pion's copy will be a duplicate
}

// EndBurst implements udpmux.Receiver.
func (g *ingress) EndBurst(burst *udpsocket.Batch) {
	defer g.up.recover("forwarding")
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, in := range g.sources {
		in.flush(burst)
	}
}

// receive takes a packet in the clear from Pion.
func (g *ingress) receive(in *ingest, packet []byte) {
	out := g.up.engine.batch()
	defer g.up.engine.release(out)
	g.mu.Lock()
	defer g.mu.Unlock()
	if !parseHeader(packet, &in.header) {
		in.track.reject()
		return
	}
	index := in.source.index(in.header.sequence)
	if g.opener != nil && !in.source.replay.Fresh(index) {
		return // it came through the lane too
	}
	in.source.replay.Accept(index)
	buffer := in.track.cache.Buffer()
	if len(packet) <= len(buffer) && in.take(copy(buffer, packet), rtptime.Now(), out) {
		in.flush(out)
	}
}
