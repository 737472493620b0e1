package codecs

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"galene/internal/depdesc"
)

// l2t2 has two spatial layers with two temporal ones each, the upper predicted
// from the lower in each picture. Its decode targets are ordered from the
// highest to the lowest, which no rule forbids.
var l2t2 = depdesc.Structure{
	Offset: 60, Targets: 4, Chains: 2, Protected: []int{1, 1, 0, 0},
	Templates: []depdesc.Template{
		{Spatial: 0, Temporal: 0, Indications: []int{2, 2, 2, 2}, Chains: []int{0, 0}},
		{Spatial: 0, Temporal: 0, Indications: []int{3, 3, 2, 2}, References: []int{4}, Chains: []int{4, 3}},
		{Spatial: 0, Temporal: 1, Indications: []int{3, 0, 1, 0}, References: []int{2}, Chains: []int{2, 1}},
		{Spatial: 1, Temporal: 0, Indications: []int{2, 2, 0, 0}, References: []int{1}, Chains: []int{1, 1}},
		{Spatial: 1, Temporal: 0, Indications: []int{2, 2, 0, 0}, References: []int{4, 1}, Chains: []int{1, 1}},
		{Spatial: 1, Temporal: 1, Indications: []int{1, 0, 0, 0}, References: []int{2, 1}, Chains: []int{3, 2}},
	},
	Sizes: [][2]int{{320, 180}, {640, 360}},
}

// l2t2Layout is where its targets are.
const (
	l2t2Targets = 0b0011_0011
	l2t2Layout  = 5 | 4<<4 | 1<<8 | 0<<12
)

func TestDependencyDescriptor(t *testing.T) {
	t.Parallel()
	none := uint32(0)
	lower := uint32(0b1100)
	upper := uint32(0b0011)
	tests := []struct {
		name string
		d    depdesc.Descriptor
		want Dependency
		// of the frame
		spatial, temporal uint8
		switchUp          bool
	}{
		{
			"keyframe with its structure",
			depdesc.Descriptor{Start: true, End: true, Number: 65535, Structured: true},
			Dependency{Structured: true, Number: 65535, Indications: 2 | 2<<2 | 2<<8 | 2<<10},
			0, 0, true,
		},
		{
			"upper layer of the key picture",
			depdesc.Descriptor{Start: true, Template: 3, Number: 0},
			Dependency{Number: 0, Indications: 2<<8 | 2<<10, Chains: [4]uint8{1, 1}, References: [4]uint8{1}},
			1, 0, true,
		},
		{
			"template whose id is beyond the end of the range",
			depdesc.Descriptor{End: true, Template: 5, Number: 1},
			Dependency{Number: 1, Indications: 1 << 10, Chains: [4]uint8{3, 2}, References: [4]uint8{2, 1}},
			1, 1, false,
		},
		{
			"indications of its own",
			depdesc.Descriptor{Template: 2, Number: 2, Indications: []int{1, 0, 2, 0}},
			Dependency{Number: 2, Indications: 1<<10 | 2<<2, Chains: [4]uint8{2, 1}, References: [4]uint8{2}},
			0, 1, true,
		},
		{
			"references and chains of its own",
			depdesc.Descriptor{Template: 2, Number: 3, References: []int{1, 16, 17, 4096}, Chains: []int{255, 7}},
			Dependency{Number: 3, Indications: 3<<10 | 1<<2, Chains: [4]uint8{255, 7}, References: [4]uint8{1, 16, 17}, Obscure: true},
			0, 1, false,
		},
		{
			"active targets",
			depdesc.Descriptor{Template: 2, Number: 4, Active: &lower},
			Dependency{Number: 4, Indications: 3<<10 | 1<<2, Chains: [4]uint8{2, 1}, References: [4]uint8{2}, Active: 0b11},
			0, 1, false,
		},
		{
			"which hold for the next",
			depdesc.Descriptor{Template: 2, Number: 5},
			Dependency{Number: 5, Indications: 3<<10 | 1<<2, Chains: [4]uint8{2, 1}, References: [4]uint8{2}, Active: 0b11},
			0, 1, false,
		},
		{
			"others, of a frame that is late",
			depdesc.Descriptor{Template: 2, Number: 3, Active: &upper},
			Dependency{Number: 3, Indications: 3<<10 | 1<<2, Chains: [4]uint8{2, 1}, References: [4]uint8{2}, Active: 0b110000},
			0, 1, false,
		},
		{
			"which do not hold for the next",
			depdesc.Descriptor{Template: 2, Number: 6},
			Dependency{Number: 6, Indications: 3<<10 | 1<<2, Chains: [4]uint8{2, 1}, References: [4]uint8{2}, Active: 0b11},
			0, 1, false,
		},
		{
			"no targets at all cannot be meant",
			depdesc.Descriptor{Template: 2, Number: 7, Active: &none},
			Dependency{Number: 7, Indications: 3<<10 | 1<<2, Chains: [4]uint8{2, 1}, References: [4]uint8{2}},
			0, 1, false,
		},
	}
	var s Structure
	for _, tt := range tests {
		ext := depdesc.Write(&l2t2, &tt.d)
		want := tt.want
		want.Known, want.Count, want.Chained, want.Layout = true, 4, 3, l2t2Layout
		want.Targets = l2t2Targets
		if want.Active == 0 {
			want.Active = l2t2Targets
		}
		f := Frame{Known: true, PictureID: -1, TL0PicIdx: -1}
		if !ParseDependencyDescriptor(ext, &s, &f) {
			t.Fatalf("%s: %x is not understood", tt.name, ext)
		}
		if f.Dependency != want {
			t.Errorf("%s: %x gives\n%+v, want\n%+v", tt.name, ext, f.Dependency, want)
		}
		if f.Start != tt.d.Start || f.End != tt.d.End || f.SpatialID != tt.spatial || f.TemporalID != tt.temporal || f.SwitchUp != tt.switchUp {
			t.Errorf("%s: frame %+v", tt.name, f)
		}
	}
}

func TestDescriptorsThatCannotBeUnderstoodChangeNothing(t *testing.T) {
	t.Parallel()
	good := depdesc.Write(&l2t2, &depdesc.Descriptor{Structured: true, Start: true})
	twice := l2t2
	twice.Templates = l2t2.Templates[:3] // two targets of the lower layer's
	many := depdesc.Structure{Targets: 17, Templates: []depdesc.Template{{Indications: make([]int, 17)}}}
	tests := []struct {
		name string
		ext  []byte
	}{
		{"nothing", nil},
		{"two octets", good[:2]},
		{"cut in the structure", good[:8]},
		{"without a structure to refer to", depdesc.Write(&l2t2, &depdesc.Descriptor{})},
		{"a template that there is not", depdesc.Write(&l2t2, &depdesc.Descriptor{Structured: true, Template: 20})},
		{"two targets of the same layer", depdesc.Write(&twice, &depdesc.Descriptor{Structured: true})},
		{"seventeen targets", depdesc.Write(&many, &depdesc.Descriptor{Structured: true})},
	}
	for _, tt := range tests {
		var s Structure
		f := Frame{Known: true, PictureID: 3, TL0PicIdx: -1}
		before := f
		if ParseDependencyDescriptor(tt.ext, &s, &f) || f != before || s != (Structure{}) {
			t.Errorf("%s: %x is understood as %+v", tt.name, tt.ext, f)
		}
	}
}

func TestPacketsFromBeforeANewStructureAreStillUnderstood(t *testing.T) {
	t.Parallel()
	var s Structure
	next := l2t2
	next.Offset = 2 // behind the first one's templates
	var f Frame
	for _, step := range []struct {
		s *depdesc.Structure
		d depdesc.Descriptor
	}{
		{&l2t2, depdesc.Descriptor{Structured: true, Number: 10}},
		{&next, depdesc.Descriptor{Structured: true, Number: 20}},
		{&l2t2, depdesc.Descriptor{Template: 5, Number: 19}},
		{&next, depdesc.Descriptor{Template: 5, Number: 21}},
		{&l2t2, depdesc.Descriptor{Structured: true, Number: 10}}, // again, and late
		{&next, depdesc.Descriptor{Template: 5, Number: 22}},
	} {
		ext := depdesc.Write(step.s, &step.d)
		if !ParseDependencyDescriptor(ext, &s, &f) || f.Dependency.Number != step.d.Number {
			t.Fatalf("%+v is not understood", step.d)
		}
		if want := uint8(step.d.Template / 5); f.SpatialID != want || f.TemporalID != want {
			t.Errorf("%+v is of layer %d, %d", step.d, f.SpatialID, f.TemporalID)
		}
	}
}

func TestDescriptorTellsWhatAClosedPayloadDoesNot(t *testing.T) {
	t.Parallel()
	var s Structure
	var f Frame
	ext := depdesc.Write(&l2t2, &depdesc.Descriptor{Structured: true, Start: true})
	if !ParseDependencyDescriptor(ext, &s, &f) || !f.Known || !f.Keyframe || f.Width != 320 || f.Height != 180 || f.PictureID != -1 {
		t.Errorf("keyframe: %+v", f)
	}
	f = Frame{}
	ext = depdesc.Write(&l2t2, &depdesc.Descriptor{Template: 1, Number: 4, Start: true})
	if !ParseDependencyDescriptor(ext, &s, &f) || !f.Known || f.Keyframe || f.Width != 0 {
		t.Errorf("the next frame: %+v", f)
	}
}

// drawDescriptor makes up a descriptor that refers to l2t2.
func drawDescriptor(t *rapid.T) depdesc.Descriptor {
	d := depdesc.Descriptor{
		Start:      rapid.Bool().Draw(t, "start"),
		End:        rapid.Bool().Draw(t, "end"),
		Template:   rapid.IntRange(0, len(l2t2.Templates)-1).Draw(t, "template"),
		Number:     rapid.Uint16().Draw(t, "number"),
		Structured: rapid.Bool().Draw(t, "structured"),
	}
	if rapid.Bool().Draw(t, "masked") {
		active := rapid.Uint32Range(1, 15).Draw(t, "active")
		d.Active = &active
	}
	if rapid.Bool().Draw(t, "own indications") {
		d.Indications = rapid.SliceOfN(rapid.IntRange(0, 3), 4, 4).Draw(t, "indications")
	}
	if rapid.Bool().Draw(t, "own references") {
		d.References = rapid.SliceOfN(rapid.IntRange(1, 4096), 1, 5).Draw(t, "references")
	}
	if rapid.Bool().Draw(t, "own chains") {
		d.Chains = rapid.SliceOfN(rapid.IntRange(0, 255), 2, 2).Draw(t, "chains")
	}
	return d
}

// A rewritten descriptor is understood as before, but for the frame number and
// the active targets, which are those that were asked for.
func TestRewrittenDescriptorSaysTheRest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var s Structure
		var f Frame
		ParseDependencyDescriptor(depdesc.Write(&l2t2, &depdesc.Descriptor{Structured: true}), &s, &f)
		d := drawDescriptor(t)
		ext := depdesc.Write(&l2t2, &d)
		add := rapid.Uint16().Draw(t, "add")
		active := rapid.SampledFrom([]uint16{0, 1, 3, 1 | 1<<4, 0b0011_0011}).Draw(t, "layers")

		rewriting := s
		f = Frame{}
		if !ParseDependencyDescriptor(ext, &rewriting, &f) {
			t.Fatalf("%x is not understood", ext)
		}
		out := RewriteDependencyDescriptor([]byte{7}, ext, &f, Renumbering{FrameNumber: add}, active)
		if out[0] != 7 || len(out)-1 > len(ext)+MaxDependencyGrowth {
			t.Fatalf("%x is rewritten to %x", ext, out)
		}
		receiving := s
		receiving.activeFrame += add
		var got Frame
		if !ParseDependencyDescriptor(out[1:], &receiving, &got) {
			t.Fatalf("%x is not understood", out[1:])
		}
		want := f
		want.Dependency.Number += add
		if active != 0 {
			want.Dependency.Active = active
		}
		if got != want {
			t.Errorf("%x, rewritten to %x, gives\n%+v, want\n%+v", ext, out[1:], got, want)
		}
	})
}

// Whatever a peer sends is understood within bounds or not at all, and can be
// rewritten and understood again.
func FuzzDependencyDescriptor(f *testing.F) {
	first := depdesc.Write(&l2t2, &depdesc.Descriptor{Structured: true})
	f.Add(first, depdesc.Write(&l2t2, &depdesc.Descriptor{Template: 5, Number: 7}))
	active := uint32(3)
	f.Add(first, depdesc.Write(&l2t2, &depdesc.Descriptor{Template: 2, Active: &active, References: []int{300}}))
	f.Add(first, depdesc.Write(&l2t2, &depdesc.Descriptor{Template: 2, Indications: []int{0, 1, 2, 3}, Chains: []int{9, 8}}))
	f.Fuzz(func(t *testing.T, first, ext []byte) {
		var s Structure
		var frame Frame
		for _, e := range [][]byte{first, ext} {
			before := s
			if !ParseDependencyDescriptor(e, &s, &frame) {
				if s != before {
					t.Fatalf("%x is not understood, but remembered", e)
				}
				continue
			}
			d := frame.Dependency
			if d.Count == 0 || d.Count > maxTargets || d.Active == 0 || d.Active&^d.Targets != 0 ||
				frame.SpatialID >= maxSpatial || frame.TemporalID >= maxTemporal {
				t.Fatalf("%x gives %+v", e, frame)
			}
			out := RewriteDependencyDescriptor(nil, e, &frame, Renumbering{}, d.Active)
			copied := before
			var again Frame
			if !ParseDependencyDescriptor(out, &copied, &again) {
				t.Fatalf("%x, rewritten to %x, is not understood", e, out)
			}
			if again.Dependency != d {
				t.Fatalf("%x, rewritten to %x, gives\n%+v, want\n%+v", e, out, again.Dependency, d)
			}
			if plain := RewriteDependencyDescriptor(nil, e, &frame, Renumbering{}, 0); !bytes.Equal(plain, e) {
				t.Fatalf("%x is copied to %x", e, plain)
			}
		}
	})
}

func TestDependencyDescriptorsAreReadWithoutAllocating(t *testing.T) {
	var s Structure
	var f Frame
	buffer := make([]byte, 0, 256)
	for _, d := range []depdesc.Descriptor{
		{Structured: true}, {Template: 3, Number: 1}, {Template: 5, Number: 2, Chains: []int{1, 2}},
	} {
		ext := depdesc.Write(&l2t2, &d)
		allocs := testing.AllocsPerRun(100, func() {
			if !ParseDependencyDescriptor(ext, &s, &f) {
				t.Fatalf("%x is not understood", ext)
			}
			RewriteDependencyDescriptor(buffer, ext, &f, Renumbering{FrameNumber: 1}, 1)
		})
		if allocs != 0 {
			t.Errorf("%+v: %v allocations, want none", d, allocs)
		}
	}
}

func BenchmarkDependencyDescriptor(b *testing.B) {
	for _, c := range []struct {
		name string
		d    depdesc.Descriptor
	}{
		{"structure", depdesc.Descriptor{Structured: true}},
		{"template", depdesc.Descriptor{Template: 5, Number: 1}},
		{"custom", depdesc.Descriptor{Template: 5, Number: 2, Chains: []int{1, 2}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var s Structure
			var f Frame
			ParseDependencyDescriptor(depdesc.Write(&l2t2, &depdesc.Descriptor{Structured: true}), &s, &f)
			ext := depdesc.Write(&l2t2, &c.d)
			b.ReportAllocs()
			for b.Loop() {
				ParseDependencyDescriptor(ext, &s, &f)
			}
		})
	}
}
