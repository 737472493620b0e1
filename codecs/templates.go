package codecs

import "math/bits"

// read reads template_dependency_structure (AV1 RTP §A.8.2). It returns false if
// it is cut off, or is none of those that a [Dependency] can describe.
func (t *templates) read(r *bitReader) bool {
	t.offset = uint8(r.bits(6))
	written := int(r.bits(5)) + 1
	if written > maxTargets {
		return false
	}
	t.targets = uint8(written)
	if !t.readLayers(r) {
		return false
	}
	// Indications are kept by layer, but which layer a target is of follows
	// only from all of them.
	var byTarget [maxTemplates]uint32
	for i := range int(t.count) {
		for target := range written {
			byTarget[i] |= r.bits(2) << (2 * target)
		}
	}
	if !t.placeTargets(&byTarget) {
		return false
	}
	for i := range int(t.count) {
		follows := r.flag()
		for n := 0; follows && !r.short; n++ {
			t.frames[i].references.add(n, r.bits(4)+1)
			follows = r.flag()
		}
	}
	if !t.readProtection(r) {
		return false
	}
	t.readSizes(r)
	return !r.short
}

// readLayers reads template_layers.
func (t *templates) readLayers(r *bitReader) bool {
	var spatial, temporal uint8
	for {
		if t.count == maxTemplates || spatial >= maxSpatial || temporal >= maxTemporal {
			return false
		}
		t.frames[t.count] = template{spatial: spatial, temporal: temporal}
		t.count++
		switch next := r.bits(2); {
		case r.short:
			return false
		case next == 1:
			temporal++
		case next == 2:
			temporal = 0
			spatial++
		case next == 3:
			return true
		}
	}
}

// placeTargets finds the layer of each decode target, which is the highest of
// the frames that belong to it, and sorts the indications accordingly.
func (t *templates) placeTargets(byTarget *[maxTemplates]uint32) bool {
	for target := range int(t.targets) {
		var spatial, temporal uint8
		for i := range int(t.count) {
			if byTarget[i]>>(2*target)&3 != uint32(NotPresent) {
				spatial = max(spatial, t.frames[i].spatial)
				temporal = max(temporal, t.frames[i].temporal)
			}
		}
		layer := LayerIndex(spatial, temporal)
		if t.present>>layer&1 != 0 {
			return false // two targets of one layer
		}
		t.present |= 1 << layer
		t.layout |= uint64(layer) << (4 * target)
		for i := range int(t.count) {
			t.frames[i].indications |= byTarget[i] >> (2 * target) & 3 << (2 * layer)
		}
	}
	return true
}

// readProtection reads template_chains.
func (t *templates) readProtection(r *bitReader) bool {
	t.chains = uint8(r.nonSymmetric(uint32(t.targets) + 1))
	if t.chains == 0 {
		return true
	}
	for target := range int(t.targets) {
		chain := uint8(r.nonSymmetric(uint32(t.chains)))
		spatial := t.layout >> (4 * target) & 15 / maxTemporal
		if t.chained>>spatial&1 != 0 && t.chainOf[spatial] != chain {
			return false
		}
		t.chained |= 1 << spatial
		t.chainOf[spatial] = chain
	}
	for i := range int(t.count) {
		t.readChains(r, 4, &t.frames[i].chains)
	}
	return true
}

// readChains reads the distances of a frame in all chains, in so many bits each,
// and sorts them by spatial layer.
func (t *templates) readChains(r *bitReader, width int, chains *[maxSpatial]uint8) {
	var byChain [maxChains]uint8
	for i := range int(t.chains) {
		byChain[i] = uint8(r.bits(width))
	}
	for spatial := range chains {
		if t.chained>>spatial&1 != 0 {
			chains[spatial] = byChain[t.chainOf[spatial]&(maxChains-1)]
		}
	}
}

// readIndications reads frame_dtis.
func (t *templates) readIndications(r *bitReader) (indications uint32) {
	for target := range int(t.targets) {
		indications |= r.bits(2) << (2 * (t.layout >> (4 * target) & 15))
	}
	return indications
}

// readSizes reads resolutions_present_flag and render_resolutions.
func (t *templates) readSizes(r *bitReader) {
	t.hasSizes = r.flag()
	if !t.hasSizes {
		return
	}
	for spatial := range t.frames[t.count-1].spatial + 1 {
		// 65536 does not fit, and counts as unknown.
		t.width[spatial] = uint16(r.bits(16) + 1)
		t.height[spatial] = uint16(r.bits(16) + 1)
	}
}

// nonSymmetric reads ns(n) (AV1 bitstream §4.10.7): a number below n.
func (r *bitReader) nonSymmetric(n uint32) uint32 {
	w := bits.Len32(n)
	m := uint32(1)<<w - n
	v := r.bits(w - 1)
	if v < m {
		return v
	}
	return v<<1 - m + r.bit()
}
