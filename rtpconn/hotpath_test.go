package rtpconn

import (
	"fmt"
	"slices"
	"testing"

	"galene/codecs"
	"galene/conn"
	"galene/layers"
	"galene/rtptime"
	"galene/udpsocket"
)

// newBareUpTrack returns a track without a connection, expecting a format.
func newBareUpTrack(tb testing.TB, name string) *upTrack {
	tb.Helper()
	formats, _ := codecs.Formats(name)
	u := &Up{wake: make(chan struct{}, 1)}
	u.tracks.Store(&trackList{})
	u.log = discardLog()
	p := newPayloads(nil)
	p.entries = append(p.entries, payload{
		format: formats[0], parse: codecs.ParserFor(formats[0].MimeType), feedback: feedback{nack: true, pli: true},
	})
	t := newUpTrack(u, acceptedSection{section{kind: formats[0].Kind, mid: "0"}, p}, "")
	list := &trackList{}
	list.append(t)
	u.tracks.Store(list)
	return t
}

// testIngest remembers the packet that it took last.
type testIngest struct {
	ingest
	out conn.Packet
}

// receive runs raw packet bytes through ingestion, as the reader does.
func receive(in *testIngest, raw []byte, now rtptime.Instant) bool {
	if !parseHeader(raw, &in.header) {
		in.track.reject()
		return false
	}
	taken := in.take(copy(in.track.cache.Buffer(), raw), now, nil)
	if taken {
		in.out = in.pending[0]
	}
	in.flush(nil)
	return taken
}

// raw returns packet n of the sample as it arrives.
func (s sample) raw(tb testing.TB, n uint32, payloadType uint8, keyframe bool) []byte {
	tb.Helper()
	p := s.packet(n, 0, keyframe)
	p.PayloadType = payloadType
	p.Payload = append(p.Payload, make([]byte, 1000)...)
	raw, err := p.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func TestIngestionDoesNotAllocate(t *testing.T) {
	track := newBareUpTrack(t, "vp8")
	in := testIngest{ingest: ingest{track: track}}
	raw := vp8.raw(t, 0, 96, false)
	now := epoch
	n := uint16(0)
	allocs := testing.AllocsPerRun(1000, func() {
		n++
		raw[2], raw[3] = byte(n>>8), byte(n)
		now = now.Add(1e6)
		if !receive(&in, raw, now) {
			t.Fatalf("packet %d is not taken", n)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations per packet received, want none", allocs)
	}
}

func TestForwardingDoesNotAllocate(t *testing.T) {
	for _, name := range []string{"vp8", "opus"} {
		source := newFakeTrack(t, name)
		source.gop = false
		d := newBareTrack(t, source, discardEgress{})
		d.attach()
		p := source.packet(1000, 1, true)
		packets := []conn.Packet{p}
		d.current.WritePackets(packets, nil)
		packets[0].Frame.Keyframe = false
		allocs := testing.AllocsPerRun(1000, func() {
			packets[0].Sequence++
			packets[0].Timestamp += 3000
			d.current.WritePackets(packets, nil)
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations per packet forwarded, want none", name, allocs)
		}
		if got := d.rate.Packets(); got < 1000 {
			t.Fatalf("%s: only %d packets were forwarded", name, got)
		}
	}
}

func TestMalformedPacketsAreCountedAndDropped(t *testing.T) {
	t.Parallel()
	track := newBareUpTrack(t, "vp8")
	in := testIngest{ingest: ingest{track: track}}
	good := vp8.raw(t, 1, 96, true)
	tests := []struct {
		name   string
		packet []byte
		want   bool
	}{
		{"nothing", nil, false},
		{"half a header", good[:6], false},
		{"an unknown payload type", vp8.raw(t, 2, 50, true), false},
		{"a good one", good, true},
		{"the same again", good, false},
		{"the next one", vp8.raw(t, 2, 96, false), true},
	}
	for _, tt := range tests {
		if got := receive(&in, tt.packet, epoch); got != tt.want {
			t.Errorf("%s: taken %v, want %v", tt.name, got, tt.want)
		}
	}
	if got := track.counters.malformed.Load(); got != 3 {
		t.Errorf("%d packets were counted as malformed, want 3", got)
	}
}

func TestPaddingDoesNotHideTheKeyframeFromNewcomers(t *testing.T) {
	t.Parallel()
	track := newBareUpTrack(t, "vp8")
	in := testIngest{ingest: ingest{track: track}}
	now := rtptime.Now()
	receive(&in, vp8.raw(t, 1, 96, true), now)
	padding := vp8.raw(t, 2, 96, false)[:rtpFixedHeader+4]
	padding[0] |= rtpPaddingBit
	padding[len(padding)-1] = 4
	if !receive(&in, padding, now) || !in.out.PaddingOnly || len(in.out.Payload) != 0 {
		t.Fatalf("padding is taken for %+v", in.out)
	}
	receive(&in, vp8.raw(t, 3, 96, false), now)
	first, last, ok := track.GroupOfPictures()
	if !ok || last-first != 2 {
		t.Errorf("GroupOfPictures = %d, %d, %v, want three packets", first, last, ok)
	}
	var p conn.Packet
	if !track.Cached(first+1, make([]byte, maxPacket), &p) || !p.PaddingOnly {
		t.Errorf("the cached padding is %+v", p)
	}
}

func BenchmarkIngest(b *testing.B) {
	track := newBareUpTrack(b, "vp8")
	in := testIngest{ingest: ingest{track: track}}
	raw := vp8.raw(b, 0, 96, false)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	now := epoch
	n := uint16(0)
	for b.Loop() {
		n++
		raw[2], raw[3] = byte(n>>8), byte(n)
		now = now.Add(1e6)
		receive(&in, raw, now)
	}
}

// BenchmarkFanOut measures the way of one packet from the up track's reader
// through every subscriber's track, without sealing and sending.
func BenchmarkFanOut(b *testing.B) {
	for _, subscribers := range []int{1, 10, 50} {
		b.Run(fmt.Sprint(subscribers), func(b *testing.B) {
			source := newFakeTrack(b, "vp8")
			source.gop = false
			for range subscribers {
				newBareTrack(b, source, discardEgress{}).attach()
			}
			p := source.packet(1000, 1, true)
			p.Payload = make([]byte, 1100)
			packets := []conn.Packet{p}
			source.sinks.write(packets, nil)
			packets[0].Frame.Keyframe = false
			b.SetBytes(int64(subscribers * len(p.Payload)))
			b.ReportAllocs()
			for b.Loop() {
				packets[0].Sequence++
				packets[0].Timestamp += 3000
				source.sinks.write(packets, nil)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(subscribers), "ns/packet/subscriber")
		})
	}
}

// BenchmarkFanOutOfLayers is BenchmarkFanOut for a stream of three temporal layers, of which every
// subscriber gets two: there is something to choose, and numbers to write in each payload.
func BenchmarkFanOutOfLayers(b *testing.B) {
	source := newFakeTrack(b, "vp8")
	source.gop = false
	const subscribers = 10
	for range subscribers {
		d := newBareTrack(b, source, discardEgress{})
		d.attach()
		d.selector.Target.Set(layers.Layer{Temporal: 1})
	}
	packets := []conn.Packet{source.packet(1000, 1, true)}
	p := &packets[0]
	p.Payload = make([]byte, 1100)
	p.Frame.PictureIDBits, p.Frame.PictureIDOffset, p.Frame.TL0Offset, p.Frame.KeyIdxOffset = 15, 2, 4, 5
	source.sinks.write(packets, nil)
	p.Frame.Keyframe = false
	b.SetBytes(int64(subscribers * len(p.Payload)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		p.Sequence++
		if n++; n%4 == 0 { // packets of a picture
			picture := n / 4
			p.Timestamp += 3000
			p.Frame.PictureID = int32(picture & 0x7fff)
			p.Frame.TemporalID = [4]uint8{0, 2, 1, 2}[picture%4]
			p.Frame.TL0PicIdx = int16(picture / 4 & 255)
		}
		source.sinks.write(packets, nil)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/subscribers, "ns/packet/subscriber")
}

func TestAnnouncedTracksTakeNoRoomBeforePacketsCome(t *testing.T) {
	t.Parallel()
	track := newBareUpTrack(t, "vp8")
	if n := track.cache.Len(); n > 4 {
		t.Errorf("the cache has room for %d packets before the first", n)
	}
	in := testIngest{ingest: ingest{track: track}}
	if !receive(&in, vp8.raw(t, 0, 96, true), epoch) {
		t.Fatal("the first packet is not taken")
	}
	if n := track.cache.Len(); n != leastVideoCache {
		t.Errorf("the cache has room for %d packets after the first, want %d", n, leastVideoCache)
	}
	if head, ok := track.Head(); !ok || !track.cache.Has(head) {
		t.Errorf("the first packet is not in the cache: head %d, %v", head, ok)
	}
}

func TestRetransmissionsAreTakenWithoutAllocating(t *testing.T) {
	track := newBareUpTrack(t, "vp8")
	track.payloads.Load().entries[0].retransmitted = 97
	in := testIngest{ingest: ingest{track: track}}
	raw := vp8.raw(t, 0, 96, false)
	now := epoch
	packet := func(n uint16) {
		raw[2], raw[3] = byte(n>>8), byte(n)
		if !receive(&in, raw, now) {
			t.Fatalf("packet %d is not taken", n)
		}
	}
	packet(0)
	repair := slices.Concat(vp8.raw(t, 0, 97, false)[:rtpFixedHeader], []byte{0, 0}, raw[rtpFixedHeader:])
	n := uint16(0)
	allocs := testing.AllocsPerRun(1000, func() {
		now = now.Add(1e6)
		n += 2
		packet(n)
		repair[rtpFixedHeader], repair[rtpFixedHeader+1] = byte((n-1)>>8), byte(n-1)
		if !parseHeader(repair, &in.header) || !in.restore(copy(track.cache.Buffer(), repair)) ||
			!in.take(in.header.end, now, nil) {
			t.Fatalf("packet %d is not repaired", n-1)
		}
		in.flush(nil)
	})
	if allocs != 0 {
		t.Errorf("%v allocations per packet repaired, want none", allocs)
	}
	if got := track.counters.retransmitted.Load(); got < 1000 {
		t.Errorf("%d packets were repaired", got)
	}
}

func TestResendingDoesNotAllocate(t *testing.T) {
	for _, beside := range []bool{true, false} {
		stream, in := scalableTrack(t, "av1", av1, 3, 0)
		d := newBareTrack(t, in.track, discardEgress{})
		if beside {
			d.repair = newRepairEgress(discardEgress{}, 77, 97)
		}
		d.down.mixed.Store(true)
		d.setExtensions(numbered(1))
		d.attach()
		d.selector.Target.Set(layers.Layer{Spatial: 1, Temporal: 2})
		for n := range 40 {
			for _, raw := range stream.next(t, n == 0) {
				receive(in, raw, rtptime.Now())
			}
		}
		last, _ := d.numbers.Last()
		room := &repairRoom{octets: make([]byte, maxPacket)}
		now, n := epoch, uint16(0)
		allocs := testing.AllocsPerRun(400, func() {
			now = now.Add(1e9)
			d.resendPacket(last-n%140, now, room, nil)
			n++
		})
		if allocs != 0 {
			t.Errorf("beside the track %v: %v allocations per packet resent, want none", beside, allocs)
		}
		if got := d.counters.retransmitted.Load(); got < 400 {
			t.Errorf("beside the track %v: only %d packets were resent", beside, got)
		}
	}
}

// BenchmarkResend measures one retransmission, with its look-ups, without sealing and sending.
func BenchmarkResend(b *testing.B) {
	source := newFakeTrack(b, "vp8")
	source.gop = false
	d := newBareTrack(b, source, discardEgress{})
	d.repair = newRepairEgress(discardEgress{}, 77, 97)
	d.attach()
	for n := range int64(200) {
		p := source.packet(100+n, 1, n == 0)
		p.Payload = make([]byte, 1100)
		source.deliver(p)
	}
	last, _ := d.numbers.Last()
	room := &repairRoom{octets: make([]byte, maxPacket)}
	now, n := epoch, 0
	b.SetBytes(1100)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(1e9)
		d.resendPacket(last-uint16(n%200), now, room, nil)
		if n++; n%600 == 0 { // each of them three times
			b.StopTimer()
			for m := range int64(200) {
				p := source.packet(int64(n)/3+100+m, 1, false)
				p.Payload = make([]byte, 1100)
				source.deliver(p)
			}
			last, _ = d.numbers.Last()
			b.StartTimer()
		}
	}
}

// BenchmarkFanOutOfDescriptors is BenchmarkFanOut for a stream whose layers are told by
// dependency descriptors, of which every subscriber gets two thirds: descriptors are rewritten
// only where the choice changes.
func BenchmarkFanOutOfDescriptors(b *testing.B) {
	stream, in := scalableTrack(b, "av1", av1, 1, 0)
	const subscribers = 10
	for range subscribers {
		d := newBareTrack(b, in.track, discardEgress{})
		d.down.mixed.Store(true)
		d.setExtensions(numbered(1))
		d.attach()
		d.selector.Target.Set(layers.Layer{Temporal: 1})
	}
	var packets []conn.Packet
	collect := &packetSink{}
	if err := in.track.AddSink(collect); err != nil {
		b.Fatal(err)
	}
	for n := range 4096 {
		for _, raw := range stream.next(b, n == 0) {
			receive(in, raw, epoch)
		}
	}
	in.track.RemoveSink(collect)
	packets = collect.packets
	first := packets[0].Sequence
	b.ReportAllocs()
	n := int64(0)
	for b.Loop() {
		p := &packets[n%int64(len(packets))]
		p.Sequence, p.Frame.Dependency.Number = first+n, uint16(n/packetsPerFrame)
		p.Timestamp = uint32(n/packetsPerFrame) * 3000
		in.track.sinks.write(packets[n%int64(len(packets)):][:1], nil)
		n++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/subscribers, "ns/packet/subscriber")
}

// packetSink keeps what it gets.
type packetSink struct {
	strictSink
	packets []conn.Packet
}

func (s *packetSink) WritePackets(packets []conn.Packet, _ *udpsocket.Batch) {
	for _, p := range packets {
		p.Header, p.Payload = slices.Clone(p.Header), slices.Clone(p.Payload)
		s.packets = append(s.packets, p)
	}
}
