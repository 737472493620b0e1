package codecs

import (
	"bytes"
	"testing"
)

func TestRenumberKeepsWidthAndTheRest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, payload string
		add           Renumbering
		want          string
	}{
		{"nothing to rewrite", "10 91 02 03", Renumbering{5, 0, 6, 7}, "10 91 02 03"},
		{"no fields in the extension", "90 20 a0 91", Renumbering{5, 0, 6, 7}, "90 20 a0 91"},
		{"short picture id wraps", "90 80 7f 91", Renumbering{0x86, 0, 6, 7}, "90 80 05 91"},
		{"long picture id", "90 80 81 02 91", Renumbering{0xfd, 0, 6, 7}, "90 80 81 ff 91"},
		{"long picture id wraps", "90 80 ff ff 91", Renumbering{1, 0, 6, 7}, "90 80 80 00 91"},
		{"long picture id goes back", "90 80 80 00 91", Renumbering{0xffff, 0, 6, 7}, "90 80 ff ff 91"},
		{"small number stays long", "90 80 ff ff 91", Renumbering{2, 0, 6, 7}, "90 80 80 01 91"},
		{"TL0PICIDX alone wraps", "90 40 ff 91", Renumbering{5, 0, 6, 7}, "90 40 05 91"},
		{"KEYIDX wraps beside TID and Y", "90 30 bf 91", Renumbering{5, 0, 6, 2}, "90 30 a1 91"},
		{"all fields", "90 f0 81 02 03 64 91", Renumbering{0x7efd, 0, 252, 1}, "90 f0 ff ff ff 65 91"},
		{"nothing added", "90 f0 81 02 03 64 91", Renumbering{}, "90 f0 81 02 03 64 91"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			payload := unhex(t, tt.payload)
			var f Frame
			parseVP8(payload, false, &f)
			if !f.Known {
				t.Fatalf("payload %s is unknown", tt.payload)
			}
			Renumber(payload, &f, tt.add)
			if want := unhex(t, tt.want); !bytes.Equal(payload, want) {
				t.Errorf("Renumber(%s, %v) = %x, want %x", tt.payload, tt.add, payload, want)
			}
		})
	}
}

// A frame that does not belong to the payload must not make it panic.
func TestRenumberStaysInsideTheSlice(t *testing.T) {
	t.Parallel()
	var f Frame
	parseVP8(unhex(t, "90 f0 81 02 03 64 91"), false, &f)
	whole := unhex(t, "90 f0 81 02 03 64 91")
	for n := range len(whole) {
		payload := bytes.Clone(whole)
		Renumber(payload[:n], &f, Renumbering{0x7fff, 0, 255, 31})
		if got, want := payload[n:], whole[n:]; !bytes.Equal(got, want) {
			t.Errorf("behind a payload of %d bytes: %x, want %x", n, got, want)
		}
	}
}

func TestRenumberDoesNotAllocate(t *testing.T) {
	payload := unhex(t, samples[0].payload)
	var f Frame
	parseVP8(payload, false, &f)
	if n := testing.AllocsPerRun(1000, func() { Renumber(payload, &f, Renumbering{9, 0, 9, 9}) }); n != 0 {
		t.Errorf("Renumber allocates %v times, want 0", n)
	}
}

func BenchmarkRenumber(b *testing.B) {
	payload := unhex(b, samples[0].payload)
	var f Frame
	parseVP8(payload, false, &f)
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		Renumber(payload, &f, Renumbering{9, 0, 9, 9})
	}
}

// What Renumber adds is what the parser then reads, in the same width, and
// nothing else in the payload or in the frame changes.
func FuzzRenumber(f *testing.F) {
	for _, p := range []string{"10" + vp8Key, samples[0].payload, "90 80 7f 91", "90 40 ff 91", "a8 81 02 03 09" + vp9Delta} {
		f.Add(unhex(f, p), uint16(0x8081), uint8(7), uint8(3), false)
		f.Add(unhex(f, p), uint16(0x8081), uint8(7), uint8(3), true)
	}
	f.Fuzz(func(t *testing.T, payload []byte, pictureID uint16, tl0, keyIdx uint8, isVP9 bool) {
		parse := Parser(parseVP8)
		if isVP9 {
			parse = parseVP9
		}
		var before, after Frame
		parse(payload, false, &before)
		rewritten := bytes.Clone(payload)
		Renumber(rewritten, &before, Renumbering{pictureID, 0, tl0, keyIdx})
		parse(rewritten, false, &after)

		want := before
		if before.PictureIDBits > 0 {
			want.PictureID = (before.PictureID + int32(pictureID)) & (1<<before.PictureIDBits - 1)
		}
		if before.TL0Offset > 0 {
			want.TL0PicIdx = int16(uint8(before.TL0PicIdx) + tl0)
		}
		if before.KeyIdxOffset > 0 {
			want.KeyIdx = (before.KeyIdx + keyIdx) & 31
		}
		if after != want {
			t.Errorf("payload %x rewritten to %x: got %+v, want %+v", payload, rewritten, after, want)
		}
		Renumber(rewritten, &after, Renumbering{-pictureID, 0, -tl0, -keyIdx})
		if !bytes.Equal(rewritten, payload) {
			t.Errorf("payload %x rewritten there and back is %x", payload, rewritten)
		}
	})
}
