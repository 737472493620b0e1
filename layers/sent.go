package layers

import "galene/codecs"

// sent is what the numbers of the latest picture that was sent were, as the subscriber saw
// them.
type sent struct {
	hasPictureID, hasFrameNumber, hasTL0PicIdx, hasKeyIdx bool

	pictureID, frameNumber uint16
	tl0PicIdx, keyIdx      uint8
}

// note takes note of a picture that is sent.
func (s *sent) note(f *codecs.Frame, r codecs.Renumbering) {
	if f.PictureIDBits > 0 {
		s.hasPictureID, s.pictureID = true, uint16(f.PictureID)+r.PictureID
	}
	if f.Dependency.Known {
		s.hasFrameNumber, s.frameNumber = true, f.Dependency.Number+r.FrameNumber
	}
	if f.TL0Offset > 0 {
		s.hasTL0PicIdx, s.tl0PicIdx = true, uint8(f.TL0PicIdx)+r.TL0PicIdx
	}
	if f.KeyIdxOffset > 0 {
		s.hasKeyIdx, s.keyIdx = true, f.KeyIdx+r.KeyIdx
	}
}

// continued returns what to add to the numbers of a source whose first frame is f, so that they
// continue those that were sent. Nothing is added where none was.
func (s *sent) continued(f *codecs.Frame) (r codecs.Renumbering) {
	if s.hasPictureID && f.PictureIDBits > 0 {
		r.PictureID = s.pictureID + 1 - uint16(f.PictureID)
	}
	if s.hasFrameNumber && f.Dependency.Known {
		r.FrameNumber = s.frameNumber + 1 - f.Dependency.Number
	}
	if s.hasTL0PicIdx && f.TL0Offset > 0 {
		r.TL0PicIdx = s.tl0PicIdx + 1 - uint8(f.TL0PicIdx)
	}
	if s.hasKeyIdx && f.KeyIdxOffset > 0 {
		r.KeyIdx = s.keyIdx + 1 - f.KeyIdx
	}
	return r
}
