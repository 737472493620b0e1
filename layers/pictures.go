package layers

import "galene/codecs"

// historySize is how many pictures are remembered; a power of two.
const historySize = 64

// picture is what was decided about one picture or, if a dependency descriptor
// tells, one frame.
type picture struct {
	first     int64 // the least sequence number seen of it
	timestamp uint32
	id        int32 // its picture id or frame number; -1 if it has none
	dropped   bool  // nothing of it is sent
	stalled   bool  // nothing was sent until the next key picture
	key       bool  // a key picture: no layer of it is needless
	limit     Layer // what was sent up to, from this picture on
	top       uint8 // the highest spatial layer that the sender was sending
	intact    uint8 // as the selector's, after deciding about this picture
	// Bit s: it was decided to send spatial layer s, or not to.
	kept, left uint8
	free       uint8 // bit s: its upper layers do without spatial layer s
	change     Change
}

// history holds the latest pictures of the present source, in order.
type history struct {
	pictures [historySize]picture
	head     int // where the newest one is
	count    int
}

// back returns the picture that is n before the newest one; n is below count.
func (h *history) back(n int) *picture {
	return &h.pictures[(h.head-n)&(historySize-1)]
}

// push makes room for a newest picture.
func (h *history) push() *picture {
	h.head = (h.head + 1) & (historySize - 1)
	h.count = min(h.count+1, historySize)
	return &h.pictures[h.head]
}

// insert makes room for a picture that is then n before the newest one. The oldest one is
// forgotten if need be.
func (h *history) insert(n int) *picture {
	h.push()
	for i := range n {
		*h.back(i) = *h.back(i + 1)
	}
	return h.back(n)
}

// find returns the picture of that name, or nil.
func (h *history) find(timestamp uint32, id int32) *picture {
	for n := range h.count {
		if p := h.back(n); p.timestamp == timestamp && p.id == id {
			return p
		}
	}
	return nil
}

// before returns how many pictures are not before a packet; it is count if all of them are
// behind.
func (h *history) before(sequence int64) int {
	for n := range h.count {
		if h.back(n).first < sequence {
			return n
		}
	}
	return h.count
}

// identifier returns by what number a picture is known, and how many bits that
// has; -1 and 0 if it has none.
func identifier(f *codecs.Frame) (id int32, bits uint8) {
	switch {
	case f.PictureIDBits > 0:
		return f.PictureID, f.PictureIDBits
	case f.Dependency.Known:
		return int32(f.Dependency.Number), 16
	default:
		return -1, 0
	}
}

// follows tells whether a number of so many bits is the next one after another.
func follows(id, before int32, bits uint8) bool {
	return bits > 0 && before >= 0 && id == (before+1)&(1<<bits-1)
}
