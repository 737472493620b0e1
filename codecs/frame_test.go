package codecs

import (
	"encoding/hex"
	"strings"
	"testing"
	"unsafe"
)

// unhex decodes a payload written as hexadecimal with spaces.
func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatalf("payload %q: %v", s, err)
	}
	return b
}

// parserTest is one payload and what its parser makes of it. A known frame that
// leaves PictureID and TL0PicIdx at 0 means that they are absent, unless the
// offset of the field is given.
type parserTest struct {
	name    string
	payload string
	marker  bool
	want    Frame
}

// runParserTests runs each row over a Frame that holds the rubbish of an
// earlier packet.
func runParserTests(t *testing.T, parse Parser, tests []parserTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := tt.want
			if want.Known && want.PictureIDOffset == 0 {
				want.PictureID = -1
			}
			if want.Known && want.TL0Offset == 0 {
				want.TL0PicIdx = -1
			}
			got := Frame{Discardable: true, SpatialID: 7, KeyIdxOffset: 9, Width: 3, PictureID: 99}
			parse(unhex(t, tt.payload), tt.marker, &got)
			if got != want {
				t.Errorf("payload %s, marker %v:\n got %+v\nwant %+v", tt.payload, tt.marker, got, want)
			}
		})
	}
}

// samples holds one keyframe's first packet for each parser.
var samples = []struct{ mime, payload string }{
	{"video/VP8", "90 f0 81 02 03 64 909c00 9d012a 8002 6801 00"},
	{"video/VP9", "aa 81 02 10 03 18 0282016a 01 00 8249834200281016960838"},
	{"video/AV1", "28 0d 0a0b0000000cc5036936be4010 32c53a1000"},
	{"video/H264", "78 0019 6742c01eda0280bfe5c044000003000400000300f03c58ba80 0004 68ce3c80"},
	{"audio/opus", "fc 01 02 03"},
	{"video/H265", "40 01 0c 01"},
}

func TestParserForNeverReturnsNil(t *testing.T) {
	t.Parallel()
	tests := []struct {
		mime string
		want Frame // of a payload that begins a keyframe in no format
	}{
		{"audio/opus", Frame{Known: true, Start: true, End: true, PictureID: -1, TL0PicIdx: -1}},
		{"AUDIO/PCMU", Frame{Known: true, Start: true, End: true, PictureID: -1, TL0PicIdx: -1}},
		{"audio/unheard-of", Frame{Known: true, Start: true, End: true, PictureID: -1, TL0PicIdx: -1}},
		{"video/H265", Frame{}},
		{"", Frame{}},
		{"VIDEO/vp8", Frame{Known: true, End: true, PictureID: -1, TL0PicIdx: -1}},
	}
	for _, tt := range tests {
		parse := ParserFor(tt.mime)
		got := Frame{Width: 1}
		parse([]byte{0x01, 0x02}, true, &got)
		if got != tt.want {
			t.Errorf("ParserFor(%q): got %+v, want %+v", tt.mime, got, tt.want)
		}
		got = Frame{Width: 1}
		parse(nil, true, &got)
		if got != (Frame{}) {
			t.Errorf("ParserFor(%q) of an empty payload: got %+v, want the zero Frame", tt.mime, got)
		}
	}
}

// The packet record of the cache holds a Frame for each of its slots.
func TestFrameIsSmall(t *testing.T) {
	t.Parallel()
	if got, want := unsafe.Sizeof(Frame{}), uintptr(72); got > want {
		t.Errorf("a Frame has %d bytes, want at most %d", got, want)
	}
}

func TestParsersDoNotAllocate(t *testing.T) {
	for _, s := range samples {
		parse, payload := ParserFor(s.mime), unhex(t, s.payload)
		var f Frame
		if n := testing.AllocsPerRun(1000, func() { parse(payload, true, &f) }); n != 0 {
			t.Errorf("the parser of %s allocates %v times a packet, want 0", s.mime, n)
		}
	}
}

func TestTheSamplesAreKeyframes(t *testing.T) {
	t.Parallel()
	for _, s := range samples[:4] {
		var f Frame
		ParserFor(s.mime)(unhex(t, s.payload), false, &f)
		if !f.Keyframe || f.Width == 0 {
			t.Errorf("%s: got %+v, want a keyframe with its size", s.mime, f)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	run := func(name, mime, head string) {
		b.Run(name, func(b *testing.B) {
			parse, payload := ParserFor(mime), unhex(b, head)
			payload = append(payload, make([]byte, 1100-len(payload))...)
			var f Frame
			parse(payload, false, &f)
			if !f.Known {
				b.Fatalf("the payload of %s is unknown", name)
			}
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				parse(payload, false, &f)
			}
		})
	}
	run("VP8/key", "video/VP8", samples[0].payload)
	run("VP8/delta", "video/VP8", "80 e0 81 02 03 40 11 00")
	run("VP9/key", "video/VP9", samples[1].payload)
	run("VP9/delta", "video/VP9", "e8 81 02 10 03 86 00")
	run("AV1/key", "video/AV1", "28 0d 0a0b0000000cc5036936be4010 32c53a1000")
	run("AV1/delta", "video/AV1", "10 32 30 01 30 03")
	run("H264/key", "video/H264", "67 42c01eda0280bfe5c044000003000400000300f03c58ba80")
	run("H264/delta", "video/H264", "7c 41 9a 21")
	run("Opus", "audio/opus", "fc 01 02 03")
}
