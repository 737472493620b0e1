package codecs

import "encoding/binary"

// Renumbering is what a forwarder adds to the numbers inside a packet, each
// modulo the width of its field. The zero value changes nothing.
type Renumbering struct {
	PictureID   uint16
	FrameNumber uint16 // of the dependency descriptor
	TL0PicIdx   uint8
	KeyIdx      uint8
}

// Renumber adds r to the numbers of a VP8 or VP9 payload, in place, where f says
// that the sender had them; a field that is absent stays absent, and each keeps
// its width.
//
// f must be what the payload's parser made of this payload or of the one it is a
// copy of; it is not changed, because all subscribers share it. Renumber does not
// allocate, and writes nothing beyond the end of payload.
func Renumber(payload []byte, f *Frame, r Renumbering) {
	if at := int(f.PictureIDOffset); at > 0 {
		id := uint16(f.PictureID) + r.PictureID
		switch {
		case f.PictureIDBits == 7 && at < len(payload):
			payload[at] = uint8(id) &^ longPictureID
		case f.PictureIDBits == 15 && at+1 < len(payload):
			binary.BigEndian.PutUint16(payload[at:], id|longPictureID<<8)
		}
	}
	if at := int(f.TL0Offset); at > 0 && at < len(payload) {
		payload[at] = uint8(f.TL0PicIdx) + r.TL0PicIdx
	}
	if at := int(f.KeyIdxOffset); at > 0 && at < len(payload) {
		payload[at] = payload[at]&^vp8KeyIdxMask | (f.KeyIdx+r.KeyIdx)&vp8KeyIdxMask
	}
}
