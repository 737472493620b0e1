package codecs

import "encoding/binary"

// Bits of the VP9 payload descriptor (RFC 9628 §4.2).
const (
	vp9HasPictureID = 0x80 // I
	vp9Predicted    = 0x40 // P
	vp9HasLayers    = 0x20 // L
	vp9Flexible     = 0x10 // F
	vp9Start        = 0x08 // B
	vp9End          = 0x04 // E
	vp9HasStructure = 0x02 // V
	vp9NotUsedAbove = 0x01 // Z

	vp9SwitchUp   = 0x10 // U, in the byte of layer indices
	vp9InterLayer = 0x01 // D

	vp9HasSizes    = 0x10 // Y, first byte of the scalability structure
	vp9HasPictures = 0x08 // G
)

// vp9MaxReferences is how many P_DIFF a picture may have (RFC 9628 §4.2).
const vp9MaxReferences = 3

// vp9SyncCode opens the header of a keyframe (VP9 bitstream §6.2.1).
const vp9SyncCode = 0x498342

// parseVP9 is the [Parser] of VP9 (RFC 9628 §4.2). A descriptor with nothing
// behind it is unknown, and so is a frame whose header is not VP9's.
func parseVP9(payload []byte, _ bool, f *Frame) {
	*f = Frame{PictureID: -1, TL0PicIdx: -1}
	n, ok := vp9Descriptor(payload, f)
	if !ok || n >= len(payload) {
		*f = Frame{}
		return
	}
	if f.Start && !vp9FrameHeader(payload[n:], f) {
		*f = Frame{}
		return
	}
	f.Known = true
	if !f.Keyframe {
		f.Width, f.Height = 0, 0 // of a structure that was repeated
	}
}

// vp9Descriptor reads the descriptor into f and returns its length. It returns
// false if payload ends inside it, or if it has too many references.
func vp9Descriptor(payload []byte, f *Frame) (n int, ok bool) {
	if len(payload) == 0 {
		return 0, false
	}
	first := payload[0]
	f.Start = first&vp9Start != 0
	f.End = first&vp9End != 0
	f.NotUsedAbove = first&vp9NotUsedAbove != 0
	f.InterPicture = first&vp9Predicted != 0
	f.Flexible = first&vp9Flexible != 0

	n = 1
	if first&vp9HasPictureID != 0 {
		if n, ok = readPictureID(payload, n, f); !ok {
			return 0, false
		}
	}
	if first&vp9HasLayers != 0 {
		if n, ok = vp9Layers(payload, n, f); !ok {
			return 0, false
		}
	}
	if f.Flexible && f.InterPicture {
		if n, ok = vp9References(payload, n, f); !ok {
			return 0, false
		}
	}
	if first&vp9HasStructure != 0 {
		return vp9Structure(payload, n, f)
	}
	return n, true
}

// vp9Layers reads the layer indices at payload[n], and the TL0PICIDX which
// follows them outside the flexible mode.
func vp9Layers(payload []byte, n int, f *Frame) (int, bool) {
	if n >= len(payload) {
		return 0, false
	}
	f.TemporalID = payload[n] >> 5
	f.SwitchUp = payload[n]&vp9SwitchUp != 0
	f.SpatialID = payload[n] >> 1 & 7
	f.InterLayer = payload[n]&vp9InterLayer != 0
	n++
	if f.Flexible {
		return n, true
	}
	if n >= len(payload) {
		return 0, false
	}
	f.TL0PicIdx, f.TL0Offset = int16(payload[n]), uint8(n)
	return n + 1, true
}

// vp9References reads the list of P_DIFF at payload[n]; the low bit of each
// tells that another follows.
func vp9References(payload []byte, n int, f *Frame) (int, bool) {
	for i := range vp9MaxReferences {
		if n >= len(payload) {
			return 0, false
		}
		f.References[i] = payload[n] >> 1
		n++
		if payload[n-1]&1 == 0 {
			return n, true
		}
	}
	return 0, false
}

// vp9Structure reads the scalability structure at payload[n], and takes the
// size of its highest spatial layer (RFC 9628 §4.2.1).
func vp9Structure(payload []byte, n int, f *Frame) (int, bool) {
	if n >= len(payload) {
		return 0, false
	}
	head := payload[n]
	n++
	if head&vp9HasSizes != 0 {
		layers := int(head>>5) + 1
		n += 4 * layers
		if n > len(payload) {
			return 0, false
		}
		highest := payload[n-4 : n]
		f.setSize(uint64(binary.BigEndian.Uint16(highest)), uint64(binary.BigEndian.Uint16(highest[2:])))
	}
	if head&vp9HasPictures == 0 {
		return n, true
	}
	if n >= len(payload) {
		return 0, false
	}
	pictures := int(payload[n])
	n++
	for range pictures {
		if n >= len(payload) {
			return 0, false
		}
		n += 1 + int(payload[n]>>2&3)
	}
	return n, n <= len(payload)
}

// vp9FrameHeader reads the beginning of an uncompressed header (VP9 bitstream
// §6.2). It returns false if it is not one. The size is taken from it if the
// scalability structure has told none.
func vp9FrameHeader(frame []byte, f *Frame) bool {
	r := bitReader{data: frame}
	if r.bits(2) != 2 {
		return false
	}
	profile := r.bit() | r.bit()<<1
	if profile == 3 {
		r.bit()
	}
	if existing := r.flag(); existing {
		return true
	}
	if inter := r.flag(); inter {
		return true
	}
	f.Keyframe, f.SwitchUp = true, true
	if f.Width != 0 {
		return true
	}

	r.bits(2) // show_frame, error_resilient_mode
	if r.bits(24) != vp9SyncCode {
		return true
	}
	vp9SkipColour(&r, profile)
	width, height := uint64(r.bits(16))+1, uint64(r.bits(16))+1
	if !r.short {
		f.setSize(width, height)
	}
	return true
}

// vp9SkipColour skips color_config (VP9 bitstream §6.2.2).
func vp9SkipColour(r *bitReader, profile uint32) {
	const rgb = 7
	if profile >= 2 {
		r.bit() // bit depth
	}
	subsampling := profile&1 != 0
	if r.bits(3) != rgb {
		r.bit() // range
		if subsampling {
			r.bits(3)
		}
	} else if subsampling {
		r.bit()
	}
}
