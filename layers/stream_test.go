package layers

import (
	"math/rand/v2"

	"galene/codecs"
	"galene/internal/depdesc"
)

// frame is one frame that a made-up publisher sends, with what it really depends on.
type frame struct {
	source            int
	picture           int // its number in the source
	spatial, temporal int
	key               bool // the picture is a key picture
	refs              []*frame
	packets           int // how many packets it has
	sent              int // how many of them the subscriber was sent
}

// packet is one packet of a frame as it comes from the publisher.
type packet struct {
	frame     *frame
	sequence  int64
	timestamp uint32
	marker    bool
	payload   []byte
	extension []byte
}

// structure says which layers there are and which frames are predicted from which.
type structure struct {
	name     string
	mime     string
	spatial  int
	temporal int
	keyOnly  bool // upper spatial layers are predicted from lower ones in key pictures only
	alone    bool // and never
	flexible bool // VP9
	described,
	bare bool // by dependency descriptor; without numbers in the payload
}

var structures = []structure{
	{name: "VP8", mime: "video/VP8", spatial: 1, temporal: 1},
	{name: "VP8 L1T2", mime: "video/VP8", spatial: 1, temporal: 2},
	{name: "VP8 L1T3", mime: "video/VP8", spatial: 1, temporal: 3},
	{name: "VP8 L1T3 with descriptors", mime: "video/VP8", spatial: 1, temporal: 3, described: true},
	{name: "VP9 L1T3", mime: "video/VP9", spatial: 1, temporal: 3},
	{name: "VP9 L3T3", mime: "video/VP9", spatial: 3, temporal: 3},
	{name: "VP9 L3T3_KEY", mime: "video/VP9", spatial: 3, temporal: 3, keyOnly: true},
	{name: "VP9 L3T3 flexible", mime: "video/VP9", spatial: 3, temporal: 3, flexible: true},
	{name: "VP9 L3T3_KEY flexible", mime: "video/VP9", spatial: 3, temporal: 3, keyOnly: true, flexible: true},
	{name: "VP9 L2T3_KEY flexible with descriptors", mime: "video/VP9", spatial: 2, temporal: 3, keyOnly: true, flexible: true, described: true},
	{name: "AV1 L1T3", mime: "video/AV1", spatial: 1, temporal: 3, described: true, bare: true},
	{name: "AV1 L3T3", mime: "video/AV1", spatial: 3, temporal: 3, described: true, bare: true},
	{name: "AV1 L3T3_KEY", mime: "video/AV1", spatial: 3, temporal: 3, keyOnly: true, described: true, bare: true},
	{name: "AV1 S3T3", mime: "video/AV1", spatial: 3, temporal: 3, keyOnly: true, alone: true, described: true, bare: true},
	{name: "H.264 L1T3", mime: "video/H264", spatial: 1, temporal: 3, described: true, bare: true},
}

// patterns are the temporal layers of successive pictures, by how many layers there are.
var patterns = map[int][]int{1: {0}, 2: {0, 1}, 3: {0, 2, 1, 2}}

// publisher makes up packets.
type publisher struct {
	structure
	source    int
	random    *rand.Rand
	pictureID uint16
	tl0, key  uint8
	number    uint16
	sequence  int64
	timestamp uint32
	pictures  int
	phase     int
	last      [4][4]*frame // the latest frame of each layer that others may be predicted from
	chain     [4]uint16    // the latest frame number of each chain
	numbers   map[*frame]uint16
}

func newPublisher(s structure, source int, random *rand.Rand, start uint16) *publisher {
	return &publisher{
		structure: s, source: source, random: random,
		pictureID: start & 0x7fff, tl0: uint8(start), key: uint8(start) & 31, number: start,
		sequence: int64(start) + 1<<16, timestamp: uint32(start) << 16,
		numbers: map[*frame]uint16{},
	}
}

// next returns the packets of the next picture.
func (p *publisher) next(key bool) (packets []packet) {
	key = key || p.pictures == 0
	if key {
		p.phase = 0
		p.last = [4][4]*frame{}
		if p.pictures > 0 {
			p.key = (p.key + 1) & 31
		}
	}
	pattern := patterns[p.temporal]
	temporal := pattern[p.phase%len(pattern)]
	p.phase++
	if temporal == 0 && p.pictures > 0 {
		p.tl0++
	}
	sync := p.random.IntN(3) == 0 || p.described
	var below *frame
	for spatial := range p.spatial {
		f := &frame{source: p.source, picture: p.pictures, spatial: spatial, temporal: temporal, key: key}
		p.refer(f, sync, below)
		f.packets = 1 + p.random.IntN(4)
		for i := range f.packets {
			first, last := i == 0, i == f.packets-1
			packets = append(packets, packet{
				frame: f, sequence: p.sequence, timestamp: p.timestamp,
				marker:    last && spatial == p.spatial-1,
				payload:   p.payload(f, first, last, sync),
				extension: p.descriptor(f, first, last),
			})
			p.sequence++
		}
		p.numbers[f] = p.number
		p.note(f)
		below = f
		p.number++
	}
	p.forget(temporal, sync)
	p.pictures++
	p.pictureID = (p.pictureID + 1) & 0x7fff
	p.timestamp += 3000
	return packets
}

// refer chooses what a frame is predicted from: in time, the latest frames of its temporal
// layer and of those below, or, with VP8's Y bit, only that of the lowest.
func (p *publisher) refer(f *frame, sync bool, below *frame) {
	if !f.key {
		lowest := p.last[f.spatial][0]
		f.refs = append(f.refs, lowest)
		for t := 1; t <= f.temporal; t++ {
			if r := p.last[f.spatial][t]; r != nil && (p.mime != "video/VP8" || !sync) && r.picture > lowest.picture-8 {
				f.refs = append(f.refs, r)
			}
		}
	}
	if below != nil && !p.alone && (f.key || !p.keyOnly) {
		f.refs = append(f.refs, below)
	}
}

func (p *publisher) note(f *frame) {
	p.last[f.spatial][f.temporal] = f
	for s := range p.spatial {
		if f.temporal == 0 && (s == f.spatial || s > f.spatial && !p.alone && (f.key || !p.keyOnly)) {
			p.chain[s] = p.number
		}
	}
}

// forget ends predictions across a switching point.
func (p *publisher) forget(temporal int, sync bool) {
	if p.mime == "video/VP8" && !p.described || p.mime == "video/VP9" && !p.upSwitch(sync) && !p.described {
		return
	}
	for s := range p.spatial {
		for t := temporal + 1; t < p.temporal; t++ {
			p.last[s][t] = nil
		}
	}
}

func (p *publisher) upSwitch(sync bool) bool { return sync }

// needless tells whether no upper spatial layer is predicted from a frame.
func (p *publisher) needless(f *frame) bool {
	return f.spatial == p.spatial-1 || p.keyOnly && !f.key
}

func (p *publisher) payload(f *frame, first, last, sync bool) []byte {
	switch p.mime {
	case "video/VP8":
		return p.vp8(f, first, sync)
	case "video/VP9":
		return p.vp9(f, first, last, sync)
	case "video/AV1":
		if first && f.key && f.spatial == 0 {
			return []byte{0x28, 12, 0x08, 0, 0, 0, 0x0c, 0xc5, 0x03, 0x69, 0x36, 0xbe, 0x40, 0x10, 0x30, 0x10}
		}
		return []byte{0x10, 0x30, 0x30, byte(p.random.Uint32())}
	default:
		if first && f.key {
			return []byte{0x67, 0x42, 0xe0, 0x1f, byte(p.random.Uint32())}
		}
		return []byte{0x41, 0x9a, byte(p.random.Uint32())}
	}
}

func (p *publisher) vp8(f *frame, first, sync bool) []byte {
	b := []byte{0x80, 0xf0, 0x80 | byte(p.pictureID>>8), byte(p.pictureID), p.tl0, byte(f.temporal)<<6 | p.key}
	if first {
		b[0] |= 0x10
	}
	if f.temporal > 0 && sync {
		b[5] |= 0x20
	}
	if f.key {
		return append(b, 0x90, byte(p.random.Uint32()))
	}
	return append(b, 0x91, byte(p.random.Uint32()))
}

func (p *publisher) vp9(f *frame, first, last, sync bool) []byte {
	b := []byte{0xa0, 0x80 | byte(p.pictureID>>8), byte(p.pictureID), byte(f.temporal)<<5 | byte(f.spatial)<<1}
	if first {
		b[0] |= 0x08
	}
	if last {
		b[0] |= 0x04
	}
	if !f.key {
		b[0] |= 0x40
	}
	if p.needless(f) {
		b[0] |= 0x01
	}
	if p.upSwitch(sync) {
		b[3] |= 0x10
	}
	if f.spatial > 0 && !p.alone && (f.key || !p.keyOnly) {
		b[3] |= 0x01
	}
	if p.flexible {
		b[0] |= 0x10
		var back []byte
		for _, r := range f.refs {
			if r.spatial == f.spatial && r.picture != f.picture {
				back = append(back, byte(f.picture-r.picture)<<1|1)
			}
		}
		if len(back) > 0 {
			back[len(back)-1] &^= 1
			b = append(b, back...)
		}
	} else {
		b = append(b, p.tl0)
	}
	if f.key && f.spatial == 0 {
		return append(b, 0x82, 0x49, 0x83, 0x42, byte(p.random.Uint32()))
	}
	return append(b, 0x86, byte(p.random.Uint32()))
}

// descriptor returns the dependency descriptor of a packet: one template for each layer, and the
// rest told frame by frame.
func (p *publisher) descriptor(f *frame, first, last bool) []byte {
	if !p.described {
		return nil
	}
	targets := p.spatial * p.temporal
	s := &depdesc.Structure{Targets: targets, Chains: p.spatial}
	for spatial := range p.spatial {
		for temporal := range p.temporal {
			s.Protected = append(s.Protected, spatial)
			s.Templates = append(s.Templates, depdesc.Template{
				Spatial: spatial, Temporal: temporal,
				Indications: p.indications(spatial, temporal, true),
				Chains:      make([]int, p.spatial),
			})
		}
	}
	d := &depdesc.Descriptor{
		Start: first, End: last, Number: p.number,
		Template:    f.spatial*p.temporal + f.temporal,
		Structured:  first && f.key && (f.spatial == 0 || p.alone),
		Indications: p.indications(f.spatial, f.temporal, f.key),
	}
	for spatial := range p.spatial {
		back := int(p.number - p.chain[spatial])
		if f.key && (f.spatial == 0 || p.alone && spatial >= f.spatial) {
			back = 0
		}
		d.Chains = append(d.Chains, min(back, 255))
	}
	for _, r := range f.refs {
		d.References = append(d.References, int(p.number-p.numbers[r]))
	}
	return depdesc.Write(s, d)
}

// indications tells what a frame of a layer is to each decode target.
func (p *publisher) indications(spatial, temporal int, key bool) (list []int) {
	for s := range p.spatial {
		for t := range p.temporal {
			indication := depdesc.NotPresent
			switch {
			case temporal > t || spatial > s, p.alone && spatial != s, p.keyOnly && !key && spatial != s:
			case key, temporal == 0 && spatial == s, spatial == s && temporal < t:
				indication = depdesc.Switch
			case spatial == s && temporal == t:
				indication = depdesc.Discardable
			default:
				indication = depdesc.Required
			}
			list = append(list, indication)
		}
	}
	return list
}

// ingest parses packets as they come, as an up track does.
type ingest struct {
	parse      codecs.Parser
	structures codecs.Structure
}

func (in *ingest) frame(p *packet) (f codecs.Frame) {
	in.parse(p.payload, p.marker, &f)
	if p.extension != nil {
		codecs.ParseDependencyDescriptor(p.extension, &in.structures, &f)
	}
	return f
}
