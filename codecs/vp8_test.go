package codecs

import "testing"

// vp8Key is the beginning of a 640×360 keyframe made by libvpx.
const vp8Key = " 909c00 9d012a 8002 6801 0047"

func TestVP8(t *testing.T) {
	t.Parallel()
	runParserTests(t, parseVP8, []parserTest{
		{"nothing", "", true, Frame{}},
		{"descriptor alone", "10", true, Frame{}},
		{"extension cut off", "90", true, Frame{}},
		{"extension bits alone", "90 80", true, Frame{}},
		{"cut in a long picture id", "90 80 81", true, Frame{}},
		{"cut before TL0PICIDX", "90 c0 01", true, Frame{}},
		{"cut before TID", "90 a0 01", true, Frame{}},
		{"cut before KEYIDX", "90 10", true, Frame{}},
		{"long descriptor alone", "90 f0 81 02 03 64", true, Frame{}},

		{"keyframe", "10" + vp8Key, false, Frame{
			Known: true, Keyframe: true, Start: true, SwitchUp: true, Width: 640, Height: 360,
		}},
		{"scaling is not size", "10 909c00 9d012a 8042 6881 00", false, Frame{
			Known: true, Keyframe: true, Start: true, SwitchUp: true, Width: 640, Height: 360,
		}},
		{"keyframe in one packet", "10" + vp8Key, true, Frame{
			Known: true, Keyframe: true, Start: true, End: true, SwitchUp: true, Width: 640, Height: 360,
		}},
		{"keyframe cut before its size", "10 909c00 9d012a 8002", false, Frame{
			Known: true, Keyframe: true, Start: true, SwitchUp: true,
		}},
		{"keyframe without start code", "10 909c00 9d012b 8002 6801", false, Frame{
			Known: true, Keyframe: true, Start: true, SwitchUp: true,
		}},
		{"interframe", "10 910b00", false, Frame{Known: true, Start: true}},
		{"in mid-frame", "00 909c00", false, Frame{Known: true}},
		{"end of frame", "00 909c00", true, Frame{Known: true, End: true}},
		{"start of another partition", "11 909c00", false, Frame{Known: true}},
		{"start of partition 4", "14 909c00", false, Frame{Known: true}},
		{"reserved bits", "58 910b00", false, Frame{Known: true, Start: true}},
		{"discardable", "30 910b00", false, Frame{Known: true, Start: true, Discardable: true}},

		{"empty extension", "90 00 91", false, Frame{Known: true, Start: true}},
		{"short picture id", "90 80 7f 91", false, Frame{
			Known: true, Start: true, PictureID: 127, PictureIDBits: 7, PictureIDOffset: 2,
		}},
		{"long picture id", "90 80 ff fe 91", false, Frame{
			Known: true, Start: true, PictureID: 0x7ffe, PictureIDBits: 15, PictureIDOffset: 2,
		}},
		{"long picture id of zero", "90 80 80 00 91", false, Frame{
			Known: true, Start: true, PictureID: 0, PictureIDBits: 15, PictureIDOffset: 2,
		}},
		{"TL0PICIDX alone", "90 40 ff 91", false, Frame{
			Known: true, Start: true, TL0PicIdx: 255, TL0Offset: 2,
		}},
		{"TID with layer sync", "90 20 a0 91", false, Frame{
			Known: true, Start: true, TemporalID: 2, SwitchUp: true,
		}},
		{"TID without layer sync", "90 20 df 91", false, Frame{Known: true, Start: true, TemporalID: 3}},
		{"KEYIDX without TID", "90 10 ff 91", false, Frame{Known: true, Start: true, KeyIdx: 31, KeyIdxOffset: 2}},
		{"all fields", "90 f0 81 02 03 64" + vp8Key, false, Frame{
			Known: true, Keyframe: true, Start: true, SwitchUp: true, Width: 640, Height: 360,
			PictureID: 0x102, PictureIDBits: 15, PictureIDOffset: 2,
			TL0PicIdx: 3, TL0Offset: 4, TemporalID: 1, KeyIdx: 4, KeyIdxOffset: 5,
		}},
		{"all fields, short picture id", "80 f0 11 03 44 00", true, Frame{
			Known: true, End: true,
			PictureID: 17, PictureIDBits: 7, PictureIDOffset: 2,
			TL0PicIdx: 3, TL0Offset: 3, TemporalID: 1, KeyIdx: 4, KeyIdxOffset: 4,
		}},
	})
}
