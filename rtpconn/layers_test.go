package rtpconn

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/pion/rtp"

	"galene/codecs"
	"galene/conn"
	"galene/internal/depdesc"
	"galene/layers"
	"galene/rtptime"
)

const (
	// packetsPerFrame is how many packets a frame of a scalable stream has.
	packetsPerFrame = 2
	// descriptorID is the id of its dependency descriptors, as numbered(3) has it.
	descriptorID = 3 + uint8(conn.DependencyDescriptor)
)

// scalable makes up streams with dependency descriptors: in each picture the frames of
// some spatial layers, each predicted from the one below, and three temporal layers.
type scalable struct {
	sample
	payloadType uint8
	spatial     int
	number      uint16 // of the next frame
	sequence    uint16
	pictures    int
	phase       int    // pictures since the last key picture
	chains      [3]int // frames since the latest one of each chain
}

// temporalPattern is the temporal layers of successive pictures, and how many pictures
// back the one is that each is predicted from.
var temporalPattern = [4]struct{ layer, back int }{{0, 4}, {2, 1}, {1, 2}, {2, 1}}

// next returns the packets of the next picture.
func (s *scalable) next(tb testing.TB, key bool) (raw [][]byte) {
	tb.Helper()
	if key {
		s.phase = 0
	}
	at := temporalPattern[s.phase%len(temporalPattern)]
	for spatial := range s.spatial {
		d := &depdesc.Descriptor{
			Number: s.number, Template: 3*spatial + at.layer,
			Indications: s.indications(spatial, at.layer, key), Chains: make([]int, s.spatial),
		}
		if !key {
			d.References = append(d.References, at.back*s.spatial)
		}
		if spatial > 0 {
			d.References = append(d.References, 1)
		}
		for c := range d.Chains {
			d.Chains[c] = s.chains[c] + 1
			if key && spatial == 0 {
				d.Chains[c] = 0
			}
			if s.chains[c]++; at.layer == 0 && c >= spatial {
				s.chains[c] = 0
			}
		}
		for i := range packetsPerFrame {
			d.Start, d.End = i == 0, i == packetsPerFrame-1
			d.Structured = d.Start && key && spatial == 0
			raw = append(raw, s.packet(tb, d, spatial == s.spatial-1))
		}
		s.number++
	}
	s.pictures++
	s.phase++
	return raw
}

// indications tells what a frame of a layer is to each decode target.
func (s *scalable) indications(spatial, temporal int, key bool) (list []int) {
	for target := range 3 * s.spatial {
		above, later := target/3-spatial, target%3-temporal
		indication := depdesc.Required
		switch {
		case above < 0 || later < 0:
			indication = depdesc.NotPresent
		case key, above == 0 && (later > 0 || temporal == 0):
			indication = depdesc.Switch
		case above == 0 && temporal == 2:
			indication = depdesc.Discardable
		}
		list = append(list, indication)
	}
	return list
}

// packet returns one packet of a frame.
func (s *scalable) packet(tb testing.TB, d *depdesc.Descriptor, last bool) []byte {
	tb.Helper()
	structure := &depdesc.Structure{Targets: 3 * s.spatial, Chains: s.spatial}
	for i := range structure.Targets {
		structure.Protected = append(structure.Protected, i/3)
		structure.Templates = append(structure.Templates, depdesc.Template{
			Spatial: i / 3, Temporal: i % 3,
			Indications: s.indications(i/3, i%3, false), Chains: make([]int, s.spatial),
		})
	}
	head := s.delta
	if d.Structured {
		head = s.keyframe
	}
	p := &rtp.Packet{
		Header: rtp.Header{
			Version: 2, PayloadType: s.payloadType, Marker: d.End && last,
			SequenceNumber: s.sequence, Timestamp: uint32(s.pictures) * 3000,
		},
		Payload: binary.BigEndian.AppendUint32(append([]byte{}, head...), uint32(s.sequence)),
	}
	if err := p.SetExtensionWithProfile(descriptorID, depdesc.Write(structure, d), twoByteProfile); err != nil {
		tb.Fatal(err)
	}
	s.sequence++
	raw, err := p.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// scalableTrack is an up track that receives a scalable stream, and a down track that
// forwards it with its descriptors.
func scalableTrack(tb testing.TB, codec string, s sample, spatial int, start uint16) (*scalable, *testIngest) {
	tb.Helper()
	track := newBareUpTrack(tb, codec)
	track.up.ingress.extensions = newExtensionTable(numbered(3))
	stream := &scalable{
		sample: s, payloadType: track.Format().PayloadType, spatial: spatial, number: start, sequence: start,
	}
	return stream, &testIngest{ingest: ingest{track: track}}
}

// decoder is a receiver that takes a stream to pieces, and fails if it cannot be decoded.
type decoder struct {
	t          *testing.T
	parse      codecs.Parser
	structures codecs.Structure
	before     *rtp.Packet
	open       bool   // a frame has begun and not ended
	number     uint16 // of the frame before
	frames     map[uint16]bool
	shown      map[layers.Layer]int // frames by layer since the last look
	active     uint16
}

func newDecoder(t *testing.T, mime string) *decoder {
	t.Helper()
	return &decoder{
		t: t, parse: codecs.ParserFor(mime), frames: map[uint16]bool{}, shown: map[layers.Layer]int{},
	}
}

// take takes what was sent. Each frame must be whole, what it is predicted from must
// have come before, and there must be no gap in the numbers of packets.
func (r *decoder) take(packets []rtp.Packet) {
	t := r.t
	t.Helper()
	for i := range packets {
		p := &packets[i]
		var f codecs.Frame
		r.parse(p.Payload, p.Marker, &f)
		id := uint8(conn.DependencyDescriptor) + 1
		if !codecs.ParseDependencyDescriptor(p.GetExtension(id), &r.structures, &f) {
			t.Fatalf("packet %d: descriptor %x is not understood", p.SequenceNumber, p.GetExtension(id))
		}
		d := &f.Dependency
		if b := r.before; b != nil {
			if p.SequenceNumber != b.SequenceNumber+1 {
				t.Fatalf("packet %d follows %d", p.SequenceNumber, b.SequenceNumber)
			}
			if b.Marker != (b.Timestamp != p.Timestamp) {
				t.Fatalf("packet %d: marker %v, and the next picture is %d after %d", b.SequenceNumber, b.Marker, p.Timestamp, b.Timestamp)
			}
			if r.open == f.Start || r.open && d.Number != r.number || f.Start && int16(d.Number-r.number) <= 0 {
				t.Fatalf("packet %d: frame %d, start %v, after frame %d, open %v", p.SequenceNumber, d.Number, f.Start, r.number, r.open)
			}
		}
		for _, back := range d.References {
			if back != 0 && !r.frames[d.Number-uint16(back)] {
				t.Fatalf("packet %d: frame %d is predicted from %d back, which was not sent", p.SequenceNumber, d.Number, back)
			}
		}
		if f.End {
			r.frames[d.Number] = true
			r.shown[layers.Layer{Spatial: f.SpatialID, Temporal: f.TemporalID}]++
		}
		r.before, r.open, r.number, r.active = p, !f.End, d.Number, d.Active
	}
}

// look returns the frames of each layer since the last look.
func (r *decoder) look() map[layers.Layer]int {
	shown := r.shown
	r.shown = map[layers.Layer]int{}
	return shown
}

// A subscriber gets the layers that it can take, as a stream that was made so.
func TestLayersAreChosenByDependencyDescriptors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		codec   string
		sample  sample
		spatial int
		targets []layers.Layer
	}{
		{"av1", av1, 3, []layers.Layer{{Spatial: 2, Temporal: 1}, {Spatial: 1}, {}, {Temporal: 2}, layers.Highest, {Spatial: 1, Temporal: 1}, layers.Highest}},
		{"av1", av1, 1, []layers.Layer{{Temporal: 1}, {}, layers.Highest}},
		{"h264", h264, 1, []layers.Layer{{}, {Temporal: 1}, layers.Highest}},
	}
	for _, tt := range tests {
		for _, start := range []uint16{0, 1, 32767, 32768, 65535} {
			stream, in := scalableTrack(t, tt.codec, tt.sample, tt.spatial, start)
			out := &recordingEgress{}
			d := newBareTrack(t, in.track, out)
			d.down.mixed.Store(true)
			d.setExtensions(numbered(1))
			d.attach()
			receiver := newDecoder(t, tt.sample.mime)
			send := func(pictures int) {
				for range pictures {
					for _, raw := range stream.next(t, stream.pictures == 0 || d.selector.WantsKeyframe()) {
						if !receive(in, raw, rtptime.Now()) {
							t.Fatal("a packet is not taken")
						}
					}
				}
				receiver.take(out.take())
			}
			send(8)
			for _, target := range tt.targets {
				d.selector.Target.Set(target)
				send(16)
				receiver.look()
				send(16)
				checkLayers(t, fmt.Sprintf("%s, %d layers, from %d, target %v", tt.codec, tt.spatial, start, target),
					receiver, tt.spatial, target)
			}
			if n := d.counters.sendErrors.Load(); n != 0 {
				t.Errorf("%s: %d errors", tt.codec, n)
			}
		}
	}
}

// checkLayers looks whether of sixteen pictures just those layers came that are wanted, and
// are told to be active.
func checkLayers(t *testing.T, what string, r *decoder, spatial int, target layers.Layer) {
	t.Helper()
	want, active := map[layers.Layer]int{}, uint16(0)
	for s := range min(spatial, int(target.Spatial)+1) {
		for temporal, count := range []int{4, 4, 8} {
			if temporal <= int(target.Temporal) {
				want[layers.Layer{Spatial: uint8(s), Temporal: uint8(temporal)}] = count
				active |= 1 << codecs.LayerIndex(uint8(s), uint8(temporal))
			}
		}
	}
	if got := r.look(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: sent frames %v, want %v", what, got, want)
	}
	if r.active != active {
		t.Errorf("%s: layers %b are active, want %b", what, r.active, active)
	}
}

// The frame numbers of another encoding continue those of the one before, and packets are
// resent as they were.
func TestDescriptorsContinueWithTheNextSource(t *testing.T) {
	t.Parallel()
	out := &recordingEgress{}
	var d *downTrack
	receiver := newDecoder(t, av1.mime)
	buffer := make([]byte, maxPacket)
	for i, start := range []uint16{65530, 32760, 5, 0} {
		stream, in := scalableTrack(t, "av1", av1, 2, start)
		if d == nil {
			d = newBareTrack(t, in.track, out)
			d.down.mixed.Store(true)
			d.setExtensions(numbered(1))
			d.attach()
			d.selector.Target.Set(layers.Layer{Spatial: 1, Temporal: 1})
		} else {
			remove(d.swap(conn.Selection{Track: in.track}))
			d.selector.Target.Set(layers.Layer{Temporal: 1})
		}
		before := receiver.number
		for n := range 12 {
			for _, raw := range stream.next(t, n == 0) {
				receive(in, raw, rtptime.Now())
			}
		}
		sent := out.take()
		var first codecs.Frame
		var structures codecs.Structure
		if !codecs.ParseDependencyDescriptor(sent[0].GetExtension(uint8(conn.DependencyDescriptor)+1), &structures, &first) {
			t.Fatal("the first descriptor is not understood")
		}
		if got := first.Dependency.Number; i > 0 && got-before > 2 {
			t.Errorf("source %d begins with frame %d, after %d", i, got, before)
		}
		receiver.take(sent)
		for _, p := range sent {
			d.resend(p.SequenceNumber, epoch, buffer, nil)
			if again := out.take(); len(again) != 1 || fmt.Sprint(again[0]) != fmt.Sprint(p) {
				t.Fatalf("resent %v, want %v", again, p)
			}
		}
	}
}

func TestLayersByDescriptorsAreForwardedWithoutAllocating(t *testing.T) {
	stream, in := scalableTrack(t, "av1", av1, 3, 0)
	d := newBareTrack(t, in.track, discardEgress{})
	d.down.mixed.Store(true)
	d.setExtensions(numbered(1))
	d.attach()
	d.selector.Target.Set(layers.Layer{Spatial: 1, Temporal: 1})
	var packets [][]byte
	for n := range 400 {
		packets = append(packets, stream.next(t, n%50 == 0)...)
	}
	now, next := rtptime.Now(), 0
	step := func() {
		now = now.Add(1e6)
		if !receive(in, packets[next], now) {
			t.Fatalf("packet %d is not taken", next)
		}
		next++
	}
	for range 300 {
		step()
	}
	if allocs := testing.AllocsPerRun(2000, step); allocs != 0 {
		t.Errorf("%v allocations per packet, want none", allocs)
	}
	if sent, dropped := d.rate.Packets(), d.counters.layerDrops.Load(); sent < 500 || dropped < 500 {
		t.Errorf("%d packets were sent and %d left out, want both", sent, dropped)
	}
}
