package rtpconn

import "encoding/binary"

// RTP header (RFC 3550 §5.1).
const (
	rtpVersion      = 2
	rtpFixedHeader  = 12
	rtpPaddingBit   = 0x20
	rtpExtensionBit = 0x10
	rtpCSRCCount    = 0x0f
	rtpMarkerBit    = 0x80
	rtpPayloadType  = 0x7f
)

// header is what is read of a received RTP packet.
type header struct {
	ssrc        uint32
	sequence    uint16
	timestamp   uint32
	payloadType uint8
	marker      bool
	padded      bool // the last octet counts padding, as unpad finds
	// The payload is packet[start:end]: CSRCs and extensions lie before it,
	// padding behind.
	start, end int
	// extension is where the block of header extensions begins, behind its own
	// header; 0 if there is none. It ends at start.
	extension int
	redundant int  // where a payload with redundancy begins, of which start is the primary block; or 0
	restored  bool // from a retransmission of its own source
}

// parseHeader reads the header of an RTP packet into h; the payload may still be
// encrypted and is not looked at, so h.end is that of the packet. It reports
// whether the header is well-formed and within the packet. It does not allocate.
func parseHeader(packet []byte, h *header) bool {
	if len(packet) < rtpFixedHeader || packet[0]>>6 != rtpVersion {
		return false
	}
	start, extension := rtpFixedHeader+4*int(packet[0]&rtpCSRCCount), 0
	if packet[0]&rtpExtensionBit != 0 {
		if len(packet) < start+4 {
			return false
		}
		extension = start + 4
		start = extension + 4*int(binary.BigEndian.Uint16(packet[start+2:]))
	}
	if start > len(packet) {
		return false
	}
	*h = header{
		ssrc:        binary.BigEndian.Uint32(packet[8:]),
		sequence:    binary.BigEndian.Uint16(packet[2:]),
		timestamp:   binary.BigEndian.Uint32(packet[4:]),
		payloadType: packet[1] & rtpPayloadType,
		marker:      packet[1]&rtpMarkerBit != 0,
		padded:      packet[0]&rtpPaddingBit != 0,
		start:       start,
		end:         len(packet),
		extension:   extension,
	}
	return true
}

// unpad finds the end of the payload of a packet in the clear, of which h is the
// header. It reports whether the padding is well-formed.
func (h *header) unpad(packet []byte) bool {
	h.end = len(packet)
	if h.start > h.end {
		return false
	}
	if !h.padded {
		return true
	}
	if h.end == h.start {
		return false
	}
	padding := int(packet[h.end-1])
	if padding == 0 || padding > h.end-h.start {
		return false
	}
	h.end -= padding
	return true
}
