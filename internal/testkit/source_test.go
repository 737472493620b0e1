package testkit

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pion/rtp"
	pioncodecs "github.com/pion/rtp/codecs"

	"galene/codecs"
)

// depacketizers read payloads as receivers do.
var depacketizers = map[Codec]func() rtp.Depacketizer{
	VP8:  func() rtp.Depacketizer { return new(pioncodecs.VP8Packet) },
	VP9:  func() rtp.Depacketizer { return new(pioncodecs.VP9Packet) },
	H264: func() rtp.Depacketizer { return new(pioncodecs.H264Packet) },
	AV1:  func() rtp.Depacketizer { return new(pioncodecs.AV1Depacketizer) },
	Opus: func() rtp.Depacketizer { return new(pioncodecs.OpusPacket) },
}

func TestPayloadsAreValidAndSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	for _, codec := range Codecs() {
		for _, packets := range []int{1, 2, 3, 8} {
			s := NewSource(SourceOptions{Codec: codec, Packets: packets, KeyframeEvery: 2, Size: 50})
			depacketizer := depacketizers[codec]()
			parse := codecs.ParserFor(codec.MimeType())
			for range 4 {
				for _, p := range s.Next() {
					want, err := ParseContent(p.Payload)
					if err != nil {
						t.Fatalf("%v: %v", codec, err)
					}
					if _, err := depacketizer.Unmarshal(bytes.Clone(p.Payload)); err != nil {
						t.Errorf("%v %+v: depacketizer: %v", codec, want, err)
					}
					var got codecs.Frame
					parse(p.Payload, p.Marker, &got)
					keyframe := want.Keyframe && want.First && codec != Opus
					if !got.Known || got.Start != want.First || got.Keyframe != keyframe || got.End != want.Last {
						t.Errorf("%v %+v of %d packets: %x is read as %+v", codec, want, packets, p.Payload, got)
					}
					if height := int(got.Height); keyframe && (got.Width != pictureWidth || height != pictureHeight && height != 192) {
						t.Errorf("%v: size %d×%d, want %d×%d", codec, got.Width, got.Height, pictureWidth, pictureHeight)
					}
				}
			}
		}
	}
}

func TestSourceNumbersAcrossTheWrap(t *testing.T) {
	t.Parallel()
	for _, start := range []uint16{0, 1, 32767, 32768, 65535} {
		s := NewSource(SourceOptions{Packets: 3, KeyframeEvery: 4, Sequence: start, Timestamp: 0xffffffff - 5000})
		for frame := range uint32(10) {
			for i, p := range s.Next() {
				index := uint64(frame)*3 + uint64(i)
				want := Content{Index: index, Frame: frame, Keyframe: frame%4 == 0, First: i == 0, Last: i == 2}
				got, err := ParseContent(p.Payload)
				if err != nil || got != want {
					t.Fatalf("content %+v, %v, want %+v", got, err, want)
				}
				if p.SequenceNumber != start+uint16(index) || p.Timestamp != 0xffffffff-5000+frame*3000 || p.Marker != want.Last {
					t.Errorf("start %d, packet %d: header %+v", start, index, p.Header)
				}
			}
		}
	}
}

func TestSourceMakesAKeyframeWhenAsked(t *testing.T) {
	t.Parallel()
	s := NewSource(SourceOptions{})
	for frame := range 6 {
		if frame == 3 {
			s.RequestKeyframe()
		}
		c, err := ParseContent(s.Next()[0].Payload)
		if err != nil || c.Keyframe != (frame == 0 || frame == 3) {
			t.Errorf("frame %d: %+v, %v", frame, c, err)
		}
	}
	if got := s.Made(); got != 18 {
		t.Errorf("Made() = %d, want 18", got)
	}
}

func TestEveryChangeOfContentIsNoticed(t *testing.T) {
	t.Parallel()
	payload := NewSource(SourceOptions{Codec: Opus, Size: 40}).Next()[0].Payload
	for i := 1; i < len(payload); i++ { // the first byte is the codec's
		damaged := bytes.Clone(payload)
		damaged[i] ^= 0x10
		if c, err := ParseContent(damaged); !errors.Is(err, ErrContent) {
			t.Errorf("byte %d changed: ParseContent() = %+v, %v, want ErrContent", i, c, err)
		}
	}
	for n := range len(payload) {
		if c, err := ParseContent(payload[:n]); !errors.Is(err, ErrContent) {
			t.Errorf("%d of %d bytes: ParseContent() = %+v, %v, want ErrContent", n, len(payload), c, err)
		}
	}
}
