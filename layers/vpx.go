package layers

import "galene/codecs"

// decideVP8 decides about a VP8 picture. One with the Y bit is predicted from
// layer 0 alone, so that its own layer may begin with it (RFC 7741 §4.2).
func decideVP8(s *Selector, p *picture, f *codecs.Frame) {
	target := s.Target.Get()
	s.limit.Spatial = 0
	switch {
	case f.Keyframe:
		s.limit.Temporal = target.Temporal
	case target.Temporal < s.limit.Temporal:
		s.limit.Temporal = target.Temporal
	case f.SwitchUp && f.TemporalID == s.limit.Temporal+1 && f.TemporalID <= target.Temporal:
		s.limit.Temporal = f.TemporalID
	}
	p.dropped = f.TemporalID > s.limit.Temporal
}

// lateTemporal drops what is above the temporal limit of its time.
func lateTemporal(_ *Selector, p *picture, f *codecs.Frame) bool {
	return f.TemporalID > p.limit.Temporal
}

// decideVP9 decides about a VP9 picture: how many spatial layers are sent of it and, if it is
// temporally above what is sent, that nothing is.
func decideVP9(s *Selector, p *picture, f *codecs.Frame) {
	target := s.Target.Get()
	p.key = f.SpatialID == 0 && !f.InterPicture
	if p.key {
		s.limit, s.top, s.intact, s.refresh = target, 0, allIntact, false
		return
	}
	s.limitSpatial(target.Spatial)
	for layer := s.limit.Spatial + 1; layer <= s.top; layer++ {
		s.intact &^= 1 << layer // before anything of it is seen
	}
	p.stalled = s.intact>>min(s.limit.Spatial, s.top)&1 == 0
	s.limitTemporal(target.Temporal, f)
	s.refresh = s.refresh || p.stalled
	p.dropped = p.stalled || f.TemporalID > s.limit.Temporal || !s.hasReferences(f)
}

// limitSpatial goes towards a spatial limit as far as that is possible without a key picture.
func (s *Selector) limitSpatial(target uint8) {
	s.refresh = false
	if target == s.limit.Spatial {
		return
	}
	// Above top there is nothing that could be missing.
	for layer := min(s.limit.Spatial, target, s.top) + 1; layer <= min(target, s.top); layer++ {
		if s.intact>>layer&1 == 0 {
			s.refresh = true
			return
		}
	}
	if s.intact>>min(target, s.top)&1 == 0 {
		s.refresh = true
		return
	}
	s.limit.Spatial = target
}

// limitTemporal goes towards a temporal limit, with a picture that is not a key picture. The U
// bit of a picture that is sent says that what follows needs no earlier picture of the layers
// above (RFC 9628 §4.2). References say it for each picture.
func (s *Selector) limitTemporal(target uint8, f *codecs.Frame) {
	switch {
	case target <= s.limit.Temporal:
		s.limit.Temporal = target
	case f.SwitchUp && f.TemporalID <= s.limit.Temporal:
		s.limit.Temporal = target
	case f.Flexible && f.TemporalID <= target && s.hasReferences(f):
		s.limit.Temporal = max(s.limit.Temporal, f.TemporalID)
	}
}

// hasReferences tells whether none of the pictures has been dropped that a frame is predicted
// from, as far as it tells and we remember.
func (s *Selector) hasReferences(f *codecs.Frame) bool {
	if !f.Flexible || !f.InterPicture || f.PictureIDBits == 0 {
		return true
	}
	for _, back := range f.References {
		if back == 0 {
			break
		}
		id := (f.PictureID - int32(back)) & (1<<f.PictureIDBits - 1)
		for n := 1; n < s.history.count; n++ {
			if p := s.history.back(n); p.id == id {
				if p.dropped {
					return false
				}
				break
			}
		}
	}
	return true
}

// lateVP9 drops what is above the temporal limit of its time, or was not decodable then.
func lateVP9(s *Selector, p *picture, f *codecs.Frame) bool {
	return p.stalled || f.TemporalID > p.limit.Temporal || !s.hasReferences(f)
}

// keepsVP9 leaves out the spatial layers above the limit, and those below that this picture's
// upper ones do without.
func keepsVP9(s *Selector, p *picture, f *codecs.Frame) bool {
	bit := uint8(1) << f.SpatialID
	if (p.kept|p.left)&bit == 0 {
		if s.needs(p, f) {
			p.kept |= bit
		} else {
			p.left |= bit
		}
	}
	return p.kept&bit != 0
}

// needs decides about a spatial layer of a picture.
func (s *Selector) needs(p *picture, f *codecs.Frame) bool {
	spatial := f.SpatialID
	newest := p == s.history.back(0)
	switch {
	case spatial > p.limit.Spatial:
	case !f.NotUsedAbove, p.key, spatial >= min(p.limit.Spatial, p.top):
		return true
	case !newest:
		return p.intact>>spatial&1 != 0 // then what follows may have begun to need it
	case s.free>>spatial&1 == 0:
		return true
	}
	if newest {
		s.intact &^= 1 << spatial
		p.intact &^= 1 << spatial
	}
	return false
}

// noteFree takes note of layers that the upper ones do without, by the newest packet. That a frame is
// not used above is no reason to leave it out: it may be the highest one, since its
// sender has stopped the others. There has to be one above it in its picture.
func (s *Selector) noteFree(p *picture, f *codecs.Frame) {
	bit := uint8(1) << f.SpatialID
	if f.NotUsedAbove && !p.key {
		p.free |= bit
	} else {
		s.free &^= bit
	}
	s.free |= p.free & (bit - 1)
}

// maxShort is after how many pictures a spatial layer counts as gone. Some senders send
// fewer pictures in the upper layers.
const maxShort = 10

// noteTop takes note of which spatial layers the sender sends, by its newest packet.
func (s *Selector) noteTop(marker bool, spatial uint8) {
	switch {
	case spatial >= s.top:
		s.top, s.short = spatial, 0
	case marker:
		if s.short++; s.short >= maxShort {
			s.top, s.short = spatial, 0
		}
	}
}
