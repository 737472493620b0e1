package testkit

import "encoding/binary"

// The pictures that payloads claim to hold, in pixels.
const (
	pictureWidth  = 320
	pictureHeight = 180
)

// picture is what a payload's descriptor says of its packet.
type picture struct {
	number      uint32 // of the frame, from 0
	packet      int    // of the frame's packets, from 0
	keyframe    bool
	first, last bool // of the frame
}

// describeVP8 appends a descriptor with picture id, TL0PICIDX and temporal
// layer 0, and at a frame's start the payload header (RFC 7741 §4.2, §4.3).
func describeVP8(p picture, b []byte) []byte {
	const extended, start, picID, tl0, tid = 0x80, 0x10, 0x80, 0x40, 0x20
	first := byte(extended)
	if p.first {
		first |= start
	}
	b = append(b, first, picID|tl0|tid)
	b = binary.BigEndian.AppendUint16(b, 0x8000|uint16(p.number)&0x7fff)
	b = append(b, byte(p.number), 0)
	switch {
	case p.first && p.keyframe:
		b = append(b, 0x10, 0, 0, 0x9d, 0x01, 0x2a) // shown keyframe, start code
		b = binary.LittleEndian.AppendUint16(b, pictureWidth)
		b = binary.LittleEndian.AppendUint16(b, pictureHeight)
	case p.first:
		b = append(b, 0x11, 0, 0) // shown interframe
	}
	return b
}

// describeVP9 appends a descriptor of non-flexible mode with picture id and one
// layer, at a keyframe's start the scalability structure, and at each frame's
// start its uncompressed header's beginning (RFC 9628 §4.2).
func describeVP9(p picture, b []byte) []byte {
	const picID, inter, layers, begin, end, structure = 0x80, 0x40, 0x20, 0x08, 0x04, 0x02
	first := byte(picID | layers)
	if !p.keyframe {
		first |= inter
	}
	if p.first {
		first |= begin
	}
	if p.last {
		first |= end
	}
	if p.first && p.keyframe {
		first |= structure
	}
	b = append(b, first)
	b = binary.BigEndian.AppendUint16(b, 0x8000|uint16(p.number)&0x7fff)
	b = append(b, 0, byte(p.number)) // layer indices, TL0PICIDX
	switch {
	case p.first && p.keyframe:
		b = append(b, 0x10) // one spatial layer, with resolution
		b = binary.BigEndian.AppendUint16(b, pictureWidth)
		b = binary.BigEndian.AppendUint16(b, pictureHeight)
		b = append(b, 0x82, 0x49, 0x83, 0x42)
	case p.first:
		b = append(b, 0x86)
	}
	return b
}

// Parameter sets of the constrained baseline profile, 320×192 (ITU-T H.264
// §7.3.2).
var (
	h264SequenceSet = []byte{0x67, 0x42, 0xe0, 0x1f, 0xda, 0x05, 0x06, 0x64}
	h264PictureSet  = []byte{0x68, 0xce, 0x38, 0x80}
)

// describeH264 appends what precedes the slice data (RFC 6184 §5). A keyframe's
// first packet aggregates the parameter sets and the first slice. An interframe
// of one packet is a single slice; other packets are fragments of one.
func describeH264(p picture, b []byte) []byte {
	const stapA, fuA, start, end = 24, 28, 0x80, 0x40
	const reference = 0x60
	slice := byte(1)
	if p.keyframe {
		slice = 5
	}
	switch {
	case p.first && p.keyframe:
		b = append(b, reference|stapA)
		for _, set := range [][]byte{h264SequenceSet, h264PictureSet} {
			b = binary.BigEndian.AppendUint16(b, uint16(len(set)))
			b = append(b, set...)
		}
		return append(b, 0, 0, reference|slice, 0x88) // the length is filled in by finishH264
	case p.first && p.last:
		return append(b, reference|slice, 0x9a)
	}
	// A keyframe's fragments begin with its second packet: the first one holds
	// a slice of its own.
	second := p.keyframe && p.packet == 1
	switch {
	case second && p.last:
		return append(b, reference|slice, 0x44) // only one more packet: a single slice
	case second:
		return append(b, reference|fuA, slice|start, 0x44)
	case p.first:
		return append(b, reference|fuA, slice|start, 0x9a)
	case p.last:
		return append(b, reference|fuA, slice|end)
	}
	return append(b, reference|fuA, slice)
}

// finishH264 fills in the length of the slice that ends an aggregation packet.
func finishH264(payload []byte) {
	if len(payload) == 0 || payload[0]&0x1f != 24 {
		return
	}
	at := 1 + 2 + len(h264SequenceSet) + 2 + len(h264PictureSet)
	binary.BigEndian.PutUint16(payload[at:], uint16(len(payload)-at-2))
}

// av1SequenceHeader is a sequence header OBU without size, main profile,
// 320×180 (AV1 bitstream §5.5).
var av1SequenceHeader = []byte{0x08, 0x00, 0x00, 0x00, 0x04, 0x3c, 0xfe, 0xcc, 0x01, 0x80, 0x08}

// describeAV1 appends the aggregation header, at a keyframe's start the
// sequence header, and at each frame's start that of its frame OBU (AV1 RTP
// §4.4).
func describeAV1(p picture, b []byte) []byte {
	const continues, goesOn, newSequence, oneElement, twoElements = 0x80, 0x40, 0x08, 0x10, 0x20
	header := byte(oneElement)
	if !p.first {
		header |= continues
	}
	if !p.last {
		header |= goesOn
	}
	if !p.first {
		return append(b, header)
	}
	const frameOBU, key, inter = 0x30, 0x10, 0x30 // OBU header; shown key frame, shown interframe
	if !p.keyframe {
		return append(b, header, frameOBU, inter)
	}
	header = header&^oneElement | twoElements | newSequence
	b = append(b, header, byte(len(av1SequenceHeader)))
	b = append(b, av1SequenceHeader...)
	return append(b, frameOBU, key)
}

// describeOpus appends the TOC byte of one CELT frame of 20 ms (RFC 6716 §3.1).
func describeOpus(_ picture, b []byte) []byte { return append(b, 0xfc) }
