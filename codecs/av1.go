package codecs

// Bits of the AV1 aggregation header (AV1 RTP §4.4).
const (
	av1Continues = 0x80 // Z: the first element continues the previous packet's last
	av1CountMask = 0x30 // W: number of elements, 0 if each has its length
	av1NewCoded  = 0x08 // N: first packet of a coded video sequence
)

// OBU types (AV1 bitstream §6.2.2).
const (
	obuSequenceHeader    = 1
	obuTemporalDelimiter = 2
	obuFrameHeader       = 3
	obuMetadata          = 5
	obuFrame             = 6
	obuTileList          = 8
	obuPadding           = 15

	obuForbidden = 0x80
	obuExtended  = 0x04
	obuHasSize   = 0x02
)

// parseAV1 is the [Parser] of AV1 (AV1 RTP §4.4 and §5).
//
// A keyframe starts in a packet that is the first of a coded video sequence and
// begins with a sequence header. If the packet holds a frame header too, this
// has to be a key frame's and not show an existing frame; if it does not, the
// packet counts, because a coded video sequence cannot begin otherwise.
//
// Start is set where a frame may begin: at a sequence header, metadata, padding,
// frame header or frame that comes first and is not a continuation. Layers are not read: the payload
// of a packet in mid-frame does not tell them.
func parseAV1(payload []byte, marker bool, f *Frame) {
	*f = Frame{PictureID: -1, TL0PicIdx: -1, End: marker}
	var s av1Scan
	if !s.packet(payload, f) {
		*f = Frame{}
		return
	}
	f.Known = true
	if s.sequence && !s.notKey && payload[0]&av1NewCoded != 0 {
		f.Keyframe, f.SwitchUp = true, true
	} else {
		f.Width, f.Height = 0, 0
	}
}

// av1Scan is what parseAV1 has seen of a packet's OBUs.
type av1Scan struct {
	any      bool // a continuation, or an OBU which receivers do not have to ignore
	sequence bool // the packet begins with a sequence header
	still    bool // the sequence has reduced headers: each frame is a key frame
	frame    bool // a frame header
	notKey   bool // the first frame header is not that of a new key frame
}

// packet walks the elements of a payload. It returns false if they do not add
// up to the payload.
func (s *av1Scan) packet(payload []byte, f *Frame) bool {
	if len(payload) < 2 {
		return false
	}
	count := int(payload[0] & av1CountMask >> 4)
	continued := payload[0]&av1Continues != 0
	s.any = continued
	n := 1
	for i := 0; n < len(payload); i++ {
		size := len(payload) - n
		if i+1 != count {
			length, used, ok := leb128(payload[n:])
			if !ok || length > uint64(size-used) {
				return false
			}
			n += used
			size = int(length)
		}
		if size > 0 && (i > 0 || !continued) && !s.element(payload[n:n+size], f) {
			return false
		}
		n += size
		if i+1 == count {
			return true
		}
	}
	return count == 0
}

// element reads one OBU, or the beginning of one that goes on in the next
// packet. It returns false if it is not an OBU.
func (s *av1Scan) element(obu []byte, f *Frame) bool {
	if obu[0]&obuForbidden != 0 {
		return false
	}
	kind := obu[0] >> 3 & 0x0f
	if kind == obuTemporalDelimiter || kind == obuTileList {
		return true // ignored (AV1 RTP §5)
	}
	first := !s.any
	s.any = true
	switch kind {
	case obuSequenceHeader:
		if first {
			f.Start, s.sequence = true, true
			s.still = av1Sequence(obuBody(obu), f)
		}
	case obuFrameHeader, obuFrame:
		f.Start = f.Start || first
		// show_existing_frame, then frame_type, of which 0 is a key frame.
		if body := obuBody(obu); !s.frame && len(body) > 0 {
			s.frame = true
			s.notKey = !s.still && body[0]&0xe0 != 0
		}
	case obuMetadata, obuPadding:
		f.Start = f.Start || first
	}
	return true
}

// obuBody returns what follows the header of an OBU, or nil if the header does
// not end in obu. A size in the header is skipped: the element's own counts.
func obuBody(obu []byte) []byte {
	n := 1
	if obu[0]&obuExtended != 0 {
		n++
	}
	if n > len(obu) {
		return nil
	}
	if obu[0]&obuHasSize != 0 {
		_, used, ok := leb128(obu[n:])
		if !ok {
			return nil
		}
		n += used
	}
	return obu[n:]
}

// leb128 reads a little-endian base 128 number (AV1 bitstream §4.10.5) and
// returns its length. It returns false if data ends inside it or if it is
// longer than 8 bytes or greater than 32 bits.
func leb128(data []byte) (v uint64, n int, ok bool) {
	for i, b := range data[:min(len(data), 8)] {
		v |= uint64(b&0x7f) << (7 * i)
		if b&0x80 == 0 {
			return v, i + 1, v <= 0xffffffff
		}
	}
	return 0, 0, false
}

// av1Sequence reads a sequence header (AV1 bitstream §5.5.1) as far as the
// maximum size of its frames, which it notes in f. It returns whether the
// sequence is a still picture with reduced headers.
func av1Sequence(body []byte, f *Frame) (still bool) {
	r := bitReader{data: body}
	r.bits(4) // seq_profile, still_picture
	still = r.flag()
	if still {
		r.bits(5) // seq_level_idx
	} else {
		av1SkipOperation(&r)
	}
	widthBits, heightBits := int(r.bits(4))+1, int(r.bits(4))+1
	width, height := uint64(r.bits(widthBits))+1, uint64(r.bits(heightBits))+1
	if !r.short {
		f.setSize(width, height)
	}
	return still
}

// av1SkipOperation skips timing, decoder model and operating points.
func av1SkipOperation(r *bitReader) {
	delayBits := 0 // of the decoder model, 0 if there is none
	if timing := r.flag(); timing {
		r.bits(32) // num_units_in_display_tick
		r.bits(32) // time_scale
		if equal := r.flag(); equal {
			r.ue() // num_ticks_per_picture_minus_1
		}
		if model := r.flag(); model {
			delayBits = int(r.bits(5)) + 1
			r.bits(32) // num_units_in_decoding_tick
			r.bits(10) // lengths of two times that come later
		}
	}
	displayDelay := r.flag()
	points := r.bits(5) + 1
	for range points {
		r.bits(12) // operating_point_idc
		if level := r.bits(5); level > 7 {
			r.bit() // seq_tier
		}
		if delayBits > 0 && r.flag() {
			r.bits(delayBits) // decoder_buffer_delay
			r.bits(delayBits) // encoder_buffer_delay
			r.bit()           // low_delay_mode_flag
		}
		if displayDelay && r.flag() {
			r.bits(4) // initial_display_delay_minus_1
		}
	}
}
