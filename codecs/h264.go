package codecs

import "encoding/binary"

// NAL unit types (ITU-T H.264 table 7-1), and the packet types which RTP adds
// (RFC 6184 §5.2).
const (
	nalSlice      = 1
	nalPartitionA = 2
	nalIDR        = 5
	nalSEI        = 6
	nalSPS        = 7
	nalPPS        = 8
	nalAUD        = 9
	nalPrefix     = 14 // up to 18: units that go ahead of a picture
	nalReserved18 = 18
	nalLast       = 23 // the last type of a single NAL unit packet

	nalSTAPA  = 24
	nalSTAPB  = 25
	nalMTAP16 = 26
	nalMTAP24 = 27
	nalFUA    = 28
	nalFUB    = 29

	nalTypeMask = 0x1f
	fuStart     = 0x80 // S bit of the FU header
)

// parseH264 is the [Parser] of H.264 (RFC 6184 §5), in all packetisation modes.
//
// A keyframe starts at a sequence parameter set: alone, in any aggregation
// packet, or in the first fragment of one. An IDR slice without parameter sets
// is no keyframe, since a decoder cannot begin there.
//
// Start is set where an access unit may begin (ITU-T H.264 §7.4.1.2.3): at a
// delimiter, parameter set, supplemental information or other unit that goes
// ahead of a picture, and at a slice whose first_mb_in_slice is 0. Several
// packets of one frame may have it; the first of a timestamp is the start.
func parseH264(payload []byte, marker bool, f *Frame) {
	*f = Frame{PictureID: -1, TL0PicIdx: -1, End: marker}
	if !h264Packet(payload, f) {
		*f = Frame{}
		return
	}
	f.Known = true
	if f.Keyframe {
		f.Start, f.SwitchUp = true, true
	}
}

// h264Packet reads one packet by its type, and returns false if it is malformed
// or of a reserved type.
func h264Packet(payload []byte, f *Frame) bool {
	if len(payload) == 0 {
		return false
	}
	// An aggregation packet has a decoding order number after its type, except
	// STAP-A; its units have their order and time between size and content,
	// in MTAPs only (RFC 6184 §5.7).
	switch t := payload[0] & nalTypeMask; t {
	case nalSTAPA:
		return h264Aggregate(payload, 1, 0, f)
	case nalSTAPB:
		return h264Aggregate(payload, 3, 0, f)
	case nalMTAP16:
		return h264Aggregate(payload, 3, 3, f)
	case nalMTAP24:
		return h264Aggregate(payload, 3, 4, f)
	case nalFUA:
		return h264Fragment(payload, 2, f)
	case nalFUB:
		return h264Fragment(payload, 4, f)
	default:
		if t == 0 || t > nalLast {
			return false
		}
		f.Start = h264Begins(t, payload[1:])
		h264Unit(t, payload[1:], f)
		return true
	}
}

// h264Aggregate reads an aggregation packet whose units begin at payload[n],
// each a 16-bit size, then skip bytes, then the NAL unit.
func h264Aggregate(payload []byte, n, skip int, f *Frame) bool {
	if n >= len(payload) {
		return false
	}
	for first := true; n < len(payload); first = false {
		if n+2 > len(payload) {
			return false
		}
		size := int(binary.BigEndian.Uint16(payload[n:]))
		n += 2 + skip
		if size == 0 || n+size > len(payload) {
			return false
		}
		t, body := payload[n]&nalTypeMask, payload[n+1:n+size]
		if first {
			f.Start = h264Begins(t, body)
		}
		h264Unit(t, body, f)
		n += size
	}
	return true
}

// h264Fragment reads a fragment of a NAL unit whose content begins at
// payload[n].
func h264Fragment(payload []byte, n int, f *Frame) bool {
	if len(payload) < n {
		return false
	}
	t := payload[1] & nalTypeMask
	if t == 0 || t > nalLast {
		return false
	}
	if payload[1]&fuStart != 0 {
		f.Start = h264Begins(t, payload[n:])
		h264Unit(t, payload[n:], f)
	}
	return true
}

// h264Begins tells whether an access unit may begin with a NAL unit of type t.
// The body is what follows its header.
func h264Begins(t uint8, body []byte) bool {
	switch t {
	case nalSlice, nalPartitionA, nalIDR:
		// first_mb_in_slice comes first, and its code for 0 is a single 1.
		return len(body) > 0 && body[0]&0x80 != 0
	case nalSEI, nalSPS, nalPPS, nalAUD:
		return true
	default:
		return t >= nalPrefix && t <= nalReserved18
	}
}

// h264Unit notes a sequence parameter set and the size it tells.
func h264Unit(t uint8, body []byte, f *Frame) {
	if t == nalSPS && !f.Keyframe {
		f.Keyframe = true
		h264Size(body, f)
	}
}
