package codecs

import (
	"bytes"
	"encoding/binary"
	"testing"

	pion "github.com/pion/rtp/codecs"
	"github.com/pion/rtp/codecs/av1/obu"
	"github.com/pion/rtp/codecs/vp9"
)

// parseChecked parses payload and checks what holds in every format: an unknown
// frame is zero, a keyframe is a start and a switch point, offsets point into
// the payload, absent fields say so, and neither what stood in the frame nor
// what lies behind the payload in memory has any influence.
func parseChecked(t *testing.T, parse Parser, payload []byte, marker bool) Frame {
	t.Helper()
	var f Frame
	before := bytes.Clone(payload)
	parse(payload, marker, &f)
	if !bytes.Equal(payload, before) {
		t.Fatalf("payload %x was changed to %x", before, payload)
	}
	longer := append(bytes.Clone(payload), 0xff, 0x67, 0x00)
	again := Frame{Keyframe: true, SpatialID: 9, Width: 7}
	parse(longer[:len(payload)], marker, &again)
	if f != again {
		t.Fatalf("payload %x gives %+v, then %+v", payload, f, again)
	}
	if !f.Known {
		if f != (Frame{}) {
			t.Fatalf("payload %x: unknown but not zero: %+v", payload, f)
		}
		return f
	}
	if f.Keyframe && (!f.Start || !f.SwitchUp) {
		t.Errorf("payload %x: a keyframe that is no start or switch point: %+v", payload, f)
	}
	if !f.Keyframe && (f.Width != 0 || f.Height != 0) || (f.Width == 0) != (f.Height == 0) {
		t.Errorf("payload %x: half a size, or the size of no keyframe: %+v", payload, f)
	}
	checkFields(t, payload, f)
	return f
}

func checkFields(t *testing.T, payload []byte, f Frame) {
	t.Helper()
	switch f.PictureIDBits {
	case 0:
		if f.PictureID != -1 || f.PictureIDOffset != 0 {
			t.Errorf("payload %x: an absent picture id: %+v", payload, f)
		}
	case 7, 15:
		end := int(f.PictureIDOffset) + int(f.PictureIDBits+1)/8
		if f.PictureID < 0 || f.PictureID >= 1<<f.PictureIDBits || f.PictureIDOffset == 0 || end > len(payload) {
			t.Errorf("payload %x: a picture id out of range: %+v", payload, f)
		}
	default:
		t.Errorf("payload %x: a picture id of %d bits", payload, f.PictureIDBits)
	}
	if (f.TL0Offset == 0) != (f.TL0PicIdx == -1) || f.TL0PicIdx > 255 || int(f.TL0Offset) >= len(payload) {
		t.Errorf("payload %x: TL0PICIDX out of range: %+v", payload, f)
	}
	if int(f.KeyIdxOffset) >= len(payload) {
		t.Errorf("payload %x: KEYIDX out of range: %+v", payload, f)
	}
	if f.SpatialID > 7 || f.TemporalID > 7 {
		t.Errorf("payload %x: layers out of range: %+v", payload, f)
	}
}

// addPayloads seeds the corpus with the payloads of table tests, and with the
// sample of one MIME type.
func addPayloads(f *testing.F, mime string, payloads ...string) {
	f.Helper()
	for _, s := range samples {
		if s.mime == mime {
			payloads = append(payloads, s.payload)
		}
	}
	for _, p := range payloads {
		f.Add(unhex(f, p), true)
		f.Add(unhex(f, p), false)
	}
	f.Add([]byte{}, false)
}

// parseVP8 knows a payload exactly if Pion's depacketiser reads it and finds
// something behind the descriptor, and then both say the same.
func FuzzVP8(f *testing.F) {
	addPayloads(f, "video/VP8", "10"+vp8Key, "90 80 81", "90 20 a0 91", "90 10 ff 91", "80 f0 11 03 44 00", "31 00")
	f.Fuzz(func(t *testing.T, payload []byte, marker bool) {
		got := parseChecked(t, parseVP8, payload, marker)
		var p pion.VP8Packet
		body, err := p.Unmarshal(payload)
		if want := err == nil && len(body) > 0; got.Known != want {
			t.Fatalf("payload %x: known %v, want %v (%v)", payload, got.Known, want, err)
		}
		if !got.Known {
			return
		}
		want := Frame{
			Known: true, Start: p.S == 1 && p.PID == 0, End: marker, Discardable: p.N == 1,
			TemporalID: p.TID, SwitchUp: p.Y == 1, PictureID: -1, TL0PicIdx: -1,
		}
		want.Keyframe = want.Start && body[0]&1 == 0
		want.SwitchUp = want.SwitchUp || want.Keyframe
		if p.I == 1 {
			want.PictureID = int32(p.PictureID & 0x7fff)
		}
		if p.L == 1 {
			want.TL0PicIdx = int16(p.TL0PICIDX)
		}
		if (got.KeyIdxOffset != 0) != (p.K == 1) || p.K == 1 && got.KeyIdx != p.KEYIDX {
			t.Errorf("payload %x: KEYIDX at %d, want %d, %d", payload, got.KeyIdxOffset, p.K, p.KEYIDX)
		}
		same := got
		same.PictureIDBits, same.PictureIDOffset, same.TL0Offset, same.KeyIdxOffset, same.KeyIdx = 0, 0, 0, 0, 0
		same.Width, same.Height = 0, 0
		if same != want {
			t.Errorf("payload %x: got %+v, want %+v", payload, got, want)
		}
	})
}

// Where Pion's depacketiser reads a payload, parseVP9 says the same; it knows
// all that Pion reads except frames whose header has a wrong marker.
func FuzzVP9(f *testing.F) {
	addPayloads(f, "video/VP9", "08"+vp9Key0, "08"+vp9Key1, "08"+vp9Key1RGB, "08"+vp9Key2, "08 b1", "48 b4 00",
		"0a 50 00a0 005a 0140 00b4 0280 0168"+vp9Key0, "0a 18 0280 0168 02 14 01 28 01 02"+vp9Key0,
		"58 03 03 03 02"+vp9Delta, "50 03 05 02 00", "30 e2 00")
	f.Fuzz(func(t *testing.T, payload []byte, marker bool) {
		got := parseChecked(t, parseVP9, payload, marker)
		var p pion.VP9Packet
		body, err := p.Unmarshal(payload)
		if err != nil {
			return // Pion also refuses more than five spatial layers
		}
		if want := len(body) > 0 && (!p.B || body[0]>>6 == 2); got.Known != want {
			t.Fatalf("payload %x: known %v, want %v", payload, got.Known, want)
		}
		if !got.Known {
			return
		}
		var header vp9.Header
		if p.B && header.Unmarshal(body) == nil {
			checkVP9Header(t, payload, got, p, header)
		}
		want := Frame{
			Known: true, Keyframe: got.Keyframe, Start: p.B, End: p.E, SwitchUp: p.U || got.Keyframe,
			NotUsedAbove: p.Z, SpatialID: p.SID, TemporalID: p.TID, PictureID: -1, TL0PicIdx: -1,
			InterPicture: p.P, InterLayer: p.D, Flexible: p.F,
		}
		copy(want.References[:], p.PDiff)
		if p.I {
			want.PictureID = int32(p.PictureID)
		}
		if p.L && !p.F {
			want.TL0PicIdx = int16(p.TL0PICIDX)
		}
		same := got
		same.PictureIDBits, same.PictureIDOffset, same.TL0Offset = 0, 0, 0
		same.Width, same.Height = 0, 0
		if same != want {
			t.Errorf("payload %x: got %+v, want %+v", payload, got, want)
		}
	})
}

func checkVP9Header(t *testing.T, payload []byte, got Frame, p pion.VP9Packet, header vp9.Header) {
	t.Helper()
	if want := !header.ShowExistingFrame && !header.NonKeyFrame; got.Keyframe != want {
		t.Errorf("payload %x: keyframe %v, want %v", payload, got.Keyframe, want)
	}
	if !got.Keyframe {
		return
	}
	width, height := header.Width(), header.Height()
	if n := len(p.Width); n > 0 && p.Width[n-1] != 0 && p.Height[n-1] != 0 {
		width, height = p.Width[n-1], p.Height[n-1]
	}
	if width == 0 || height == 0 { // 65536 does not fit
		width, height = 0, 0
	}
	if got.Width != width || got.Height != height {
		t.Errorf("payload %x: %d×%d, want %d×%d", payload, got.Width, got.Height, width, height)
	}
}

// Where Pion's depacketiser gives the whole NAL units of one packet, a keyframe
// is exactly that there is a sequence parameter set among them.
func FuzzH264(f *testing.F) {
	addPayloads(f, "video/H264", spsBaseline, spsMain, sps444, sps422, "41 9a", "7c 87"+spsBaseline[3:], "7c c5 88",
		"78 0002 0910 0019"+spsBaseline, "78 0002 41 9a 0002 41 40", "79 0001 0019"+spsBaseline,
		"7a 0001 0002 00 0000 0910 0019 01 0000"+spsBaseline, "7b 0001 0019 00 000000"+spsBaseline,
		"7d 87 0001"+spsBaseline[3:])
	f.Fuzz(func(t *testing.T, payload []byte, marker bool) {
		got := parseChecked(t, parseH264, payload, marker)
		if got.Known && got.End != marker {
			t.Errorf("payload %x: end %v, want %v", payload, got.End, marker)
		}
		p := pion.H264Packet{IsAVC: true}
		stream, err := p.Unmarshal(payload)
		if err != nil || len(stream) == 0 || !got.Known {
			return
		}
		want := false
		for len(stream) >= 4 {
			size := int(binary.BigEndian.Uint32(stream))
			want = want || stream[4]&nalTypeMask == nalSPS
			stream = stream[4+size:]
		}
		// A fragment which is the last one gives a unit of whatever came before.
		if payload[0]&nalTypeMask == nalFUA {
			want = want && payload[1]&fuStart != 0
		}
		if got.Keyframe != want {
			t.Errorf("payload %x: keyframe %v, want %v", payload, got.Keyframe, want)
		}
	})
}

// Where Pion's depacketiser gives the whole OBUs of one packet, a keyframe is
// exactly a new coded video sequence that begins with a sequence header and
// whose first frame header, if any, is that of a key frame.
func FuzzAV1(f *testing.F) {
	addPayloads(f, "video/AV1", "28 0c"+av1SequenceAOM+av1KeyFrame, "08 0c"+av1SequenceAOM+"05"+av1KeyFrame,
		"38 01 10 0c"+av1SequenceSVT+av1KeyFrame, "18"+av1SequenceAOM, "28 0c"+av1SequenceAOM+av1InterFrame,
		"28 0d 0a 0b 0000000cc5036936be4010 32 04 10008500", "28 0d 0c 00 0000000cc5036936be4010 34 00 10008500",
		"90 30 30", "68 0c"+av1SequenceAOM+"30", "10"+av1InterFrame)
	f.Fuzz(func(t *testing.T, payload []byte, marker bool) {
		got := parseChecked(t, parseAV1, payload, marker)
		if got.Known && got.End != marker {
			t.Errorf("payload %x: end %v, want %v", payload, got.End, marker)
		}
		var p pion.AV1Depacketizer
		stream, err := p.Unmarshal(payload)
		if err != nil || !got.Known || p.Y || av1HasSizes(payload) {
			return
		}
		if want := !p.Z && p.N && av1StreamIsKey(t, stream); got.Keyframe != want {
			t.Errorf("payload %x: keyframe %v, want %v of %x", payload, got.Keyframe, want, stream)
		}
	})
}

// av1HasSizes tells whether an OBU of a payload carries a size of its own, beside that of its
// element. Senders should leave it out (AV1 RTP §4.5); what is made of one that is malformed is
// anybody's choice.
func av1HasSizes(payload []byte) bool {
	count := int(payload[0] & av1CountMask >> 4)
	n := 1
	for i := 0; n < len(payload); i++ {
		size := len(payload) - n
		if i+1 != count {
			length, used, _ := leb128(payload[n:])
			n += used
			size = int(length)
		}
		if size > 0 && payload[n]&obuHasSize != 0 {
			return true
		}
		n += size
	}
	return false
}

// av1StreamIsKey tells whether a stream of OBUs with size fields begins with a
// sequence header, and has a key frame first if it has any.
func av1StreamIsKey(t *testing.T, stream []byte) bool {
	t.Helper()
	still := false
	for first := true; len(stream) > 0; first = false {
		header, err := obu.ParseOBUHeader(stream)
		if err != nil {
			t.Fatalf("stream %x: %v", stream, err)
		}
		size, used, err := obu.ReadLeb128(stream[header.Size():])
		if err != nil {
			t.Fatalf("stream %x: %v", stream, err)
		}
		body := stream[header.Size()+int(used):]
		body, stream = body[:size], body[size:]
		if first {
			if header.Type != obu.OBUSequenceHeader {
				return false
			}
			still = len(body) > 0 && body[0]&0x08 != 0
		}
		isFrame := header.Type == obu.OBUFrame || header.Type == obu.OBUFrameHeader
		if isFrame && len(body) > 0 {
			return still || body[0]&0x80 == 0 && body[0]>>5&3 == 0
		}
		if len(stream) == 0 {
			return true
		}
	}
	return false
}

// What is left after trimming is the beginning of the payload, shorter by the
// count in the payload's last byte.
func FuzzTrimPadding(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0, 2}, true)
	f.Add([]byte{0}, true)
	f.Add([]byte{255}, true)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, payload []byte, padded bool) {
		media, ok := TrimPadding(payload, padded)
		if !ok {
			if media != nil || !padded {
				t.Errorf("TrimPadding(%x, %v) = %x, false", payload, padded, media)
			}
			return
		}
		removed := len(payload) - len(media)
		if !bytes.HasPrefix(payload, media) || padded != (removed > 0) ||
			padded && removed != int(payload[len(payload)-1]) {
			t.Errorf("TrimPadding(%x, %v) = %x", payload, padded, media)
		}
	})
}
