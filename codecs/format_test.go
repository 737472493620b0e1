package codecs

import (
	"reflect"
	"slices"
	"testing"
)

func TestFormatsOfEachName(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		want  []Format
		known bool
	}{
		{"vp8", []Format{{"vp8", Video, "video/VP8", 90000, 0, "", 96}}, true},
		{"vp9", []Format{
			{"vp9", Video, "video/VP9", 90000, 0, "profile-id=0", 98},
			{"vp9", Video, "video/VP9", 90000, 0, "profile-id=2", 100},
		}, true},
		{"av1", []Format{{"av1", Video, "video/AV1", 90000, 0, "", 35}}, true},
		{"h264", []Format{{
			"h264", Video, "video/H264", 90000, 0,
			"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", 108,
		}}, true},
		{"opus", []Format{{
			"opus", Audio, "audio/opus", 48000, 2,
			"minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1", 111,
		}}, true},
		{"g722", []Format{{"g722", Audio, "audio/G722", 8000, 1, "", 9}}, true},
		{"pcmu", []Format{{"pcmu", Audio, "audio/PCMU", 8000, 1, "", 0}}, true},
		{"pcma", []Format{{"pcma", Audio, "audio/PCMA", 8000, 1, "", 8}}, true},
		{"VP8", nil, false},
		{"h265", nil, false},
		{"", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := Formats(tt.name)
			if ok != tt.known || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Formats(%q) = %+v, %v, want %+v, %v", tt.name, got, ok, tt.want, tt.known)
			}
		})
	}
}

func TestFormatsBelongToTheCaller(t *testing.T) {
	t.Parallel()
	mine, _ := Formats("vp8")
	mine[0].PayloadType = 1
	again, _ := Formats("vp8")
	if got := again[0].PayloadType; got != 96 {
		t.Errorf("payload type after the caller wrote to its slice = %d, want 96", got)
	}
}

func TestDefaultNamesAreKnown(t *testing.T) {
	t.Parallel()
	if got, want := DefaultNames(), []string{"vp8", "opus"}; !slices.Equal(got, want) {
		t.Errorf("DefaultNames() = %q, want %q", got, want)
	}
}

func TestForDownChoosesOurPayloadType(t *testing.T) {
	t.Parallel()
	const h264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id="
	tests := []struct {
		name     string
		mime     string
		clock    uint32
		channels uint16
		fmtp     string
		want     uint8
		ok       bool
	}{
		{"VP8", "video/VP8", 90000, 0, "", 96, true},
		{"any case", "VIDEO/vp8", 90000, 0, "", 96, true},
		{"parameters of its own", "video/VP8", 90000, 0, "max-fr=30", 96, true},
		{"VP9 without a profile", "video/VP9", 90000, 0, "", 98, true},
		{"VP9 profile 0", "video/VP9", 90000, 0, "profile-id=0", 98, true},
		{"VP9 profile 2", "video/VP9", 90000, 0, "max-fr=30; Profile-ID = 2", 100, true},
		{"VP9 profile 1", "video/VP9", 90000, 0, "profile-id=1", 0, false},
		{"VP9 profile 3", "video/VP9", 90000, 0, "profile-id=3", 0, false},
		{"AV1", "video/AV1", 90000, 0, "level-idx=5;profile=0;tier=0", 35, true},
		{"H.264 without a profile", "video/H264", 90000, 0, "packetization-mode=1", 102, true},
		{"H.264 baseline", "video/H264", 90000, 0, h264 + "42001f", 102, true},
		{"H.264 constrained baseline", "video/H264", 90000, 0, h264 + "42e01f", 108, true},
		{"H.264 in capitals", "video/H264", 90000, 0, h264 + "42E034", 108, true},
		{"H.264 main", "video/H264", 90000, 0, h264 + "4d001f", 0, false},
		{"H.264 high", "video/H264", 90000, 0, h264 + "64001f", 0, false},
		{"Opus", "audio/opus", 48000, 2, "minptime=10", 111, true},
		{"Opus of one channel is not Opus", "audio/opus", 48000, 1, "", 0, false},
		{"G.722", "audio/G722", 8000, 1, "", 9, true},
		{"G.711 µ-law", "audio/PCMU", 8000, 1, "", 0, true},
		{"channels not stated", "audio/PCMA", 8000, 0, "", 8, true},
		{"a static type has one clock rate", "audio/PCMU", 16000, 1, "", 0, false},
		{"unknown video", "video/H265", 90000, 0, "", 0, false},
		{"unknown audio", "audio/telephone-event", 8000, 1, "", 0, false},
		{"no MIME type", "", 0, 0, "", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := ForDown(tt.mime, tt.clock, tt.channels, tt.fmtp)
			if got.PayloadType != tt.want || ok != tt.ok {
				t.Errorf("ForDown(%q, %d, %d, %q) has type %d, %v, want %d, %v",
					tt.mime, tt.clock, tt.channels, tt.fmtp, got.PayloadType, ok, tt.want, tt.ok)
			}
			if got.Fmtp != tt.fmtp || got.ClockRate != tt.clock || got.Channels != tt.channels {
				t.Errorf("ForDown(%q, %d, %d, %q) = %+v, want the publisher's parameters",
					tt.mime, tt.clock, tt.channels, tt.fmtp, got)
			}
		})
	}
}

func TestForDownNamesTheCodec(t *testing.T) {
	t.Parallel()
	tests := []struct {
		mime, name, canonical string
		kind                  Kind
	}{
		{"VIDEO/vp8", "vp8", "video/VP8", Video},
		{"audio/Opus", "opus", "audio/opus", Audio},
		{"video/H265", "h265", "video/H265", Video},
		{"audio/CN", "cn", "audio/CN", Audio},
	}
	for _, tt := range tests {
		got, _ := ForDown(tt.mime, 90000, 0, "")
		if got.Name != tt.name || got.MimeType != tt.canonical || got.Kind != tt.kind {
			t.Errorf("ForDown(%q) = %+v, want %q, %q, %v", tt.mime, got, tt.name, tt.canonical, tt.kind)
		}
	}
}

// What the server offers itself keeps its payload type on the way down.
func TestForDownAgreesWithFormats(t *testing.T) {
	t.Parallel()
	for _, f := range formats {
		got, ok := ForDown(f.MimeType, f.ClockRate, f.Channels, f.Fmtp)
		if !ok || got != f {
			t.Errorf("ForDown of %+v = %+v, %v", f, got, ok)
		}
	}
}

func TestPayloadTypesAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[uint8]string{h264BaselineType: "h264 baseline"}
	for _, f := range formats {
		if other, ok := seen[f.PayloadType]; ok || f.PayloadType > 127 {
			t.Errorf("payload type %d of %s is out of range or taken by %q", f.PayloadType, f.Name, other)
		}
		seen[f.PayloadType] = f.Name
	}
}

func TestKindIsWrittenAsInSDP(t *testing.T) {
	t.Parallel()
	for k, want := range map[Kind]string{Audio: "audio", Video: "video", 7: "unknown"} {
		if got := k.String(); got != want {
			t.Errorf("Kind(%d).String() = %q, want %q", k, got, want)
		}
	}
}

func TestFeedbackOfEachKindAndDirection(t *testing.T) {
	t.Parallel()
	video := []Feedback{{"goog-remb", ""}, {"nack", ""}, {"nack", "pli"}, {"ccm", "fir"}}
	transport := Feedback{"transport-cc", ""}
	tests := []struct {
		kind Kind
		up   bool
		want []Feedback
	}{
		{Video, false, video},
		{Audio, false, []Feedback{{"nack", ""}}},
		{Video, true, append(slices.Clip(video), transport)},
		{Audio, true, []Feedback{{"nack", ""}, transport}},
	}
	for _, tt := range tests {
		if got := FeedbackFor(tt.kind, tt.up); !slices.Equal(got, tt.want) {
			t.Errorf("FeedbackFor(%v, %v) = %v, want %v", tt.kind, tt.up, got, tt.want)
		}
	}
}

func TestExtensionsOfEachKindAndDirection(t *testing.T) {
	t.Parallel()
	const (
		mid, rid, repaired = "urn:ietf:params:rtp-hdrext:sdes:mid", "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
		experiments        = "http://www.webrtc.org/experiments/rtp-hdrext/"
		capture            = experiments + "abs-capture-time"
		transport          = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
		level              = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
	)
	video := []string{
		mid, rid, repaired, capture, "urn:3gpp:video-orientation", experiments + "playout-delay",
		"https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
		experiments + "video-layers-allocation00",
	}
	tests := []struct {
		up   bool
		kind Kind
		want []string
	}{
		{false, Video, video},
		{false, Audio, []string{capture, level}},
		{true, Video, append(slices.Clip(video), transport)},
		{true, Audio, []string{mid, capture, level, transport}},
	}
	for _, tt := range tests {
		var got []string
		for _, e := range ExtensionsFrom(tt.up) {
			if e.Audio && tt.kind == Audio || e.Video && tt.kind == Video {
				got = append(got, e.URI)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("up %v, %v: %q, want %q", tt.up, tt.kind, got, tt.want)
		}
	}
	if n := len(ExtensionsFrom(true)); n > 14 {
		t.Errorf("%d extensions do not fit the one-byte form", n)
	}
}
