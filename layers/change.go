package layers

import "galene/codecs"

// Change is how a packet is changed for a subscriber. With the packet as it came
// it tells everything about the packet as it was sent, so that it can be sent
// again with the same octets.
type Change struct {
	codecs.Renumbering
	// Marker is the marker bit of the packet as it is sent.
	Marker bool
	// active is one more than the LayerIndex up to which the dependency
	// descriptor is to call decode targets active; 0 if it is to be left alone.
	active uint8
}

// Positions in a packed change.
const (
	packFrameNumber = 16
	packTL0PicIdx   = 32
	packKeyIdx      = 40
	packActive      = 48
	packMarker      = 56
)

// Pack returns c as one number.
func (c Change) Pack() uint64 {
	packed := uint64(c.PictureID) | uint64(c.FrameNumber)<<packFrameNumber |
		uint64(c.TL0PicIdx)<<packTL0PicIdx | uint64(c.KeyIdx)<<packKeyIdx | uint64(c.active)<<packActive
	if c.Marker {
		packed |= 1 << packMarker
	}
	return packed
}

// Unpack undoes [Change.Pack].
func Unpack(packed uint64) Change {
	return Change{
		Renumbering: codecs.Renumbering{
			PictureID:   uint16(packed),
			FrameNumber: uint16(packed >> packFrameNumber),
			TL0PicIdx:   uint8(packed >> packTL0PicIdx),
			KeyIdx:      uint8(packed >> packKeyIdx),
		},
		Marker: packed>>packMarker&1 != 0,
		active: uint8(packed >> packActive),
	}
}

// Rewrites tells whether the payload of a frame has to be changed.
func (c *Change) Rewrites(f *codecs.Frame) bool {
	return c.PictureID != 0 && f.PictureIDBits > 0 || c.TL0PicIdx != 0 && f.TL0Offset > 0 ||
		c.KeyIdx != 0 && f.KeyIdxOffset > 0
}

// ActiveLayers returns what [codecs.RewriteDependencyDescriptor] is to make the
// active targets of a frame, 0 if it is to leave them alone.
func (c *Change) ActiveLayers(d *codecs.Dependency) uint16 {
	if c.active == 0 || !d.Known {
		return 0
	}
	return d.Active & upTo(int(c.active)-1)
}

// upTo returns the layers that are neither spatially nor temporally above one,
// given by LayerIndex.
func upTo(layer int) (set uint16) {
	spatial, temporal := layer/4, layer%4
	for s := range spatial + 1 {
		set |= (1<<(temporal+1) - 1) << (4 * s)
	}
	return set
}
