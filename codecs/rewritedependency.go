package codecs

import "encoding/binary"

// Positions in the first octet of extended_descriptor_fields (AV1 RTP §A.8.2).
const (
	dependencyStructured = 0x80
	dependencyMasked     = 0x40
	dependencyFlags      = 5 // how many bits
)

// MaxDependencyGrowth is by how many octets [RewriteDependencyDescriptor] makes a
// descriptor longer at most.
const MaxDependencyGrowth = 3

// RewriteDependencyDescriptor appends to dst a dependency descriptor like ext,
// with r.FrameNumber added to the frame number and, unless active is 0, with the
// active decode targets being those whose layers are set in active, by
// [LayerIndex]. A descriptor that did not tell them does then.
//
// f must be what [ParseDependencyDescriptor] made of ext. A descriptor that it
// did not understand is appended as it is, but for the frame number.
// RewriteDependencyDescriptor does not allocate if dst has room.
func RewriteDependencyDescriptor(dst, ext []byte, f *Frame, r Renumbering, active uint16) []byte {
	if len(ext) < dependencyMandatory {
		return append(dst, ext...)
	}
	dst = append(dst, ext[0])
	dst = binary.BigEndian.AppendUint16(dst, binary.BigEndian.Uint16(ext[1:])+r.FrameNumber)
	d := &f.Dependency
	if active == 0 || !d.Known {
		return append(dst, ext[dependencyMandatory:]...)
	}
	mask := d.mask(active)
	if len(ext) == dependencyMandatory {
		w := descriptorWriter{data: dst}
		w.bits(dependencyMasked>>(8-dependencyFlags), dependencyFlags)
		w.bits(mask, int(d.Count))
		return w.data
	}
	at, ok := maskPosition(ext)
	if !ok {
		return append(dst, ext[dependencyMandatory:]...)
	}
	masked := ext[dependencyMandatory]&dependencyMasked != 0
	in := bitReader{data: ext, pos: 8*dependencyMandatory + dependencyFlags}
	w := descriptorWriter{data: dst}
	w.bits(uint32(ext[dependencyMandatory]|dependencyMasked)>>(8-dependencyFlags), dependencyFlags)
	w.copyBits(&in, at-in.pos)
	w.bits(mask, int(d.Count))
	if masked {
		in.pos += int(d.Count)
	}
	w.copyBits(&in, 8*len(ext)-in.pos)
	return w.data
}

// maskPosition finds where the set of active targets is in a descriptor with
// extended fields, or where it belongs, in bits.
func maskPosition(ext []byte) (at int, ok bool) {
	r := bitReader{data: ext, pos: 8*dependencyMandatory + dependencyFlags}
	if ext[dependencyMandatory]&dependencyStructured == 0 {
		return r.pos, true
	}
	var t templates
	ok = t.read(&r)
	return r.pos, ok
}

// mask translates a set of layers to a set of decode targets.
func (d *Dependency) mask(layers uint16) (mask uint32) {
	for i := range int(d.Count) {
		if layers>>(d.Layout>>(4*i)&15)&1 != 0 {
			mask |= 1 << i // the first target is the least significant bit
		}
	}
	return mask
}

// descriptorWriter appends bits to data, the most significant first. The last octet is
// filled up with zeros.
type descriptorWriter struct {
	data []byte
	used int // bits of the last octet; 0 if it is full
}

// bits writes the low n bits of v; n is 0 to 32.
func (w *descriptorWriter) bits(v uint32, n int) {
	for i := n - 1; i >= 0; i-- {
		if w.used == 0 {
			w.data = append(w.data, 0)
		}
		w.data[len(w.data)-1] |= byte(v>>i&1) << (7 - w.used)
		w.used = (w.used + 1) & 7
	}
}

// copyBits copies n bits.
func (w *descriptorWriter) copyBits(r *bitReader, n int) {
	for ; n > 0; n -= 8 {
		size := min(n, 8)
		w.bits(r.bits(size), size)
	}
}
