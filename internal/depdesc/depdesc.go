// Package depdesc writes dependency descriptors (AV1 RTP §A.8), and knows the
// structures of some scalability modes. It is for tests: what it writes is what
// publishers send. It holds no state and knows nothing of what reads it.
package depdesc

// Indications of a frame for a decode target, as they are written.
const (
	NotPresent = iota
	Discardable
	Switch
	Required
)

// Template is a frame dependency template.
type Template struct {
	Spatial, Temporal int
	Indications       []int // one for each decode target
	References        []int // how many frames back
	Chains            []int // one for each chain
}

// Structure is a template dependency structure.
type Structure struct {
	Offset    int // template_id_offset
	Targets   int // count of decode targets
	Chains    int // count of chains
	Protected []int
	Templates []Template
	Sizes     [][2]int // by spatial layer; empty if they are not told
}

// Descriptor is one dependency descriptor.
type Descriptor struct {
	Start, End  bool
	Template    int // index in the structure
	Number      uint16
	Structured  bool // write the structure too
	Active      *uint32
	Indications []int // in place of the template's, if not nil
	References  []int
	Chains      []int
}

// Write returns the octets of a descriptor that refers to s.
func Write(s *Structure, d *Descriptor) []byte {
	w := &writer{}
	w.flag(d.Start)
	w.flag(d.End)
	w.bits((d.Template+s.Offset)%64, 6)
	w.bits(int(d.Number), 16)
	if !d.Structured && d.Active == nil && d.Indications == nil && d.References == nil && d.Chains == nil {
		return w.data
	}
	w.flag(d.Structured)
	w.flag(d.Active != nil)
	w.flag(d.Indications != nil)
	w.flag(d.References != nil)
	w.flag(d.Chains != nil)
	if d.Structured {
		w.structure(s)
	}
	if d.Active != nil {
		w.bits(int(*d.Active), s.Targets)
	}
	for _, i := range d.Indications {
		w.bits(i, 2)
	}
	if d.References != nil {
		for _, back := range d.References {
			size := 1
			for back > 1<<(4*size) {
				size++
			}
			w.bits(size, 2)
			w.bits(back-1, 4*size)
		}
		w.bits(0, 2)
	}
	for _, back := range d.Chains {
		w.bits(back, 8)
	}
	return w.data
}

// writer appends bits.
type writer struct {
	data []byte
	used int
}

func (w *writer) bits(v, n int) {
	for i := n - 1; i >= 0; i-- {
		if w.used%8 == 0 {
			w.data = append(w.data, 0)
		}
		if v>>i&1 != 0 {
			w.data[len(w.data)-1] |= 0x80 >> (w.used % 8)
		}
		w.used++
	}
}

func (w *writer) flag(b bool) {
	if b {
		w.bits(1, 1)
	} else {
		w.bits(0, 1)
	}
}

// nonSymmetric writes ns(n).
func (w *writer) nonSymmetric(v, n int) {
	width := 0
	for x := n; x != 0; x >>= 1 {
		width++
	}
	m := 1<<width - n
	if v < m {
		w.bits(v, width-1)
	} else {
		w.bits(v+m, width)
	}
}

func (w *writer) structure(s *Structure) {
	w.bits(s.Offset, 6)
	w.bits(s.Targets-1, 5)
	for i, t := range s.Templates {
		next := 3
		if i+1 < len(s.Templates) {
			n := s.Templates[i+1]
			switch {
			case n.Spatial > t.Spatial:
				next = 2
			case n.Temporal > t.Temporal:
				next = 1
			default:
				next = 0
			}
		}
		w.bits(next, 2)
	}
	for _, t := range s.Templates {
		for _, i := range t.Indications {
			w.bits(i, 2)
		}
	}
	for _, t := range s.Templates {
		for _, back := range t.References {
			w.bits(1, 1)
			w.bits(back-1, 4)
		}
		w.bits(0, 1)
	}
	w.nonSymmetric(s.Chains, s.Targets+1)
	if s.Chains > 0 {
		for _, chain := range s.Protected {
			w.nonSymmetric(chain, s.Chains)
		}
		for _, t := range s.Templates {
			for _, back := range t.Chains {
				w.bits(back, 4)
			}
		}
	}
	w.flag(len(s.Sizes) > 0)
	for _, size := range s.Sizes {
		w.bits(size[0]-1, 16)
		w.bits(size[1]-1, 16)
	}
}
