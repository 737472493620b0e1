package codecs

import "testing"

// bitWriter writes what a bitReader reads.
type bitWriter struct {
	data []byte
	n    int
}

func (w *bitWriter) bits(v uint64, n int) {
	for i := n - 1; i >= 0; i-- {
		if w.n%8 == 0 {
			w.data = append(w.data, 0)
		}
		w.data[w.n/8] |= byte(v>>i&1) << (7 - w.n%8)
		w.n++
	}
}

func (w *bitWriter) flag(b bool) {
	if b {
		w.bits(1, 1)
	} else {
		w.bits(0, 1)
	}
}

func (w *bitWriter) ue(v uint64) {
	n := 0
	for (v+1)>>n > 1 {
		n++
	}
	w.bits(0, n)
	w.bits(v+1, n+1)
}

func (w *bitWriter) se(v int64) {
	if v > 0 {
		w.ue(uint64(2*v - 1))
	} else {
		w.ue(uint64(-2 * v))
	}
}

// escaped returns the bytes with emulation prevention.
func (w *bitWriter) escaped() []byte {
	var out []byte
	zeros := 0
	for _, b := range w.data {
		if zeros >= 2 && b <= 3 {
			out = append(out, 3)
			zeros = 0
		}
		out = append(out, b)
		if b == 0 {
			zeros++
		} else {
			zeros = 0
		}
	}
	return out
}

func TestBitReaderReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	unsigned := []uint64{0, 1, 2, 3, 7, 8, 255, 256, 65535, 1<<31 - 1, 1 << 31, 1<<32 - 2}
	signed := []int64{0, 1, -1, 2, -2, 127, -128, 1<<31 - 1, -(1<<31 - 1)}
	var w bitWriter
	w.bits(0, 24) // makes an escape at once
	for _, v := range unsigned {
		w.ue(v)
	}
	for _, v := range signed {
		w.se(v)
	}
	w.bits(0x12345678, 32)

	for _, nal := range []bool{false, true} {
		r := bitReader{data: w.data}
		if nal {
			r = bitReader{data: w.escaped(), nal: true}
		}
		r.bits(24)
		for _, want := range unsigned {
			if got := r.ue(); uint64(got) != want {
				t.Errorf("nal %v: ue() = %d, want %d", nal, got, want)
			}
		}
		for _, want := range signed {
			if got := r.se(); int64(got) != want {
				t.Errorf("nal %v: se() = %d, want %d", nal, got, want)
			}
		}
		if got := r.bits(32); got != 0x12345678 || r.short {
			t.Errorf("nal %v: bits(32) = %#x, short %v, want 0x12345678", nal, got, r.short)
		}
	}
}

func TestBitReaderIsShortBeyondTheEnd(t *testing.T) {
	t.Parallel()
	r := bitReader{data: []byte{0xff}}
	if got := r.bits(8); got != 0xff || r.short {
		t.Errorf("bits(8) = %#x, short %v, want 0xff", got, r.short)
	}
	if got := r.bit(); got != 0 || !r.short {
		t.Errorf("bit() beyond the end = %d, short %v, want 0, true", got, r.short)
	}
	r = bitReader{data: make([]byte, 16)}
	if got := r.ue(); got != 0 || !r.short {
		t.Errorf("ue() of zeros = %d, short %v, want 0, true", got, r.short)
	}
}
