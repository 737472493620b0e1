package codecs

import "strings"

// Frame is one packet's place in its frame, filled once when the packet is
// received. It is a plain value that may be copied and compared.
//
// A frame is what a decoder decodes at once: for VP9 that is one spatial layer
// of a picture, for the other formats the whole picture.
type Frame struct {
	// Known tells that the payload was understood. If it is false, all other
	// fields are zero, and PictureID and TL0PicIdx mean nothing.
	Known bool

	// Keyframe tells that a keyframe starts in this packet. It is false for
	// the rest of the keyframe's packets. It implies Start and SwitchUp.
	//
	// In VP9 it speaks of the packet's own spatial layer: the upper layers of
	// a key picture are predicted from the lower ones and are not keyframes,
	// unless the layers are coded independently of each other.
	Keyframe bool

	// Start tells that the packet is the first of its frame. In H.264 and AV1
	// it is the first packet of a frame only if its timestamp differs from the
	// preceding packet's, which a payload cannot show: several packets of one
	// frame may look like a start (parameter sets, then a slice; a sequence
	// header, then a frame).
	Start bool
	// End tells that the packet is the last of its frame. In VP9 that is the E
	// bit; the RTP marker then tells the last packet of the picture.
	End bool

	SwitchUp     bool // receiving this temporal layer may begin with this frame
	NotUsedAbove bool // VP9: no upper spatial layer is predicted from this frame
	InterPicture bool // VP9: predicted from earlier pictures
	InterLayer   bool // VP9: predicted from the spatial layer below in this picture
	Flexible     bool // VP9: References tells from which pictures
	Discardable  bool // VP8: no other frame is predicted from this one

	SpatialID  uint8 // 0 to 7, 0 if there are no layers; VP9, and by dependency descriptor
	TemporalID uint8 // 0 to 7, 0 if there are no layers; VP8, VP9, and by dependency descriptor

	// References are VP9's P_DIFF: how many pictures back those are from which
	// this frame is predicted. 0 is none.
	References [vp9MaxReferences]uint8

	// Where the payload holds what a forwarder rewrites, in bytes from its
	// start; 0 if it is absent. KeyIdxOffset is that of the byte which holds
	// VP8's TID, Y and KEYIDX, and is set only if KEYIDX is there.
	PictureIDOffset, TL0Offset, KeyIdxOffset uint8

	PictureIDBits uint8 // width of the picture id: 0 if absent, 7 or 15
	KeyIdx        uint8 // VP8's KEYIDX, 0 to 31, if KeyIdxOffset is set
	TL0PicIdx     int16 // 0 to 255, or -1 if absent
	PictureID     int32 // of PictureIDBits bits, or -1 if absent

	// Width and Height are in pixels, at a Keyframe whose payload tells them,
	// and 0 elsewhere. VP8, H.264: of the picture. VP9: of the highest spatial
	// layer if the scalability structure tells, else of this frame. AV1: the
	// maximum of the coded video sequence.
	Width, Height uint16

	// Dependency is what the dependency descriptor says, if the packet has one:
	// [ParseDependencyDescriptor] fills it after the Parser.
	Dependency Dependency
}

// Parser fills f from one RTP payload, without padding, and the RTP marker bit.
// What f held before does not matter. A Parser does not allocate, does not
// panic and does not retain payload. A payload it cannot read leaves f the zero
// Frame, whose Known is false.
type Parser func(payload []byte, marker bool, f *Frame)

// parsers holds the Parser of each format by its MIME type in lower case.
var parsers = map[string]Parser{
	"video/vp8":  parseVP8,
	"video/vp9":  parseVP9,
	"video/av1":  parseAV1,
	"video/h264": parseH264,
}

// ParserFor returns the parser of a MIME type, which is matched without regard
// to case. It never returns nil:
//
//   - the parser of any audio type takes each packet for one whole frame, as is
//     true of the formats in [Formats]: Known, Start and End are true and
//     Keyframe is false;
//   - the parser of any other unknown type knows nothing of any packet.
//
// An empty payload is unknown to each of them.
func ParserFor(mime string) Parser {
	mime = strings.ToLower(mime)
	if p, ok := parsers[mime]; ok {
		return p
	}
	if strings.HasPrefix(mime, "audio/") {
		return parseAudio
	}
	return parseUnknown
}

func parseAudio(payload []byte, _ bool, f *Frame) {
	*f = Frame{}
	if len(payload) > 0 {
		*f = Frame{Known: true, Start: true, End: true, PictureID: -1, TL0PicIdx: -1}
	}
}

func parseUnknown(_ []byte, _ bool, f *Frame) {
	*f = Frame{}
}

// setSize keeps a size that fits a Frame; any other stays unknown.
func (f *Frame) setSize(width, height uint64) {
	if width > 0 && width <= 0xffff && height > 0 && height <= 0xffff {
		f.Width, f.Height = uint16(width), uint16(height)
	}
}
