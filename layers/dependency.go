package layers

import "galene/codecs"

// chains is what is remembered of dependency descriptors.
type chains struct {
	begun   bool   // number means something
	number  uint16 // of the newest frame
	broken  uint8  // bit s: a frame was dropped of the chain that protects spatial layer s
	chosen  bool   // limit is a decode target
	sending bool   // a frame of the present temporal unit was sent
	// What became of the last 256 frames, by number; neither if they have not come.
	sent, dropped frameSet
}

// follow moves on to a frame: it takes note of which chains it finds broken.
func (c *chains) follow(d *codecs.Dependency) {
	ahead := d.Number - c.number
	switch {
	case !c.begun, ahead >= 256:
		c.sent, c.dropped = frameSet{}, frameSet{}
	default:
		for n := c.number + 1; n != d.Number+1; n++ {
			c.sent.set(n, false)
			c.dropped.set(n, false)
		}
	}
	c.begun, c.number = true, d.Number
	for spatial, back := range d.Chains {
		switch {
		case back == 0:
			c.broken &^= 1 << spatial
		case c.dropped.has(d.Number - uint16(back)):
			c.broken |= 1 << spatial
		}
	}
}

// note takes note of what becomes of a frame.
func (c *chains) note(number uint16, dropped bool) {
	c.sent.set(number, !dropped)
	c.dropped.set(number, dropped)
}

// frameSet is a set of the last 256 frames, by number.
type frameSet [4]uint64

func (f *frameSet) set(number uint16, in bool) {
	word, bit := number>>6&3, uint64(1)<<(number&63)
	f[word] &^= bit
	if in {
		f[word] |= bit
	}
}

func (f *frameSet) has(number uint16) bool {
	return f[number>>6&3]>>(number&63)&1 != 0
}

// pick returns the highest active decode target that is not above limit: spatially first. If
// there is none it returns the lowest one.
func pick(d *codecs.Dependency, limit Layer) Layer {
	active := d.Targets & d.Active
	for spatial := int(min(limit.Spatial, 3)); spatial >= 0; spatial-- {
		for temporal := int(min(limit.Temporal, 3)); temporal >= 0; temporal-- {
			if active>>codecs.LayerIndex(uint8(spatial), uint8(temporal))&1 != 0 {
				return Layer{uint8(spatial), uint8(temporal)}
			}
		}
	}
	for layer := range 16 {
		if active>>layer&1 != 0 {
			return Layer{uint8(layer / 4), uint8(layer % 4)}
		}
	}
	return Layer{}
}

// indication returns what a frame is to the decode target of a layer.
func indication(d *codecs.Dependency, l Layer) codecs.Indication {
	return d.Indication(codecs.LayerIndex(l.Spatial, l.Temporal))
}

// decideDependency decides about a frame by its dependency descriptor. Without one, everything is
// sent.
func decideDependency(s *Selector, p *picture, f *codecs.Frame) {
	d := &f.Dependency
	if !d.Known {
		return
	}
	s.chains.follow(d)
	if s.startsPicture(p) {
		s.chains.sending = false
	}
	s.aim(p, d, pick(d, s.Target.Get()))
	p.dropped = indication(d, s.limit) == codecs.NotPresent
	s.chains.note(d.Number, p.dropped)
	s.chains.sending = s.chains.sending || !p.dropped
	s.top = highestSpatial(d)
}

// aim goes towards a decode target as far as frame d allows.
func (s *Selector) aim(p *picture, d *codecs.Dependency, want Layer) {
	if !s.chains.chosen {
		s.limit, s.chains.chosen = want, true
	}
	if want == s.limit {
		s.refresh = false
		return
	}
	// What was sent of the unit so far has ended with a marker.
	ended := s.chains.sending && want.Spatial > s.limit.Spatial && d.Chains[want.Spatial] != 0
	if !ended && s.canSwitch(d, want) {
		s.limit, s.refresh = want, false
		return
	}
	if s.startsPicture(p) {
		// The frames of a lower target are among those of the present one, except that those of a
		// lower spatial layer may have been needless; its chain tells of the lowest temporal layer.
		lower := want.min(s.limit)
		if lower.Spatial < s.limit.Spatial {
			lower.Temporal = 0
		}
		lower = pick(d, lower)
		if lower.min(s.limit) == lower && s.unbroken(d, lower.Spatial) {
			s.limit = lower
		}
	}
	if up := pick(d, Layer{s.limit.Spatial, want.Temporal}); up.Spatial == s.limit.Spatial && s.canSwitch(d, up) {
		s.limit = up
	}
	s.refresh = want.Spatial != s.limit.Spatial
}

// canSwitch tells whether target l is decodable from frame d on: the sender says so, if the
// frame itself is.
func (s *Selector) canSwitch(d *codecs.Dependency, l Layer) bool {
	if indication(d, l) != codecs.Switch || d.Obscure || !s.unbroken(d, l.Spatial) {
		return false
	}
	for _, back := range d.References {
		if back != 0 && !s.chains.sent.has(d.Number-uint16(back)) {
			return false
		}
	}
	return true
}

// unbroken tells whether everything was sent that the targets of a spatial layer need. Of what has
// not come yet that cannot be told.
func (s *Selector) unbroken(d *codecs.Dependency, spatial uint8) bool {
	if d.Chained>>spatial&1 == 0 {
		return spatial == s.limit.Spatial || d.Structured
	}
	back := d.Chains[spatial]
	return s.chains.broken>>spatial&1 == 0 && (back == 0 || s.chains.sent.has(d.Number-uint16(back)))
}

// startsPicture tells whether frame p, the newest, is the first of a temporal unit.
func (s *Selector) startsPicture(p *picture) bool {
	return s.history.count < 2 || s.history.back(1).timestamp != p.timestamp
}

// highestSpatial returns the highest spatial layer that there is a decode target of.
func highestSpatial(d *codecs.Dependency) uint8 {
	for spatial := uint8(3); spatial > 0; spatial-- {
		if d.Targets>>codecs.LayerIndex(spatial, 0)&15 != 0 {
			return spatial
		}
	}
	return 0
}

// lateDependency drops what does not belong to the decode target of its time.
func lateDependency(s *Selector, p *picture, f *codecs.Frame) bool {
	d := &f.Dependency
	if !d.Known {
		return false
	}
	dropped := indication(d, p.limit) == codecs.NotPresent
	if s.chains.number-d.Number < 256 {
		s.chains.note(d.Number, dropped)
	}
	return dropped
}

// announce returns the active decode targets to tell a subscriber, with a frame, that is
// sent what is up to the limit: one more than the LayerIndex of that, or 0 if there is nothing
// to tell beside what the sender says: all its targets are sent, and the subscriber knows of
// no fewer. A structure makes it forget what it knew.
func (s *Selector) announce(d *codecs.Dependency) uint8 {
	layer := codecs.LayerIndex(min(s.limit.Spatial, 3), min(s.limit.Temporal, 3))
	all := d.Targets & d.Active
	knew := s.fewer && !d.Structured
	s.fewer = all&upTo(layer) != all
	if !s.fewer && !knew {
		return 0
	}
	return uint8(layer) + 1
}
