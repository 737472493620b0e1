package loadtest

import (
	"testing"

	"galene/codecs"
)

func TestVideoIsValidVP8(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		picture picture
		length  int
	}{
		{"start of a keyframe", picture{number: 0x7fff, layer: 255, keyframe: true, first: true}, 16},
		{"start of another frame", picture{number: 5, layer: 6, first: true}, 9},
		{"middle of a keyframe", picture{number: 5, layer: 6, keyframe: true}, 6},
		{"middle of another frame", picture{number: 0x8000, layer: 0}, 6},
	}
	for _, tt := range tests {
		b := make([]byte, minVideoPayload)
		if n := describeVP8(b, tt.picture); n != tt.length {
			t.Errorf("%s: %d octets, want %d", tt.name, n, tt.length)
		}
		var f codecs.Frame
		codecs.ParserFor("video/VP8")(b, false, &f)
		p := tt.picture
		if !f.Known || f.Start != p.first || f.Keyframe != (p.first && p.keyframe) ||
			f.PictureIDBits != 15 || f.PictureID != int32(p.number&0x7fff) || f.TL0PicIdx != int16(p.layer) || f.TemporalID != 0 {
			t.Errorf("%s: %x is parsed as %+v", tt.name, b, f)
		}
		if f.Keyframe && (f.Width != pictureWidth || f.Height != pictureHeight) {
			t.Errorf("%s: the picture is %d×%d", tt.name, f.Width, f.Height)
		}
	}
}
