package rtpconn

import (
	"encoding/binary"

	"github.com/pion/webrtc/v4"

	"galene/rtptime"
	"galene/udpsocket"
)

// originalNumber is how many octets precede the original payload in a
// retransmission: its sequence number (RFC 4588 §4).
const originalNumber = 2

// maxRepairDistance is how far behind the newest packet one may be that is
// repaired: it could not find a place in any cache.
const maxRepairDistance = 4096

// receiveRepair takes a packet whose source is none of the tracks', still
// protected, if it is a retransmission. Who sends it has proved by then that it is
// the peer. The caller holds the lock, and has checked that there is an opener.
func (g *ingress) receiveRepair(b []byte, h *header, out *udpsocket.Batch) bool {
	in := g.repaired(b, h)
	if in == nil {
		return false
	}
	source := in.repairSource(h.ssrc)
	index := source.index(h.sequence)
	if !source.replay.Fresh(index) {
		return true
	}
	n, err := g.opener.Open(in.track.cache.Buffer(), b, h.start, h.ssrc, index)
	if err != nil {
		in.track.reject()
		return true
	}
	source.replay.Accept(index)
	in.repair = source
	in.header = *h
	now := rtptime.Now()
	if in.restore(n) {
		in.take(in.header.end, now, out)
	} else {
		in.received.read(in.track.cache.Buffer()[:n], h, g.extensions)
		g.up.noteTransport(in.received.transport, h.ssrc, false, now) // probes count
	}
	return index%pionStride != 0 // as with tracks
}

// overhear takes a packet in the clear that Pion is about to queue for one of its
// readers, and reports whether it may. heard belongs to the packet's source, as settle has it.
func (g *ingress) overhear(packet []byte, heard *bool) (admitted bool) {
	defer g.up.recover("receiving")
	var h header
	if !parseHeader(packet, &h) {
		return true
	}
	admitted, former := g.note(packet, &h, heard)
	if former != nil {
		g.up.supersede(former)
	}
	return admitted
}

// note does overhear's work under the lock: it notes when the packet came. Retransmissions are
// taken here, at once: Pion's reader would not hand them over before the next packet of
// the track itself. former is a source whose place is taken by the packet's, or nil.
func (g *ingress) note(packet []byte, h *header, heard *bool) (admitted bool, former *ingest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := rtptime.Now()
	var said received
	said.read(packet, h, g.extensions)
	isTrack := g.find(h.ssrc) != nil
	g.up.noteTransport(said.transport, h.ssrc, isTrack, now)
	if isTrack {
		return true, nil
	}
	if in := g.repaired(packet, h); in != nil {
		g.repair(in, packet, h, now)
		return true, nil
	}
	return g.settle(h.ssrc, &said, heard)
}

// repair takes a retransmission in the clear. The caller holds the lock.
func (g *ingress) repair(in *ingest, packet []byte, h *header, now rtptime.Instant) {
	source := in.repairSource(h.ssrc)
	index := source.index(h.sequence)
	buffer := in.track.cache.Buffer()
	if !source.replay.Fresh(index) || len(packet) > len(buffer) {
		return
	}
	source.replay.Accept(index)
	in.repair = source
	in.header = *h
	if in.restore(copy(buffer, packet)) {
		out := g.up.engine.batch()
		defer g.up.engine.release(out)
		in.take(in.header.end, now, out)
		in.flush(out)
	}
}

// repairSource returns what is known of a source of retransmissions for the track:
// nothing if it is not the one before.
func (in *ingest) repairSource(ssrc uint32) sourceState {
	if in.repair.ssrc == ssrc {
		return in.repair
	}
	return sourceState{ssrc: ssrc}
}

// repaired returns the ingest whose retransmissions a packet belongs to, or nil: by
// its SSRC, if it has been seen or declared (RFC 5576 §4.2); by the encoding
// that it names (RFC 8852 §3.2); or else by its payload type, if that leaves only
// one track (RFC 4588 §8.6). The caller holds the lock.
func (g *ingress) repaired(packet []byte, h *header) *ingest {
	for _, in := range g.sources {
		if h.ssrc != 0 && (in.repair.ssrc == h.ssrc || in.declared == h.ssrc) {
			return in.ifRetransmits(h.payloadType)
		}
	}
	var ids received
	ids.read(packet, h, g.extensions)
	var found *ingest
	for _, in := range g.sources {
		t := in.track
		named := len(ids.repairedRID) > 0 && string(ids.repairedRID) == t.rid
		if in.ifRetransmits(h.payloadType) == nil ||
			len(ids.mid) > 0 && string(ids.mid) != t.mid ||
			!named && (t.rid != "" || in.repair.ssrc != 0 || in.declared != 0) {
			continue
		}
		if found != nil && found.track != t {
			return nil
		}
		found = in
	}
	return found
}

// ifRetransmits returns in if a payload type is of its track's retransmissions.
func (in *ingest) ifRetransmits(payloadType uint8) *ingest {
	if in.track.payloads.Load().retransmits(payloadType) == nil {
		return nil
	}
	return in
}

// restore makes of the retransmission in the first n octets of the cache's buffer,
// whose header is in in.header, the packet that was lost (RFC 4588 §4). It
// reports false if there is none in it, or none that is of use: probes consist
// of padding, or repeat what has long arrived.
func (in *ingest) restore(n int) bool {
	buffer := in.track.cache.Buffer()
	h := &in.header
	p := in.track.payloads.Load().retransmits(h.payloadType)
	if n > len(buffer) || p == nil || !h.unpad(buffer[:n]) {
		in.track.reject()
		return false
	}
	if h.end-h.start < originalNumber || in.newest == 0 {
		return false
	}
	h.sequence = binary.BigEndian.Uint16(buffer[h.start:])
	if behind := int16(uint16(in.newest) - h.sequence); behind > maxRepairDistance {
		return false
	}
	h.end = h.start + copy(buffer[h.start:], buffer[h.start+originalNumber:h.end])
	h.ssrc, h.payloadType, h.padded, h.restored = in.source.ssrc, p.format.PayloadType, false, true

	in.track.counters.retransmitted.Add(1)
	buffer[0] &^= rtpPaddingBit
	buffer[1] = buffer[1]&rtpMarkerBit | h.payloadType
	binary.BigEndian.PutUint16(buffer[2:], h.sequence)
	binary.BigEndian.PutUint32(buffer[8:], h.ssrc)
	return true
}

// isRepair tells whether Pion took a source of retransmissions for a track.
func isRepair(remote *webrtc.TrackRemote, list *trackList) bool {
	for _, t := range list.own {
		if t.payloads.Load().retransmits(uint8(remote.PayloadType())) != nil {
			return true
		}
	}
	return false
}
