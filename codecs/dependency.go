package codecs

import "encoding/binary"

// Bounds of what is read of a dependency descriptor. All structures in use are
// within: at most four spatial layers can be written, and encoders know up to
// three temporal ones.
const (
	maxSpatial  = 4
	maxTemporal = 4
	maxTargets  = maxSpatial * maxTemporal
	// maxTemplates and maxWrittenTargets are the limits of the syntax.
	maxTemplates      = 64
	maxWrittenTargets = 32
	maxChains         = 32
)

// Indication is what a frame is to a decode target (AV1 RTP §A.8.3.1).
type Indication uint8

// The indications of a frame for a decode target.
const (
	NotPresent  Indication = iota // it does not belong to it
	Discardable                   // no other frame of the target needs it
	Switch                        // the target is decodable from here on, if this frame is
	Required                      // it belongs to the target
)

// Layers is how many places [LayerIndex] tells apart.
const Layers = maxSpatial * maxTemporal

// LayerIndex is the place of a spatial and a temporal layer, 0 to 3 each, in the
// bit sets and lists of a [Dependency].
func LayerIndex(spatial, temporal uint8) int { return int(spatial)*maxTemporal + int(temporal) }

// Dependency is what a dependency descriptor says of one frame (AV1 RTP §A.8).
// It is a plain value.
//
// Decode targets are told by their layers, as every encoder makes them: one
// target for each spatial and temporal layer that there is, and all those of one
// spatial layer protected by one chain. A structure in which it is otherwise is
// not known.
type Dependency struct {
	// Known tells that there is a descriptor and that it was understood; if
	// false all other fields are zero.
	Known bool
	// Structured tells that the packet carries the template structure: it
	// belongs to a frame at which a new coded video sequence begins.
	Structured bool
	Count      uint8    // of decode targets, 1 to 16
	Chained    uint8    // bit s: the targets of spatial layer s are protected by a chain
	Chains     [4]uint8 // by spatial layer: how many frames back the previous one of the chain is; 0 if there is none
	// References tells how many frames back those are that this one is predicted
	// from; 0 is none. Obscure tells that there are others, too many or too far
	// back to be told here.
	References [4]uint8
	Obscure    bool
	Number     uint16 // of the frame
	Targets    uint16 // by LayerIndex: which layers are decode targets
	Active     uint16 // by LayerIndex: which targets the sender produces at present
	// Indications holds two bits for each layer, by LayerIndex.
	Indications uint32
	// Layout holds four bits for each decode target, in the order of the
	// descriptor: the target's LayerIndex.
	Layout uint64
}

// Indication returns what the frame is to the decode target of a layer.
func (d *Dependency) Indication(layer int) Indication {
	return Indication(d.Indications >> (2 * layer) & 3)
}

// Structure is what a track's dependency descriptors refer to: the latest
// template structure, and the one before for packets that come late. It belongs
// to the track's reader. The zero value is ready for use; it holds no pointers.
type Structure struct {
	current, previous templates
	active            uint16 // the latest set of active targets, by LayerIndex
	activeFrame       uint16 // the frame that told
}

// templates is one template dependency structure.
type templates struct {
	offset  uint8 // template_id_offset
	count   uint8 // of templates; 0 if there is none
	targets uint8 // count of decode targets
	chains  uint8 // count of chains
	chained uint8 // as in Dependency

	present       uint16 // which layers are targets, by LayerIndex
	layout        uint64
	chainOf       [maxSpatial]uint8 // by spatial layer, if chained
	frames        [maxTemplates]template
	hasSizes      bool
	width, height [maxSpatial]uint16
}

// template is one frame dependency template.
type template struct {
	spatial, temporal uint8
	indications       uint32
	chains            [maxSpatial]uint8 // by spatial layer
	references        references
}

// references is what a frame is predicted from.
type references struct {
	back    [4]uint8
	obscure bool
}

// add adds a frame to the references, which had so many before.
func (r *references) add(n int, back uint32) {
	if n >= len(r.back) || back > 255 {
		r.obscure = true
		return
	}
	r.back[n] = uint8(back)
}

// descriptor is what is read of one dependency descriptor before it is known to
// be good.
type descriptor struct {
	start, end         bool
	template           uint8
	number             uint16
	structured, masked bool
	mask               uint32 // by decode target
	customIndications  bool
	customReferences   bool
	customChains       bool
	indications        uint32 // by LayerIndex
	chains             [maxSpatial]uint8
	references         references
	maskAt             int // in bits: where the mask is, or would be
}

// dependencyMandatory is the length of a descriptor without extended fields.
const dependencyMandatory = 3

// ParseDependencyDescriptor reads a dependency descriptor, the content of the
// header extension [ExtensionDependencyDescriptor], into what the Parser made of
// the packet's payload: f.Dependency, Start and End, which the descriptor knows
// better, and the layers, unless the payload has told them. s is that of the packet's track, in which structures
// and active targets are remembered.
//
// It reports whether the descriptor was understood; if not, or if its structure
// has never been received, f and s are as before. It does not allocate, and
// keeps no reference to ext.
func ParseDependencyDescriptor(ext []byte, s *Structure, f *Frame) bool {
	if len(ext) < dependencyMandatory {
		return false
	}
	var d descriptor
	d.mandatory(ext)
	r := bitReader{data: ext, pos: 8 * dependencyMandatory}
	if len(ext) > dependencyMandatory {
		d.flags(&r)
		if d.structured {
			return d.withStructure(&r, s, f)
		}
	}
	t := &s.current
	frame := t.find(d.template)
	if frame == nil {
		t = &s.previous
		frame = t.find(d.template)
	}
	if frame == nil || !d.definition(&r, t, frame) {
		return false
	}
	s.remember(&d, t)
	d.describe(s, t, frame, f)
	return true
}

// withStructure reads the rest of a descriptor that carries a structure.
func (d *descriptor) withStructure(r *bitReader, s *Structure, f *Frame) bool {
	var fresh templates
	if !fresh.read(r) {
		return false
	}
	frame := fresh.find(d.template)
	if frame == nil || !d.definition(r, &fresh, frame) {
		return false
	}
	s.install(d, &fresh)
	d.describe(s, &fresh, frame, f)
	return true
}

// mandatory reads mandatory_descriptor_fields (AV1 RTP §A.8.2).
func (d *descriptor) mandatory(ext []byte) {
	d.start, d.end = ext[0]&0x80 != 0, ext[0]&0x40 != 0
	d.template = ext[0] & 0x3f
	d.number = binary.BigEndian.Uint16(ext[1:])
}

// flags reads the beginning of extended_descriptor_fields.
func (d *descriptor) flags(r *bitReader) {
	d.structured = r.flag()
	d.masked = r.flag()
	d.customIndications = r.flag()
	d.customReferences = r.flag()
	d.customChains = r.flag()
}

// definition reads what is behind the structure: the active targets, and what
// the frame has in place of its template.
func (d *descriptor) definition(r *bitReader, t *templates, frame *template) bool {
	d.maskAt = r.pos
	if d.masked {
		d.mask = r.bits(int(t.targets))
	}
	d.indications, d.chains, d.references = frame.indications, frame.chains, frame.references
	if d.customIndications {
		d.indications = t.readIndications(r)
	}
	if d.customReferences {
		d.references = references{}
		size := r.bits(2)
		for n := 0; size != 0 && !r.short; n++ {
			d.references.add(n, r.bits(4*int(size))+1)
			size = r.bits(2)
		}
	}
	if d.customChains {
		t.readChains(r, 8, &d.chains)
	}
	return !r.short
}

// find returns the template of a frame, or nil.
func (t *templates) find(id uint8) *template {
	if i := (id - t.offset) & (maxTemplates - 1); i < t.count {
		return &t.frames[i]
	}
	return nil
}

// install takes note of a structure, unless it is that of a frame before the
// latest ones.
func (s *Structure) install(d *descriptor, t *templates) {
	if s.current.count != 0 && s.isLate(d.number) {
		return
	}
	if s.current.offset != t.offset || s.current.count != t.count {
		s.previous = s.current
	}
	s.current = *t
	s.active, s.activeFrame = t.present, d.number
	if d.masked {
		s.active = t.layers(d.mask)
	}
}

// remember takes note of active targets, which hold until others are told.
func (s *Structure) remember(d *descriptor, t *templates) {
	if d.masked && t == &s.current && !s.isLate(d.number) {
		s.active, s.activeFrame = t.layers(d.mask), d.number
	}
}

// maxLate is how many frames late a packet may be. One that seems to be later is
// from a sender that has begun to count anew.
const maxLate = 128

// isLate tells whether a frame is before the one that told the active targets.
func (s *Structure) isLate(number uint16) bool {
	behind := s.activeFrame - number
	return behind > 0 && behind <= maxLate
}

// layers translates a set of decode targets to a set of layers.
func (t *templates) layers(mask uint32) (layers uint16) {
	for i := range int(t.targets) {
		if mask>>i&1 != 0 {
			layers |= 1 << (t.layout >> (4 * i) & 15)
		}
	}
	return layers
}

// active returns the layers that are active with the frame.
func (d *descriptor) active(s *Structure, t *templates) uint16 {
	switch {
	case d.masked:
		return t.layers(d.mask)
	case d.structured:
		return t.present
	default:
		return s.active
	}
}

// describe fills f.
func (d *descriptor) describe(s *Structure, t *templates, frame *template, f *Frame) {
	if !f.Known {
		// The payload is closed to us, as by end-to-end encryption.
		*f = Frame{Known: true, PictureID: -1, TL0PicIdx: -1}
		f.Keyframe = d.start && d.structured && frame.spatial == 0
	}
	f.Start, f.End = d.start || f.Keyframe, d.end
	f.Dependency = Dependency{
		Known:       true,
		Structured:  d.structured,
		Count:       t.targets,
		Chained:     t.chained,
		Chains:      d.chains,
		References:  d.references.back,
		Obscure:     d.references.obscure,
		Number:      d.number,
		Targets:     t.present,
		Active:      d.active(s, t) & t.present,
		Indications: d.indications,
		Layout:      t.layout,
	}
	if f.Dependency.Active == 0 {
		f.Dependency.Active = t.present // none at all cannot be meant
	}
	if f.PictureIDBits == 0 {
		// VP8 and VP9 tell their layers themselves, and mean something else by SwitchUp.
		f.SpatialID, f.TemporalID = frame.spatial, frame.temporal
		f.SwitchUp = f.Keyframe || f.Dependency.Indication(LayerIndex(frame.spatial, frame.temporal)) == Switch
	}
	if f.Keyframe && f.Width == 0 && t.hasSizes {
		f.setSize(uint64(t.width[frame.spatial]), uint64(t.height[frame.spatial]))
	}
}
