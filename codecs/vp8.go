package codecs

import "encoding/binary"

// Bits of the VP8 payload descriptor (RFC 7741 §4.2).
const (
	vp8Extended  = 0x80 // X, first byte
	vp8NonRef    = 0x20 // N
	vp8Start     = 0x10 // S
	vp8Partition = 0x07 // PID

	vp8HasPictureID = 0x80 // I, extension byte
	vp8HasTL0       = 0x40 // L
	vp8HasTID       = 0x20 // T
	vp8HasKeyIdx    = 0x10 // K

	vp8LayerSync  = 0x20 // Y, in the byte of TID and KEYIDX
	vp8KeyIdxMask = 0x1f // KEYIDX
)

// longPictureID is the M bit of a VP8 or VP9 picture id: 15 bits, not 7.
const longPictureID = 0x80

// parseVP8 is the [Parser] of VP8 (RFC 7741 §4.2 and §4.3). Reserved bits are
// ignored. A descriptor with nothing behind it is unknown.
func parseVP8(payload []byte, marker bool, f *Frame) {
	*f = Frame{PictureID: -1, TL0PicIdx: -1, End: marker}
	n, ok := vp8Descriptor(payload, f)
	if !ok || n >= len(payload) {
		*f = Frame{}
		return
	}
	f.Known = true
	// A set P bit in the frame's first byte is an interframe (RFC 6386 §9.1).
	if f.Start && payload[n]&1 == 0 {
		f.Keyframe, f.SwitchUp = true, true
		vp8Size(payload[n:], f)
	}
}

// vp8Descriptor reads the descriptor into f and returns its length, 1 to 6.
// It returns false if payload ends inside it.
func vp8Descriptor(payload []byte, f *Frame) (n int, ok bool) {
	if len(payload) == 0 {
		return 0, false
	}
	first := payload[0]
	f.Discardable = first&vp8NonRef != 0
	f.Start = first&vp8Start != 0 && first&vp8Partition == 0
	if first&vp8Extended == 0 {
		return 1, true
	}
	if len(payload) < 2 {
		return 0, false
	}
	extension := payload[1]
	n = 2
	if extension&vp8HasPictureID != 0 {
		if n, ok = readPictureID(payload, n, f); !ok {
			return 0, false
		}
	}
	if extension&vp8HasTL0 != 0 {
		if n >= len(payload) {
			return 0, false
		}
		f.TL0PicIdx, f.TL0Offset = int16(payload[n]), uint8(n)
		n++
	}
	if extension&(vp8HasTID|vp8HasKeyIdx) != 0 {
		if n >= len(payload) {
			return 0, false
		}
		if extension&vp8HasTID != 0 {
			f.TemporalID = payload[n] >> 6
			f.SwitchUp = payload[n]&vp8LayerSync != 0
		}
		if extension&vp8HasKeyIdx != 0 {
			f.KeyIdx, f.KeyIdxOffset = payload[n]&vp8KeyIdxMask, uint8(n)
		}
		n++
	}
	return n, true
}

// readPictureID reads the picture id at payload[n], which VP8 and VP9 write
// alike, and returns the offset behind it.
func readPictureID(payload []byte, n int, f *Frame) (int, bool) {
	if n >= len(payload) {
		return 0, false
	}
	f.PictureIDOffset = uint8(n)
	if payload[n]&longPictureID == 0 {
		f.PictureID, f.PictureIDBits = int32(payload[n]), 7
		return n + 1, true
	}
	if n+1 >= len(payload) {
		return 0, false
	}
	f.PictureID, f.PictureIDBits = int32(binary.BigEndian.Uint16(payload[n:])&0x7fff), 15
	return n + 2, true
}

// vp8Size reads the size of a keyframe (RFC 6386 §9.1): a three-byte frame tag,
// a start code, then width and height in 14 bits each under a scaling hint.
func vp8Size(frame []byte, f *Frame) {
	if len(frame) < 10 || frame[3] != 0x9d || frame[4] != 0x01 || frame[5] != 0x2a {
		return
	}
	width := binary.LittleEndian.Uint16(frame[6:]) & 0x3fff
	height := binary.LittleEndian.Uint16(frame[8:]) & 0x3fff
	f.setSize(uint64(width), uint64(height))
}
