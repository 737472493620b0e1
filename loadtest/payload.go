package loadtest

import "encoding/binary"

// The pictures that video claims to hold, in pixels.
const (
	pictureWidth  = 1280
	pictureHeight = 720
)

// Lengths in octets. Every video packet leaves room for the longest descriptor, so that all are of the same size.
const (
	descriptorSize  = 6                                              // RFC 7741 §4.2 with 15-bit picture ID
	keyframeSize    = 10                                             // of the frame tag, start code and picture size
	minVideoPayload = descriptorSize + keyframeSize + contentTrailer // of a video packet
	audioPayload    = 80
)

// picture is what a VP8 packet says of its frame.
type picture struct {
	number   uint16 // of the frame
	layer    uint8  // TL0PICIDX
	keyframe bool
	first    bool // this is the frame's first packet
}

// describeVP8 writes the payload descriptor with picture ID, TL0PICIDX and temporal layer 0, and at a frame's start the
// payload header (RFC 7741 §4.2, §4.3). It returns how many octets that took, at most descriptorSize+keyframeSize,
// which b has.
func describeVP8(b []byte, p picture) int {
	const extended, start, pictureID, tl0, tid = 0x80, 0x10, 0x80, 0x40, 0x20
	b[0] = extended
	if p.first {
		b[0] |= start
	}
	b[1] = pictureID | tl0 | tid
	binary.BigEndian.PutUint16(b[2:], 0x8000|p.number&0x7fff)
	b[4] = p.layer
	b[5] = 0
	switch {
	case p.first && p.keyframe:
		copy(b[6:], []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a}) // shown keyframe, start code
		binary.LittleEndian.PutUint16(b[12:], pictureWidth)
		binary.LittleEndian.PutUint16(b[14:], pictureHeight)
		return descriptorSize + keyframeSize
	case p.first:
		copy(b[6:], []byte{0x11, 0, 0}) // shown interframe
		return descriptorSize + 3
	}
	return descriptorSize
}

// describeOpus writes the TOC octet of one CELT frame of 20 ms (RFC 6716 §3.1).
func describeOpus(b []byte) int {
	b[0] = 0xfc
	return 1
}
