package codecs

import "testing"

// OBUs of 642×362 streams made by libaom and by SVT-AV1, without size fields,
// as AV1 RTP §5 asks for.
const (
	av1SequenceAOM = " 08 0000000cc5036936be4010"
	av1SequenceSVT = " 08 0000000cc503693efe4010"
	av1KeyFrame    = " 30 10008500"
	av1InterFrame  = " 30 30038080"
)

func TestAV1(t *testing.T) {
	t.Parallel()
	key := Frame{Known: true, Keyframe: true, Start: true, SwitchUp: true, Width: 642, Height: 362}
	start := Frame{Known: true, Start: true}
	middle := Frame{Known: true}
	runParserTests(t, parseAV1, []parserTest{
		{"nothing", "", true, Frame{}},
		{"aggregation header alone", "18", true, Frame{}},
		{"fewer elements than W", "20 02 3030", true, Frame{}},
		{"element beyond the payload", "20 05 3030", true, Frame{}},
		{"length cut off", "20 80", true, Frame{}},
		{"length of nine bytes", "00 808080808080808000 3030", true, Frame{}},
		{"length above 32 bits", "00 8080808010 3030", true, Frame{}},
		{"W=0, element beyond the payload", "00 02 3030 03 3030", true, Frame{}},
		{"forbidden bit", "10 b0 10", true, Frame{}},
		{"forbidden bit in a later element", "20 02 3030 b0", true, Frame{}},

		{"key frame", "28 0c" + av1SequenceAOM + av1KeyFrame, false, key},
		{"key frame, other encoder", "28 0c" + av1SequenceSVT + av1KeyFrame, false, key},
		{"key frame, whole temporal unit", "28 0c" + av1SequenceAOM + av1KeyFrame, true, Frame{
			Known: true, Keyframe: true, Start: true, End: true, SwitchUp: true, Width: 642, Height: 362,
		}},
		{"key frame, length in two bytes", "28 8c00" + av1SequenceAOM + av1KeyFrame, false, key},
		{"key frame, each element with its length", "08 0c" + av1SequenceAOM + "05" + av1KeyFrame, false, key},
		{"key frame, five elements", "08 0c" + av1SequenceAOM + "02 2800 02 2801 03 1a 01 10 04 22 02 0102", false, key},
		{"key frame behind metadata", "38 0c" + av1SequenceAOM + "02 2800" + av1KeyFrame, false, key},
		{"key frame in layers", "28 0d 0c 00 0000000cc5036936be4010 34 00 10008500", false, key},
		{"key frame with sizes in the OBUs", "28 0d 0a 0b 0000000cc5036936be4010 32 04 10008500", false, key},
		{"key frame behind a delimiter", "38 01 10 0c" + av1SequenceAOM + av1KeyFrame, false, key},
		{"key frame header alone", "28 0c" + av1SequenceAOM + "18 10", false, key},
		{"elements of no bytes", "08 00 0c" + av1SequenceAOM + "00 05" + av1KeyFrame, false, key},
		{"frame goes on in the next packet", "68 0c" + av1SequenceAOM + "30 10", false, key},
		{"frame header cut off", "68 0c" + av1SequenceAOM + "30", false, key},
		{"frame header in the next packet", "18" + av1SequenceAOM, false, key},
		{"sequence header goes on", "58 08 0000000c", false, Frame{
			Known: true, Keyframe: true, Start: true, SwitchUp: true,
		}},
		{"not a new sequence", "20 0c" + av1SequenceAOM + av1KeyFrame, false, start},
		{"interframe behind a sequence header", "28 0c" + av1SequenceAOM + av1InterFrame, false, start},
		{"existing frame behind a sequence header", "28 0c" + av1SequenceAOM + "18 80", false, start},
		{"sequence header not first", "28 05" + av1KeyFrame + av1SequenceAOM, false, start},
		{"new sequence without its header", "18" + av1KeyFrame, false, start},
		{"continuation cannot begin a sequence", "b8 01 00 0c" + av1SequenceAOM + av1KeyFrame, false, middle},

		{"interframe", "10" + av1InterFrame, false, start},
		{"interframe in one packet", "10" + av1InterFrame, true, Frame{Known: true, Start: true, End: true}},
		{"metadata first", "20 02 2800" + av1InterFrame, false, start},
		{"continuation", "90 30 30", false, middle},
		{"continuation that is no OBU", "90 ff ff", false, middle},
		{"end of a temporal unit", "90 30 30", true, Frame{Known: true, End: true}},
		{"tile group", "10 20 00", false, middle},
		{"tile group, then a frame", "20 02 2000" + av1InterFrame, false, middle},
		{"redundant header", "10 38 00", false, middle},
	})
}

// sequenceOptions are the parts of a sequence header that stand before its size.
type sequenceOptions struct {
	still, timing, equal, model, delay bool
	levels                             []uint64 // of the operating points
	widthBits                          int
}

// sequenceOf writes the body of a sequence header of 1280×720.
func sequenceOf(o sequenceOptions) []byte {
	var w bitWriter
	w.bits(0, 3)
	w.flag(o.still)
	w.flag(o.still)
	if o.still {
		w.bits(5, 5)
	} else {
		writeOperation(&w, o)
	}
	w.bits(uint64(o.widthBits-1), 4)
	w.bits(9, 4)
	w.bits(1279, o.widthBits)
	w.bits(719, 10)
	w.bits(0, 8)
	return w.data
}

func writeOperation(w *bitWriter, o sequenceOptions) {
	w.flag(o.timing)
	if o.timing {
		w.bits(1, 32)
		w.bits(30, 32)
		w.flag(o.equal)
		if o.equal {
			w.ue(11)
		}
		w.flag(o.model)
		if o.model {
			w.bits(19, 5)
			w.bits(1000, 32)
			w.bits(7, 5)
			w.bits(9, 5)
		}
	}
	w.flag(o.delay)
	w.bits(uint64(len(o.levels)-1), 5)
	for i, level := range o.levels {
		w.bits(uint64(i), 12)
		w.bits(level, 5)
		if level > 7 {
			w.flag(true)
		}
		if o.model {
			w.flag(i%2 == 0)
			if i%2 == 0 {
				w.bits(0xabcde, 20)
				w.bits(0x12345, 20)
				w.flag(true)
			}
		}
		if o.delay {
			w.flag(i%2 == 1)
			if i%2 == 1 {
				w.bits(9, 4)
			}
		}
	}
}

func TestAV1SequenceFindsItsWay(t *testing.T) {
	t.Parallel()
	one := []uint64{5}
	tests := []struct {
		name    string
		options sequenceOptions
	}{
		{"plain", sequenceOptions{levels: one, widthBits: 11}},
		{"widest field", sequenceOptions{levels: one, widthBits: 16}},
		{"still picture", sequenceOptions{still: true, widthBits: 11}},
		{"high level has a tier", sequenceOptions{levels: []uint64{8}, widthBits: 11}},
		{"timing", sequenceOptions{timing: true, levels: one, widthBits: 11}},
		{"equal intervals", sequenceOptions{timing: true, equal: true, levels: one, widthBits: 11}},
		{"decoder model", sequenceOptions{timing: true, model: true, levels: one, widthBits: 11}},
		{"many layers", sequenceOptions{
			timing: true, equal: true, model: true, delay: true,
			levels: []uint64{31, 7, 8, 0, 12, 1, 9, 3, 20}, widthBits: 12,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			body := sequenceOf(tt.options)
			var f Frame
			still := av1Sequence(body, &f)
			if f.Width != 1280 || f.Height != 720 || still != tt.options.still {
				t.Errorf("sequence %x: %d×%d, still %v, want 1280×720, %v", body, f.Width, f.Height, still, tt.options.still)
			}
		})
	}
}

// The frames of a still picture have no frame type: what stands in its place
// must not be taken for one.
func TestAV1StillPictureIsAKeyframe(t *testing.T) {
	t.Parallel()
	sequence := sequenceOf(sequenceOptions{still: true, widthBits: 11})
	payload := append([]byte{0x28, byte(len(sequence) + 1), 0x08}, sequence...)
	payload = append(payload, 0x30, 0xff, 0xff)
	var f Frame
	parseAV1(payload, true, &f)
	if !f.Keyframe || f.Width != 1280 {
		t.Errorf("payload %x: got %+v, want a keyframe of 1280×720", payload, f)
	}
}
