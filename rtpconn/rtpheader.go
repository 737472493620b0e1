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
	sequence    uint16
	timestamp   uint32
	payloadType uint8
	marker      bool
	// The payload is packet[start:end]: CSRCs and extensions lie before it,
	// padding behind.
	start, end int
}

// parseHeader reads the header of an RTP packet into h. It reports whether the
// packet is well-formed; h is then within the packet. It does not allocate.
func parseHeader(packet []byte, h *header) bool {
	if len(packet) < rtpFixedHeader || packet[0]>>6 != rtpVersion {
		return false
	}
	start := rtpFixedHeader + 4*int(packet[0]&rtpCSRCCount)
	if packet[0]&rtpExtensionBit != 0 {
		if len(packet) < start+4 {
			return false
		}
		start += 4 + 4*int(binary.BigEndian.Uint16(packet[start+2:]))
	}
	end := len(packet)
	if start > end {
		return false
	}
	if packet[0]&rtpPaddingBit != 0 {
		padding := int(packet[end-1])
		if padding == 0 || padding > end-start {
			return false
		}
		end -= padding
	}
	*h = header{
		sequence:    binary.BigEndian.Uint16(packet[2:]),
		timestamp:   binary.BigEndian.Uint32(packet[4:]),
		payloadType: packet[1] & rtpPayloadType,
		marker:      packet[1]&rtpMarkerBit != 0,
		start:       start,
		end:         end,
	}
	return true
}
