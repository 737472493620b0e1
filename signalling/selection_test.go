package signalling

import (
	"strings"
	"testing"

	"galene/codecs"
	"galene/conn"
)

func TestSelectionOfTracks(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, tracks, want, selected string }{
		{"nothing wanted", "audio video", "", ""},
		{"everything", "audio video", "audio video", "audio video"},
		{"the order of wishes does not matter", "video audio", "video audio", "audio video"},
		{"the first of each kind", "audio1 audio2 video1 video2", "audio video", "audio1 video1"},
		{"low is the last encoding", "audio h l", "audio video-low", "audio l"},
		{"or the lowest layer of the only one", "audio video", "video-low", "video/low"},
		{"video wins over low", "h l", "video-low video", "h"},
		{"unknown words are ignored", "audio video", "smell audio", "audio"},
		{"what is not there is not sent", "video", "audio", ""},
		{"no tracks", "", "audio video", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var tracks []conn.UpTrack
			for name := range strings.FieldsSeq(tt.tracks) {
				kind := codecs.Video
				if strings.HasPrefix(name, "audio") {
					kind = codecs.Audio
				}
				tracks = append(tracks, &fakeTrack{name: name, kind: kind})
			}
			var got []string
			for _, s := range selectTracks(tracks, wishOf(strings.Fields(tt.want))) {
				name := s.Track.(*fakeTrack).name
				if s.LowestLayer {
					name += "/low"
				}
				got = append(got, name)
			}
			if strings.Join(got, " ") != tt.selected {
				t.Errorf("selectTracks(%v, %v) = %v, want %v", tt.tracks, tt.want, got, tt.selected)
			}
		})
	}
}

func TestWhatIsWantedOfAStream(t *testing.T) {
	t.Parallel()
	requests := map[string]wish{"camera": wishAudio, "screenshare": 0, "": wishVideo}
	low, nothing := wishVideoLow, wish(0)
	tests := []struct {
		name, label string
		override    *wish
		want        wish
	}{
		{"by label", "camera", nil, wishAudio},
		{"an empty list is nothing", "screenshare", nil, 0},
		{"other labels", "film", nil, wishVideo},
		{"what was said about the stream wins", "camera", &low, wishVideoLow},
		{"also if that is nothing", "camera", &nothing, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := wanted(requests, tt.label, tt.override); got != tt.want {
				t.Errorf("wanted(%q, %v) = %v, want %v", tt.label, tt.override, got, tt.want)
			}
		})
	}
	if got := wanted(nil, "camera", nil); got != 0 {
		t.Errorf("wanted without any request = %v, want nothing", got)
	}
}
