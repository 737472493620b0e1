package codecs

// bitReader reads a header bit by bit, most significant first. Reading past the
// end gives zeros and sets short, so that a caller checks once, at the end.
type bitReader struct {
	data  []byte
	pos   int  // in bits
	nal   bool // skip the emulation prevention bytes of a NAL unit (ITU-T H.264 §7.4.1)
	short bool
}

func (r *bitReader) bit() uint32 {
	i := r.pos >> 3
	if r.nal && r.pos&7 == 0 && i >= 2 && i < len(r.data) &&
		r.data[i] == 3 && r.data[i-1] == 0 && r.data[i-2] == 0 {
		r.pos += 8
		i++
	}
	if i >= len(r.data) {
		r.short = true
		return 0
	}
	b := r.data[i] >> (7 - r.pos&7) & 1
	r.pos++
	return uint32(b)
}

func (r *bitReader) flag() bool { return r.bit() != 0 }

// bits reads n bits; n is 0 to 32.
func (r *bitReader) bits(n int) uint32 {
	var v uint32
	for range n {
		v = v<<1 | r.bit()
	}
	return v
}

// ue reads an unsigned Exp-Golomb code, ue(v) of ITU-T H.264 §9.1, which AV1
// calls uvlc() (§4.10.3). Codes above 32 bits count as short.
func (r *bitReader) ue() uint32 {
	zeros := 0
	for !r.flag() {
		zeros++
		if zeros > 31 || r.short {
			r.short = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.bits(zeros)
}

// se reads a signed Exp-Golomb code, se(v) of ITU-T H.264 §9.1.1.
func (r *bitReader) se() int32 {
	v := r.ue()
	if v&1 != 0 {
		return int32(v>>1) + 1
	}
	return -int32(v >> 1)
}
