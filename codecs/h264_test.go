package codecs

import "testing"

// Sequence parameter sets made by x264.
const (
	spsBaseline = " 6742c01eda0280bfe5c044000003000400000300f03c58ba80" // 640×360
	spsMain     = " 674d4028f403c0227ef0110000030001000003003c1f162ea0" // 1920×1080, interlaced
	sps444      = " 67f4000d919681519e3e2f0110000003001000000303c0f142aa"
	sps422      = " 677a001ebcb405017fc4e022000003000200000300781e2c5d40"
	spsJVT      = " 6764001eacb405017fcb8088000003000800000301e078b175"
	pps         = " 68ce3c80"
)

func TestH264(t *testing.T) {
	t.Parallel()
	start := Frame{Known: true, Start: true}
	middle := Frame{Known: true}
	key := Frame{Known: true, Keyframe: true, Start: true, SwitchUp: true}
	sized := key
	sized.Width, sized.Height = 640, 360
	runParserTests(t, parseH264, []parserTest{
		{"nothing", "", true, Frame{}},
		{"type 0", "60 00", true, Frame{}},
		{"type 30", "7e 00", true, Frame{}},
		{"type 31", "7f 00", true, Frame{}},

		{"IDR slice, first", "65 88", false, start},
		{"IDR slice, not first", "65 41", false, middle},
		{"slice, first", "41 9a", false, start},
		{"slice, not first", "41 40", false, middle},
		{"slice without content", "41", false, middle},
		{"data partition A, first", "42 80", false, start},
		{"data partition B", "43 80", false, middle},
		{"supplemental information", "06 05", false, start},
		{"delimiter", "09 10", false, start},
		{"picture parameter set", pps, false, start},
		{"prefix", "6e 40", false, start},
		{"filler", "0c ff", false, middle},
		{"end of frame", "41 40", true, Frame{Known: true, End: true}},
		{"sequence parameter set", spsBaseline, false, sized},
		{"sequence parameter set, cut short", "67 42c01e", false, key},
		{"sequence parameter set, no content", "67", false, key},

		{"STAP-A of parameter sets", "78 0019" + spsBaseline + "0004" + pps, false, sized},
		{"STAP-A, parameter set behind a delimiter", "78 0002 0910 0019" + spsBaseline, false, sized},
		{"STAP-A of a first and a second slice", "78 0002 41 9a 0002 41 40", false, start},
		{"STAP-A of later slices", "78 0002 41 40 0002 41 40", true, Frame{Known: true, End: true}},
		{"STAP-A without units", "78", false, Frame{}},
		{"STAP-A with half a size", "78 0002 0910 00", false, Frame{}},
		{"STAP-A with a unit of no bytes", "78 0000 0002 6742", false, Frame{}},
		{"STAP-A cut short", "78 0019 6742", false, Frame{}},
		{"STAP-A, a later unit cut short", "78 0002 6742 0003 6800", false, Frame{}},
		{"STAP-B", "79 0001 0019" + spsBaseline + "0004" + pps, false, sized},
		{"STAP-B without units", "79 0001", false, Frame{}},
		{"MTAP16", "7a 0001 0002 00 0000 0910 0019 01 0000" + spsBaseline, false, sized},
		{"MTAP16 without key", "7a 0001 0002 00 0000 419a", false, start},
		{"MTAP16 cut in a time", "7a 0001 0002 00 00", false, Frame{}},
		{"MTAP24", "7b 0001 0019 00 000000" + spsBaseline, false, sized},
		{"MTAP24 cut short", "7b 0001 0002 00 000000 67", false, Frame{}},

		{"FU-A, first of a parameter set", "7c 87" + spsBaseline[3:], false, sized},
		{"FU-A, next of a parameter set", "7c 07 42c0", false, middle},
		{"FU-A, first of a first slice", "7c 85 88", false, start},
		{"FU-A, first of a later slice", "7c 81 40", false, middle},
		{"FU-A, in mid-slice", "7c 05 88", false, middle},
		{"FU-A, last", "7c 45 88", true, Frame{Known: true, End: true}},
		{"FU-A without content", "7c 85", false, middle},
		{"FU-A without header", "7c", false, Frame{}},
		{"FU-A of an aggregation", "7c 98 00", false, Frame{}},
		{"FU-A of type 0", "7c 80 00", false, Frame{}},
		{"FU-B, first of a parameter set", "7d 87 0001" + spsBaseline[3:], false, sized},
		{"FU-B, first of a slice", "7d 85 0001 88", false, start},
		{"FU-B cut short", "7d 87 00", false, Frame{}},
	})
}

func TestH264SizeOfRealStreams(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, sps     string
		width, height uint16
	}{
		{"baseline with emulation prevention", spsBaseline, 640, 360},
		{"interlaced and cropped", spsMain, 1920, 1080},
		{"4:4:4 and cropped", sps444, 322, 182},
		{"4:2:2 with its scaling lists", sps422, 640, 360},
		{"high with flat scaling", spsJVT, 640, 360},
	}
	for _, tt := range tests {
		var f Frame
		h264Size(unhex(t, tt.sps)[1:], &f)
		if f.Width != tt.width || f.Height != tt.height {
			t.Errorf("%s: size of %s is %d×%d, want %d×%d", tt.name, tt.sps, f.Width, f.Height, tt.width, tt.height)
		}
	}
}

// spsOptions are the parts of a parameter set that stand before its size, or
// that change what the size means.
type spsOptions struct {
	profile  uint64
	chroma   uint64
	separate bool
	scaling  bool
	order    uint64
	cycle    uint64 // length of the order's cycle, of order 1
	fields   bool
	crop     [4]uint64 // left, right, top, bottom
}

// spsOf writes the parameter set of a picture of 40 by 23 macroblocks.
func spsOf(o spsOptions) []byte {
	var w bitWriter
	w.bits(o.profile, 8)
	w.bits(0x001e, 16)
	w.ue(0)
	if o.profile == 100 || o.profile == 244 {
		w.ue(o.chroma)
		if o.chroma == 3 {
			w.flag(o.separate)
		}
		w.ue(0)
		w.ue(0)
		w.flag(false)
		w.flag(o.scaling)
		if o.scaling {
			writeScalingLists(&w, o.chroma)
		}
	}
	w.ue(4)
	w.ue(o.order)
	switch o.order {
	case 0:
		w.ue(2)
	case 1:
		w.flag(false)
		w.se(-3)
		w.se(7)
		w.ue(o.cycle)
		for i := range min(o.cycle, 300) {
			w.se(int64(i) - 2)
		}
	}
	w.ue(1)
	w.flag(false)
	w.ue(39)
	if o.fields {
		w.ue(11)
		w.flag(false)
		w.flag(true)
	} else {
		w.ue(22)
		w.flag(true)
	}
	w.flag(true)
	w.flag(o.crop != [4]uint64{})
	if o.crop != [4]uint64{} {
		for _, c := range o.crop {
			w.ue(c)
		}
	}
	w.flag(false)
	w.flag(true)
	return w.escaped()
}

// writeScalingLists writes a list that runs to its end, one that stops early,
// and leaves the others to their defaults.
func writeScalingLists(w *bitWriter, chroma uint64) {
	lists := 8
	if chroma == 3 {
		lists = 12
	}
	for i := range lists {
		w.flag(i == 0 || i == 6)
		switch i {
		case 0:
			for range 16 {
				w.se(1)
			}
		case 6:
			w.se(5)
			w.se(-13)
		}
	}
}

func TestH264SizeFindsItsWay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		options       spsOptions
		width, height uint16
	}{
		{"no cropping", spsOptions{profile: 66}, 640, 368},
		{"cropped at 4:2:0", spsOptions{profile: 100, chroma: 1, crop: [4]uint64{1, 2, 0, 4}}, 634, 360},
		{"cropped at 4:2:2", spsOptions{profile: 100, chroma: 2, crop: [4]uint64{1, 2, 0, 4}}, 634, 364},
		{"cropped at 4:4:4", spsOptions{profile: 244, chroma: 3, crop: [4]uint64{1, 2, 0, 4}}, 637, 364},
		{"cropped, separate planes", spsOptions{profile: 244, chroma: 3, separate: true, crop: [4]uint64{1, 2, 0, 4}}, 637, 364},
		{"cropped in monochrome", spsOptions{profile: 100, crop: [4]uint64{1, 2, 0, 4}}, 637, 364},
		{"cropped fields", spsOptions{profile: 77, fields: true, crop: [4]uint64{0, 0, 0, 6}}, 640, 360},
		{"scaling lists", spsOptions{profile: 100, chroma: 1, scaling: true}, 640, 368},
		{"twelve scaling lists", spsOptions{profile: 244, chroma: 3, scaling: true}, 640, 368},
		{"order of type 1", spsOptions{profile: 66, order: 1, cycle: 255}, 640, 368},
		{"order of type 1, cycle too long", spsOptions{profile: 66, order: 1, cycle: 256}, 0, 0},
		{"order of type 2", spsOptions{profile: 66, order: 2}, 640, 368},
		{"order of type 3", spsOptions{profile: 66, order: 3}, 0, 0},
		{"nothing left", spsOptions{profile: 66, crop: [4]uint64{0, 320, 0, 0}}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sps := spsOf(tt.options)
			var f Frame
			h264Size(sps, &f)
			if f.Width != tt.width || f.Height != tt.height {
				t.Errorf("size of %x is %d×%d, want %d×%d", sps, f.Width, f.Height, tt.width, tt.height)
			}
		})
	}
}

// A parameter set cut anywhere before its size ends tells none.
func TestH264SizeOfACutSetIsUnknown(t *testing.T) {
	t.Parallel()
	sps := spsOf(spsOptions{profile: 100, chroma: 1, scaling: true, crop: [4]uint64{1, 2, 0, 4}})
	for n := range len(sps) - 1 {
		var f Frame
		h264Size(sps[:n], &f)
		if f.Width != 0 || f.Height != 0 {
			t.Errorf("size of %x is %d×%d, want none", sps[:n], f.Width, f.Height)
		}
	}
}
