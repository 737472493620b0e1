package layers

import (
	"testing"

	"galene/codecs"
)

// A receiver takes a hole in any of these numbers for a loss.
func TestNumbersCloseOverWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, mime string
		frame      codecs.Frame
		want       codecs.Renumbering
	}{
		{"a picture of an upper layer", "video/VP8", codecs.Frame{PictureIDBits: 15, TL0Offset: 4, TemporalID: 2}, codecs.Renumbering{PictureID: 0xffff}},
		{"one of the lowest layer", "video/VP8", codecs.Frame{PictureIDBits: 7, TL0Offset: 3}, codecs.Renumbering{PictureID: 0xffff, TL0PicIdx: 0xff}},
		{"a keyframe", "video/VP8", codecs.Frame{Keyframe: true, KeyIdxOffset: 5}, codecs.Renumbering{KeyIdx: 0xff}},
		{"no keyframe", "video/VP8", codecs.Frame{KeyIdxOffset: 5}, codecs.Renumbering{}},
		{"a VP9 picture, whose references count by id", "video/VP9", codecs.Frame{PictureIDBits: 15, TemporalID: 1, TL0Offset: 3}, codecs.Renumbering{}},
		{"a VP9 picture of the lowest layer", "video/VP9", codecs.Frame{PictureIDBits: 15, TL0Offset: 3}, codecs.Renumbering{TL0PicIdx: 0xff}},
	} {
		s := NewSelector(tt.mime)
		s.leaveOut(&tt.frame)
		if got := s.change.Renumbering; got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
