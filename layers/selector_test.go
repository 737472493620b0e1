package layers

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"galene/codecs"
)

// show sends pictures to a sender, with a keyframe when one is wanted, and returns the frames that
// were sent wholly.
func show(t *testing.T, p *publisher, in *ingest, s *sender, pictures int) (sent []*frame, keyframes int) {
	t.Helper()
	before := len(s.out)
	for range pictures {
		key := s.selector.WantsKeyframe()
		if key {
			keyframes++
		}
		for _, packet := range p.next(key) {
			s.write(0, &packet, in.frame(&packet))
		}
	}
	var last *frame
	for _, o := range s.out[before:] {
		if o.of.frame != last {
			last = o.of.frame
			sent = append(sent, last)
		}
	}
	return sent, keyframes
}

// wants tells whether a frame belongs to what is sent of a structure up to a layer.
func (s *structure) wants(f *frame, l Layer) bool {
	spatial := min(int(l.Spatial), s.spatial-1)
	switch {
	case f.temporal > int(l.Temporal), f.spatial > spatial:
		return false
	case s.alone, s.keyOnly && !f.key:
		return f.spatial == spatial
	default:
		return true
	}
}

func TestTargetIsReached(t *testing.T) {
	t.Parallel()
	for _, s := range structures {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(7, 7))
			p := newPublisher(s, 0, random, 65535)
			in := &ingest{parse: codecs.ParserFor(s.mime)}
			sender := newSender(s.mime, 65535)
			for _, target := range []Layer{{7, 7}, {1, 1}, {0, 2}, {2, 0}, {0, 0}, {1, 2}, {2, 2}, {2, 1}, {7, 7}} {
				sender.selector.Target.Set(target)
				_, keyframes := show(t, p, in, sender, 60)
				if keyframes > 1 {
					t.Errorf("target %v: %d keyframes were asked for", target, keyframes)
				}
				if sender.selector.WantsKeyframe() {
					t.Errorf("target %v: a keyframe is still wanted", target)
				}
				sent, _ := show(t, p, in, sender, 16)
				n := 0
				for _, f := range sent {
					if !s.wants(f, target) {
						t.Errorf("target %v: layer %d,%d of picture %d was sent", target, f.spatial, f.temporal, f.picture)
					}
					n++
				}
				pictures := 0
				for i := range 16 {
					if patterns[s.temporal][(p.phase-1-i)%len(patterns[s.temporal])] <= int(target.Temporal) {
						pictures++
					}
				}
				if s.keyOnly {
					pictures *= 1
				} else {
					pictures *= min(int(target.Spatial), s.spatial-1) + 1
				}
				if n < pictures {
					t.Errorf("target %v: %d frames were sent, want %d", target, n, pictures)
				}
			}
		})
	}
}

func TestFewerTemporalLayersTakeNoKeyframe(t *testing.T) {
	t.Parallel()
	for _, s := range structures {
		if s.temporal < 2 {
			continue
		}
		p := newPublisher(s, 0, rand.New(rand.NewPCG(1, 1)), 0)
		in := &ingest{parse: codecs.ParserFor(s.mime)}
		sender := newSender(s.mime, 0)
		show(t, p, in, sender, 5)
		sender.selector.Target.Set(Layer{7, 0})
		sent, keyframes := show(t, p, in, sender, 12)
		for _, f := range sent {
			if f.temporal > 0 {
				t.Errorf("%s: picture %d of temporal layer %d was sent", s.name, f.picture, f.temporal)
			}
		}
		sender.selector.Target.Set(Layer{7, 7})
		sent, more := show(t, p, in, sender, 80)
		if last := sent[len(sent)-min(len(sent), 12):]; !hasTemporal(last, s.temporal-1) {
			t.Errorf("%s: the upper temporal layers do not come back", s.name)
		}
		if keyframes+more > 0 {
			t.Errorf("%s: %d keyframes were asked for", s.name, keyframes+more)
		}
	}
}

func hasTemporal(frames []*frame, temporal int) bool {
	for _, f := range frames {
		if f.temporal == temporal {
			return true
		}
	}
	return false
}

// A sender that stops an upper layer, without saying so, must not leave its
// viewers with what they cannot decode.
func TestUpperLayerThatStopsIsGivenUp(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"VP9 L3T3", "VP9 L3T3_KEY", "VP9 L3T3_KEY flexible"} {
		for _, s := range structures {
			if s.name != name {
				continue
			}
			p := newPublisher(s, 0, rand.New(rand.NewPCG(1, 1)), 0)
			in := &ingest{parse: codecs.ParserFor(s.mime)}
			sender := newSender(s.mime, 0)
			show(t, p, in, sender, 8)
			p.spatial = 2
			_, keyframes := show(t, p, in, sender, 20)
			if want := s.keyOnly; (keyframes == 1) != want {
				t.Errorf("%s: %d keyframes were asked for, want one: %v", name, keyframes, want)
			}
			sent, _ := show(t, p, in, sender, 16)
			if len(sent) < 16 {
				t.Errorf("%s: %d frames were sent of 16 pictures", name, len(sent))
			}
		}
	}
}

func TestSubscribersAreToldWhichTargetsAreActive(t *testing.T) {
	t.Parallel()
	for _, s := range structures {
		if s.name != "AV1 L3T3" {
			continue
		}
		p := newPublisher(s, 0, rand.New(rand.NewPCG(1, 1)), 0)
		in := &ingest{parse: codecs.ParserFor(s.mime)}
		sender := newSender(s.mime, 0)
		sender.selector.Target.Set(Layer{1, 1})
		show(t, p, in, sender, 8)
		sender.selector.Target.Set(Layer{0, 0})
		show(t, p, in, sender, 8)
		var receiver codecs.Structure
		var got []string
		for _, o := range sender.out {
			var f codecs.Frame
			codecs.ParseDependencyDescriptor(o.bytes[2+o.bytes[1]:], &receiver, &f)
			if line := fmt.Sprintf("%016b", f.Dependency.Active); len(got) == 0 || got[len(got)-1] != line {
				got = append(got, line)
			}
		}
		if want := "[0000000000110011 0000000000000001]"; fmt.Sprint(got) != want {
			t.Errorf("active targets %v, want %s", got, want)
		}
	}
}

func TestChangesSurvivePacking(t *testing.T) {
	t.Parallel()
	for _, c := range []Change{
		{},
		{Marker: true},
		{Renumbering: codecs.Renumbering{PictureID: 65535, FrameNumber: 1, TL0PicIdx: 255, KeyIdx: 2}, active: 16},
		{Renumbering: codecs.Renumbering{PictureID: 1, FrameNumber: 65535, TL0PicIdx: 3, KeyIdx: 255}, Marker: true, active: 1},
	} {
		if got := Unpack(c.Pack()); got != c {
			t.Errorf("Unpack(Pack(%+v)) = %+v", c, got)
		}
	}
}

func TestPacketsWithoutLayersPass(t *testing.T) {
	t.Parallel()
	s := NewSelector("video/H264")
	s.Target.Set(Layer{})
	for n := range int64(100) {
		f := codecs.Frame{Known: n%3 != 0}
		v := s.Select(100+n, uint32(n)*3000, n%2 == 0, &f)
		if !v.Forward || v.Close || v.Change != (Change{Marker: n%2 == 0}) {
			t.Fatalf("packet %d: %+v", n, v)
		}
	}
}

// frames returns the frames of a stream's packets, for benchmarks.
func frames(s structure, pictures int) (packets []packet, list []codecs.Frame) {
	p := newPublisher(s, 0, rand.New(rand.NewPCG(1, 1)), 0)
	in := &ingest{parse: codecs.ParserFor(s.mime)}
	for range pictures {
		packets = append(packets, p.next(false)...)
	}
	for i := range packets {
		list = append(list, in.frame(&packets[i]))
	}
	return packets, list
}

func TestSelectDoesNotAllocate(t *testing.T) {
	for _, s := range structures {
		packets, list := frames(s, 200)
		selector := NewSelector(s.mime)
		allocs := testing.AllocsPerRun(10, func() {
			for i := range packets {
				selector.Target.Set(Layer{uint8(i) & 3, uint8(i) >> 2 & 3})
				selector.Select(packets[i].sequence, packets[i].timestamp, packets[i].marker, &list[i])
			}
			selector.Begin()
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations, want none", s.name, allocs)
		}
	}
}

func BenchmarkSelect(b *testing.B) {
	for _, s := range structures {
		b.Run(s.name, func(b *testing.B) {
			packets, list := frames(s, 200)
			selector := NewSelector(s.mime)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if i == len(packets) {
					i = 0
					selector.Begin()
				}
				p := &packets[i]
				selector.Select(p.sequence, p.timestamp, p.marker, &list[i])
				i++
			}
		})
	}
}
