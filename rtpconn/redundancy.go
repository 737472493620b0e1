package rtpconn

import (
	"github.com/pion/webrtc/v4"

	"galene/codecs"
	"galene/conn"
)

// findPrimary makes the primary block the payload of the packet in buffer, if that
// comes with redundancy (RFC 2198): whoever cannot make use of more needs to know
// of nothing else. It reports whether there is one, or no need for one.
func (in *ingest) findPrimary(buffer []byte) bool {
	h := &in.header
	if in.current != nil && in.current.format.PayloadType == h.payloadType {
		return true
	}
	p := in.track.payloads.Load().carries(h.payloadType)
	if p == nil {
		return true // another codec
	}
	if h.start == h.end {
		h.payloadType = p.format.PayloadType
		return true // padding
	}
	payloadType, start, ok := codecs.ParseRED(buffer[h.start:h.end])
	if !ok || payloadType != p.format.PayloadType {
		return false
	}
	h.payloadType, h.redundant = payloadType, h.start
	h.start += start
	return true
}

// payloadTypes are those under which a subscriber takes a track.
type payloadTypes struct {
	plain     uint8
	redundant uint8 // with redundancy; 0 if it does not take that
}

// bindRedundancy notes under which payload type the subscriber takes redundancy.
func (l *trackLocal) bindRedundancy(c webrtc.TrackLocalContext, plain uint8) {
	d := l.track
	d.mu.Lock()
	defer d.mu.Unlock()
	d.payload.redundant = redundancyType(c.CodecParameters(), webrtc.PayloadType(plain))
}

// choosePayload returns what is sent of a packet to a subscriber that takes redundancy,
// and makes the next header say so: the blocks as they came, if any, under the
// payload type that they say. The choice depends on nothing that changes, so a resend
// makes the same. The caller holds the lock.
func (d *downTrack) choosePayload(p *conn.Packet) []byte {
	if len(p.Redundant) > 0 && p.PayloadType == d.payload.plain {
		d.header.PayloadType = d.payload.redundant
		return p.Redundant
	}
	d.header.PayloadType = d.payload.plain
	return p.Payload
}
