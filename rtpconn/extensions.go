package rtpconn

import (
	"encoding/binary"

	"github.com/pion/webrtc/v4"

	"galene/codecs"
	"galene/conn"
)

// The two forms of header extensions (RFC 8285 §4.2, §4.3).
const (
	oneByteProfile   = 0xbede
	twoByteProfile   = 0x1000
	twoByteMask      = 0xfff0 // the rest is application bits
	oneByteReserved  = 15     // ends the block
	oneByteMaxLength = 16
)

// What is read of header extensions beside what is forwarded.
const (
	transportNumber = conn.ExtensionCount + iota
	sectionID
	encodingID
	repairedID
)

// extensionURIs names the extensions.
//
//nolint:gochecknoglobals // constant
var extensionURIs = map[string]conn.Extension{
	codecs.ExtensionAbsoluteCaptureTime:  conn.AbsoluteCaptureTime,
	codecs.ExtensionAudioLevel:           conn.AudioLevel,
	codecs.ExtensionVideoOrientation:     conn.VideoOrientation,
	codecs.ExtensionPlayoutDelay:         conn.PlayoutDelay,
	codecs.ExtensionDependencyDescriptor: conn.DependencyDescriptor,
	codecs.ExtensionLayersAllocation:     conn.LayersAllocation,
	codecs.ExtensionTransportNumber:      transportNumber,
	codecs.ExtensionMID:                  sectionID,
	codecs.ExtensionRID:                  encodingID,
	codecs.ExtensionRepairedRID:          repairedID,
}

// extensionTable says what the ids of header extensions mean on a connection: the
// sections of a bundle agree on them (RFC 8843 §14.1). It holds each kind plus
// one; 0 is none. It is immutable.
type extensionTable [256]uint8

// newExtensionTable makes a table of what was negotiated.
func newExtensionTable(negotiated ...[]webrtc.RTPHeaderExtensionParameter) *extensionTable {
	t := &extensionTable{}
	for _, list := range negotiated {
		for _, p := range list {
			if x, ok := extensionURIs[p.URI]; ok && p.ID > 0 && p.ID < len(t) {
				t[p.ID] = uint8(x) + 1
			}
		}
	}
	return t
}

// extensionReader goes through the header extensions of a packet, of which it has
// seen the header.
type extensionReader struct {
	packet  []byte
	at, end int
	twoByte bool
}

// readExtensions returns a reader for a packet. It does not allocate.
func readExtensions(packet []byte, h *header) extensionReader {
	r := extensionReader{packet: packet}
	if h.extension == 0 || h.start > len(packet) {
		return r
	}
	switch profile := binary.BigEndian.Uint16(packet[h.extension-4:]); {
	case profile == oneByteProfile:
		r.at, r.end = h.extension, h.start
	case profile&twoByteMask == twoByteProfile:
		r.at, r.end, r.twoByte = h.extension, h.start, true
	}
	return r
}

// next returns the next extension, whose value is packet[start:start+length]. ok is
// false at the end, and where the block makes no sense.
func (r *extensionReader) next() (id uint8, start, length int, ok bool) {
	for r.at < r.end && r.packet[r.at] == 0 {
		r.at++ // padding
	}
	if r.at >= r.end {
		return 0, 0, 0, false
	}
	if r.twoByte {
		if r.at+2 > r.end {
			return 0, 0, 0, false
		}
		id, start, length = r.packet[r.at], r.at+2, int(r.packet[r.at+1])
	} else {
		id, start, length = r.packet[r.at]>>4, r.at+1, int(r.packet[r.at]&0x0f)+1
		if id == 0 || id == oneByteReserved {
			return 0, 0, 0, false // padding has no length (RFC 8285 §4.2)
		}
	}
	r.at = start + length
	return id, start, length, r.at <= r.end
}

// received is what the header extensions of a received packet say.
type received struct {
	forwarded conn.Extensions
	transport int32 // transport-wide sequence number, -1 if there is none
	// These are where their values lie: empty if there are none.
	mid, rid, repairedRID, descriptor []byte
}

// read reads them. It does not allocate. What is known by no id of t is passed over.
func (e *received) read(packet []byte, h *header, t *extensionTable) {
	*e = received{transport: -1}
	if h.extension == 0 || t == nil {
		return
	}
	for r := readExtensions(packet, h); ; {
		id, start, length, ok := r.next()
		if !ok {
			return
		}
		x := conn.Extension(t[id] - 1)
		switch {
		case x < conn.ExtensionCount:
			e.forwarded.Set(x, uint16(start), uint8(length))
			if x == conn.DependencyDescriptor {
				e.descriptor = packet[start : start+length]
			}
		case x == transportNumber && length >= 2:
			e.transport = int32(binary.BigEndian.Uint16(packet[start:]))
		case x == sectionID:
			e.mid = packet[start : start+length]
		case x == encodingID:
			e.rid = packet[start : start+length]
		case x == repairedID:
			e.repairedRID = packet[start : start+length]
		}
	}
}
