package codecs

import "testing"

// Beginnings of keyframes made by libvpx, 642×362, by profile.
const (
	vp9Key0    = " 8249834200281016960c38241c"
	vp9Key1    = " a249834200050202d2c2070483"
	vp9Key1RGB = " a2498342e028101696083824"
	vp9Key2    = " 924983420014080b4b071c12"
	vp9Delta   = " 860040929c185001"
)

func TestVP9(t *testing.T) {
	t.Parallel()
	key := Frame{Known: true, Keyframe: true, Start: true, SwitchUp: true, Width: 642, Height: 362}
	runParserTests(t, parseVP9, []parserTest{
		{"nothing", "", true, Frame{}},
		{"descriptor alone", "0c", true, Frame{}},
		{"cut before the picture id", "88", true, Frame{}},
		{"cut in a long picture id", "88 81", true, Frame{}},
		{"cut before the layers", "28", true, Frame{}},
		{"cut before TL0PICIDX", "28 00", true, Frame{}},
		{"cut in the references", "58 03", true, Frame{}},
		{"a fourth reference", "58 03 03 03 02" + vp9Delta, true, Frame{}},
		{"cut before the structure", "0a", true, Frame{}},
		{"cut in the sizes", "0a 30 0280 0168 0500 02", true, Frame{}},
		{"cut before the number of pictures", "0a 08", true, Frame{}},
		{"cut in the pictures", "0a 08 02 04 01", true, Frame{}},
		{"cut in a picture's references", "0a 08 01 0c 01 02", true, Frame{}},
		{"frame marker of another codec", "08 42", true, Frame{}},

		{"keyframe, profile 0", "08" + vp9Key0, false, key},
		{"keyframe, profile 1", "08" + vp9Key1, false, key},
		{"keyframe, profile 1, RGB", "08" + vp9Key1RGB, false, key},
		{"keyframe, profile 2", "08" + vp9Key2, false, key},
		{"keyframe, profile 3", "08 b1", false, Frame{Known: true, Keyframe: true, Start: true, SwitchUp: true}},
		{"interframe, profile 3", "48 b2", false, Frame{Known: true, Start: true, InterPicture: true}},
		{"existing frame, profile 3", "48 b4", false, Frame{Known: true, Start: true, InterPicture: true}},
		{"existing frame", "08 88", false, Frame{Known: true, Start: true}},
		{"keyframe cut before its size", "08 824983", false, Frame{
			Known: true, Keyframe: true, Start: true, SwitchUp: true,
		}},
		{"keyframe without sync code", "08 8249834300281016960c", false, Frame{
			Known: true, Keyframe: true, Start: true, SwitchUp: true,
		}},
		{"interframe", "48" + vp9Delta, false, Frame{Known: true, Start: true, InterPicture: true}},
		{"in mid-frame", "00 82498342", false, Frame{Known: true}},
		{"the marker does not end a frame", "00 00", true, Frame{Known: true}},
		{"E ends a frame", "04 00", false, Frame{Known: true, End: true}},
		{"not used above", "01 00", false, Frame{Known: true, NotUsedAbove: true}},

		{"short picture id", "80 7f 00", false, Frame{
			Known: true, PictureID: 127, PictureIDBits: 7, PictureIDOffset: 1,
		}},
		{"long picture id", "80 ff fe 00", false, Frame{
			Known: true, PictureID: 0x7ffe, PictureIDBits: 15, PictureIDOffset: 1,
		}},
		{"layers", "20 5f 07 00", false, Frame{
			Known: true, TemporalID: 2, SwitchUp: true, SpatialID: 7, InterLayer: true, TL0PicIdx: 7, TL0Offset: 2,
		}},
		{"layers in flexible mode", "30 e2 00", false, Frame{Known: true, Flexible: true, TemporalID: 7, SpatialID: 1}},
		{"three references", "50 03 05 02 00", false, Frame{
			Known: true, InterPicture: true, Flexible: true, References: [3]uint8{1, 2, 1},
		}},
		{"flexible without prediction", "10 00", false, Frame{Known: true, Flexible: true}},
		{"upper layer of a key picture", "a8 81 02 03 09" + vp9Delta, false, Frame{
			Known: true, Start: true, SpatialID: 1, InterLayer: true,
			PictureID: 0x102, PictureIDBits: 15, PictureIDOffset: 1, TL0PicIdx: 9, TL0Offset: 4,
		}},

		{"structure of three layers", "0a 50 00a0 005a 0140 00b4 0280 0168" + vp9Key0, false, Frame{
			Known: true, Keyframe: true, Start: true, SwitchUp: true, Width: 640, Height: 360,
		}},
		{"structure with pictures", "0a 18 0280 0168 02 14 01 28 01 02" + vp9Key0, false, Frame{
			Known: true, Keyframe: true, Start: true, SwitchUp: true, Width: 640, Height: 360,
		}},
		{"structure without sizes", "0a 00" + vp9Key0, false, key},
		{"structure repeated in mid-stream", "4a 10 0280 0168" + vp9Delta, false, Frame{Known: true, Start: true, InterPicture: true}},
	})
}
