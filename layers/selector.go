package layers

import (
	"strings"

	"galene/codecs"
)

// Verdict is what becomes of one packet.
type Verdict struct {
	// Forward tells that the packet is sent, changed as Change says.
	Forward bool
	// Close tells that the packets which are missing before this one would not be sent
	// either: no number is to be kept for them.
	Close  bool
	Change Change
}

// Selector decides, packet by packet, what one subscriber is sent of one track.
//
//	       Begin            key picture
//	Idle ─────────▶ Begun ──────────────▶ Selecting ──┐ pictures
//	                  ▲                       │  ▲    │
//	                  └───────── Begin ───────┘  └────┘
//
// Its owner calls Begin whenever it starts to send a source, and Select with each
// packet from then on.
type Selector struct {
	// Target is what is wanted. It may be set from any goroutine at any time.
	Target Target

	rules     *rules
	beginning bool // the next packet is the first of its source
	refresh   bool

	limit  Layer // what is being sent up to
	top    uint8 // the highest spatial layer that the sender has been sending lately
	short  uint8 // how many pictures in a row have ended below top
	intact uint8 // bit s: all frames of spatial layer s were sent that its next ones may need
	free   uint8 // bit s: pictures have come whose upper layers do without spatial layer s
	chains chains
	active uint16 // the decode targets that the sender calls active, by codecs.LayerIndex
	fewer  bool   // the subscriber was told that there are fewer

	history history
	newest  newest
	change  Change // of the present picture
	sent    sent
}

// newest is the newest packet seen.
type newest struct {
	sequence  int64
	forwarded bool
	closed    bool // nothing of its picture follows it
	spatial   uint8
}

// allIntact says of all spatial layers that they are intact.
const allIntact = 0xff

// rules is how pictures are decided about in one format. p is one of the history.
type rules struct {
	// decide decides about a picture that is newer than all others by the first packet seen
	// of it: it sets what the selector sends from now on, and whether the picture is dropped.
	decide func(s *Selector, p *picture, f *codecs.Frame)
	// late tells whether a picture is dropped that others have overtaken, under the limit
	// of its time.
	late func(s *Selector, p *picture, f *codecs.Frame) bool
	// keeps tells whether a packet of a picture that is not dropped is sent.
	keeps func(s *Selector, p *picture, f *codecs.Frame) bool
	// closes tells whether the picture ids close over what is dropped.
	closes bool
	// spatial tells that a picture holds the frames of several spatial layers.
	spatial bool
}

// rulesFor returns the rules of a MIME type in lower case.
func rulesFor(mime string) *rules {
	switch mime {
	case "video/vp8":
		return &rules{decideVP8, lateTemporal, keepsAll, true, false}
	case "video/vp9":
		return &rules{decideVP9, lateVP9, keepsVP9, false, true}
	default:
		return &rules{decideDependency, lateDependency, keepsAll, false, false}
	}
}

func keepsAll(*Selector, *picture, *codecs.Frame) bool { return true }

// NewSelector returns a selector for a MIME type, which is matched without regard to
// case. The layers of types other than VP8 and VP9 are known by the
// dependency descriptor alone.
func NewSelector(mime string) *Selector {
	return &Selector{rules: rulesFor(strings.ToLower(mime)), beginning: true}
}

// Begin tells that the next packet is the first of a source, a key picture's, and that
// the numbers of what follows have to continue those of what was sent.
func (s *Selector) Begin() { s.beginning = true }

// WantsKeyframe tells whether a keyframe is needed to send what is wanted.
func (s *Selector) WantsKeyframe() bool { return s.refresh }

// Sending returns up to which layers the stream is being sent.
func (s *Selector) Sending() Layer { return s.limit }

// Passes tells that a packet is sent unchanged, without asking Select: nothing has come since Begin that
// there is anything to choose of or to renumber in.
func (s *Selector) Passes(f *codecs.Frame) bool {
	return !s.beginning && s.history.count == 0 && plain(f)
}

// Select decides about a packet: its sequence number, unwrapped, its timestamp and
// marker bit, and what its payload says. Packets of mere padding are not shown to it.
//
// Select does not allocate, and keeps no reference to f.
func (s *Selector) Select(sequence int64, timestamp uint32, marker bool, f *codecs.Frame) Verdict {
	if s.beginning {
		s.begin(sequence, f)
	}
	if s.history.count == 0 && plain(f) {
		return Verdict{Forward: true, Change: Change{Marker: marker}}
	}
	if !f.Known {
		return s.selectUnknown(sequence, timestamp, marker)
	}
	var v Verdict
	id, bits := identifier(f)
	ahead := sequence > s.newest.sequence
	begun, p := s.history.count > 0, s.history.back(0)
	switch {
	case begun && p.timestamp == timestamp && p.id == id:
		v.Forward = s.keeps(p, f)
		v.Close = ahead && !v.Forward && s.sameFate(p, f)
	case ahead:
		before := p
		p = s.add(sequence, timestamp, id, f)
		v.Forward = s.keeps(p, f)
		v.Close = begun && follows(id, before.id, bits) && s.closesGap(before, p, f)
	default:
		if p = s.late(sequence, timestamp, id, f); p == nil {
			return v
		}
		v.Forward = s.keeps(p, f)
	}
	p.first = min(p.first, sequence)
	v.Change = p.change
	v.Change.Marker = marker || f.End && f.SpatialID == p.limit.Spatial
	if ahead {
		if v.Forward {
			s.sent.note(f, s.change.Renumbering)
		}
		s.advance(sequence, marker, v.Forward, f)
	}
	return v
}

// begin starts a source with its first packet.
func (s *Selector) begin(sequence int64, f *codecs.Frame) {
	s.beginning, s.refresh = false, false
	s.newest = newest{sequence: sequence - 1}
	s.history.count = 0
	s.limit, s.top, s.short, s.intact, s.free, s.chains = Layer{}, 0, 0, allIntact, 0, chains{}
	s.change = Change{Renumbering: s.sent.continued(f)}
}

// plain tells whether a packet has nothing to select by and nothing to renumber.
func plain(f *codecs.Frame) bool {
	return f.PictureIDBits|f.TL0Offset|f.KeyIdxOffset|f.TemporalID|f.SpatialID == 0 && !f.Dependency.Known
}

// selectUnknown decides about a packet that was not understood: like the newest
// picture, if it is of that one.
func (s *Selector) selectUnknown(sequence int64, timestamp uint32, marker bool) Verdict {
	v := Verdict{Forward: true, Change: Change{Marker: marker}}
	if p := s.history.back(0); s.history.count > 0 && p.timestamp == timestamp {
		v.Forward = !p.dropped
	}
	if sequence > s.newest.sequence {
		s.newest = newest{sequence: sequence, forwarded: v.Forward}
	}
	return v
}

// keeps tells whether a packet of a picture is sent.
func (s *Selector) keeps(p *picture, f *codecs.Frame) bool {
	return !p.dropped && s.rules.keeps(s, p, f)
}

// add decides about a picture that is newer than all others.
func (s *Selector) add(sequence int64, timestamp uint32, id int32, f *codecs.Frame) *picture {
	p := s.history.push()
	*p = picture{first: sequence, timestamp: timestamp, id: id}
	limit := s.limit
	s.rules.decide(s, p, f)
	if p.dropped {
		s.leaveOut(f)
	}
	p.limit, p.top, p.intact, p.change = s.limit, s.top, s.intact, s.change
	if d := &f.Dependency; d.Known && (d.Structured || s.limit != limit || s.active != d.Active) {
		p.change.active, s.active = s.announce(d), d.Active
	}
	return p
}

// leaveOut closes the numbers over a picture that is not sent.
func (s *Selector) leaveOut(f *codecs.Frame) {
	if s.rules.closes && f.PictureIDBits > 0 {
		s.change.PictureID--
	}
	if f.TL0Offset > 0 && f.TemporalID == 0 {
		s.change.TL0PicIdx--
	}
	if f.Keyframe && f.KeyIdxOffset > 0 {
		s.change.KeyIdx--
	}
}

// late finds what was decided about a picture that is not the newest, or decides now. It
// returns nil if the picture is too old.
func (s *Selector) late(sequence int64, timestamp uint32, id int32, f *codecs.Frame) *picture {
	if p := s.history.find(timestamp, id); p != nil {
		return p
	}
	n := s.history.before(sequence)
	if n == s.history.count {
		return nil
	}
	like := *s.history.back(n)
	if n > 0 && s.history.back(n-1).timestamp == timestamp {
		like = *s.history.back(n - 1) // an upper layer's frame of the same picture
	}
	p := s.history.insert(n)
	*p = like
	p.first, p.timestamp, p.id, p.key, p.kept, p.left, p.free = sequence, timestamp, id, false, 0, 0, 0
	p.change.active = 0
	p.dropped = s.rules.late(s, p, f)
	return p
}

// advance takes note of the newest packet.
func (s *Selector) advance(sequence int64, marker, forwarded bool, f *codecs.Frame) {
	closed := f.End
	if s.rules.spatial {
		closed = marker
		s.noteTop(marker, f.SpatialID)
		s.noteFree(s.history.back(0), f)
	}
	s.newest = newest{sequence, forwarded, closed, f.SpatialID}
}

// sameFate tells whether what is missing between the newest packet and this one, which is
// dropped and of the same picture, is dropped too.
func (s *Selector) sameFate(p *picture, f *codecs.Frame) bool {
	if s.newest.forwarded {
		return false
	}
	return p.dropped || f.SpatialID == s.newest.spatial ||
		min(f.SpatialID, s.newest.spatial) > p.limit.Spatial
}

// closesGap tells whether nothing that is sent can be missing between the newest packet, which
// is of the picture before, and this one, the first seen of picture p, the next one.
func (s *Selector) closesGap(before, p *picture, f *codecs.Frame) bool {
	rest := !s.newest.forwarded && (before.dropped || s.newest.spatial > before.limit.Spatial)
	switch {
	case p.dropped:
		return rest || s.newest.closed
	case f.Start && (f.SpatialID == 0 || !s.rules.spatial):
		return rest
	default:
		return false
	}
}
