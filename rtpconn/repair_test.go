package rtpconn

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"galene/codecs"
	"galene/conn"
	"galene/rtptime"
	"galene/udpsocket"
)

// dropper is an interceptor that loses packets on their way to the network.
type dropper struct {
	interceptor.NoOp

	mu   sync.Mutex // guards the fields below
	drop func(h *rtp.Header) bool
	lost int
	sent []rtp.Packet // the others, if kept
	keep bool
}

func (d *dropper) NewInterceptor(string) (interceptor.Interceptor, error) { return d, nil }

func (d *dropper) BindLocalStream(_ *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		d.mu.Lock()
		drop := d.drop != nil && d.drop(h)
		if drop {
			d.lost++
		} else if d.keep {
			d.sent = append(d.sent, rtp.Packet{Header: h.Clone(), Payload: bytes.Clone(payload)})
		}
		d.mu.Unlock()
		if drop {
			return len(payload), nil
		}
		return w.Write(h, payload, a)
	})
}

// newRepairingPC returns a client that retransmits what it is asked for, and loses
// what d drops before.
func newRepairingPC(tb testing.TB, d *dropper) *webrtc.PeerConnection {
	tb.Helper()
	media := &webrtc.MediaEngine{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		tb.Fatal(err)
	}
	if err := webrtc.ConfigureSimulcastExtensionHeaders(media); err != nil {
		tb.Fatal(err)
	}
	responder, err := nack.NewResponderInterceptor()
	if err != nil {
		tb.Fatal(err)
	}
	interceptors := &interceptor.Registry{}
	interceptors.Add(d) // next to the network
	interceptors.Add(responder)
	return newRemotePCThrough(tb, media, interceptors, func(*webrtc.SettingEngine) {})
}

// waysIn are how packets of publishers come in, and how their retransmissions are
// known.
var waysIn = []struct {
	name  string
	mux   bool
	munge func(offer string) string
}{
	{"through the lane", true, nil},
	{"through the lane, not declared", true, withoutGroups},
	{"through Pion", false, nil},
	{"through Pion, not declared", false, withoutGroups},
}

// withoutGroups returns an offer that does not tell what the source of
// retransmissions is.
func withoutGroups(offer string) string {
	var lines []string
	repair := ""
	for line := range strings.Lines(offer) {
		if rest, ok := strings.CutPrefix(line, "a=ssrc-group:FID "); ok {
			repair = strings.Fields(rest)[1]
			continue
		}
		if repair != "" && strings.HasPrefix(line, "a=ssrc:"+repair) {
			continue
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "")
}

func TestLossesOfThePublisherAreRepairedBesideItsTrack(t *testing.T) {
	t.Parallel()
	for _, tt := range waysIn {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEngineOn(t, nil)
			if tt.mux {
				e = newTestEngine(t)
			}
			d := &dropper{}
			p := newPublisherOf(t, e, UpConfig{ID: "a"}, newRepairingPC(t, d))
			p.munge = tt.munge
			track, sender := p.add(webrtc.MimeTypeVP8, "video", "stream")
			p.connect()
			readRTCP(t, sender) // the responder lives by somebody reading
			const start = 65400
			up := p.up.tracks.Load().own[0]
			next := bindTrack(t, up, track, vp8, start)
			sink := newCollector()
			if err := up.AddSink(sink); err != nil {
				t.Fatal(err)
			}

			ssrc := uint32(sender.GetParameters().Encodings[0].SSRC)
			first, last := next, next+300
			d.mu.Lock()
			d.drop = func(h *rtp.Header) bool { return h.SSRC == ssrc && h.SequenceNumber%7 == 0 }
			d.mu.Unlock()
			for ; next <= last; next++ {
				if next == last {
					d.mu.Lock()
					d.drop = nil
					d.mu.Unlock()
				}
				if err := track.WriteRTP(vp8.packet(next, start, false)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(200 * time.Microsecond)
			}
			got := make(map[uint32]bool)
			for n := first; n <= last; {
				packet := within(t, fmt.Sprintf("packet %d of %d to %d", n, first, last), sink.packets)
				i := number(packet.Payload)
				want := vp8.packet(i, start, false)
				if got[i] || !bytes.Equal(packet.Payload, want.Payload) || packet.Timestamp != want.Timestamp ||
					packet.Marker != want.Marker || uint16(packet.Sequence) != want.SequenceNumber {
					t.Fatalf("packet %d: got %+v, again: %v", i, packet, got[i])
				}
				got[i] = true
				for got[n] {
					n++
				}
			}

			// What was repaired was lost all the same.
			up.mu.Lock()
			lost, missing, rejected := up.stats.Lost(), up.losses.Missing(), up.counters.malformed.Load()
			up.mu.Unlock()
			d.mu.Lock()
			dropped := d.lost
			d.mu.Unlock()
			if dropped < 40 || lost != int64(dropped) || missing != 0 {
				t.Errorf("%d packets count as lost and %d as missing, want %d and none", lost, missing, dropped)
			}
			if rejected != 0 {
				t.Errorf("%d packets were malformed", rejected)
			}
			if got := p.up.Stats().Tracks[0].Retransmitted; got < uint64(dropped) {
				t.Errorf("%d retransmissions were counted, want %d or more", got, dropped)
			}
			if got := p.up.lane.open(); got != tt.mux {
				t.Errorf("the lane is open: %v, want %v", got, tt.mux)
			}
		})
	}
}

// wireTap is an egress that remembers what was sent under each number.
type wireTap struct {
	egress
	tb   testing.TB
	mu   sync.Mutex
	sent map[uint64][]byte // by SSRC and sequence number
}

func (w *wireTap) WriteRTP(h *rtp.Header, payload []byte, out *udpsocket.Batch) error {
	raw, err := (&rtp.Packet{Header: *h, Payload: payload}).Marshal()
	if err != nil {
		return err
	}
	w.mu.Lock()
	key := uint64(h.SSRC)<<16 | uint64(h.SequenceNumber)
	if before := w.sent[key]; before != nil && !bytes.Equal(before, raw) {
		w.tb.Errorf("%x was sent with two contents:\n%x\n%x", key, before, raw)
	}
	w.sent[key] = raw
	w.mu.Unlock()
	return w.egress.WriteRTP(h, payload, out)
}

func TestSubscribersAreRepairedBesideTheirTrack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		mux, view bool // view: the subscriber makes the offers
	}{{"through the lane", true, false}, {"through Pion", false, false}, {"viewer", true, true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEngineOn(t, nil)
			if tt.mux {
				e = newTestEngine(t)
			}
			s := newStream(t, e, 65400)
			up := s.testPublisher.up
			var sub *testSubscriber
			if tt.view {
				v := newViewerOf(t, e, up, newAskingPC(t), see)
				if err := v.choose(up.Tracks()...); err != nil {
					t.Fatal(err)
				}
				v.exchange(false)
				sub = v.testSubscriber
			} else {
				sub = newSubscriberOf(t, e, up, newAskingPC(t))
				sub.connect(up.Tracks()...)
			}
			sub.attached()
			s.write(5, true)
			remote := within(t, "track", sub.tracks)
			within(t, "first packet", remote.packets)

			down := sub.down.sending()[0]
			if down.repair == nil || remote.RtxSSRC() == 0 {
				t.Fatalf("no retransmissions were negotiated: %v, %d", down.repair, remote.RtxSSRC())
			}
			egress := lose(down, func(h *rtp.Header) bool { return h.SequenceNumber%5 == 0 })
			tap := &wireTap{tb: t, sent: make(map[uint64][]byte)}
			down.mu.Lock()
			tap.egress = down.repair.way
			down.repair.way = tap
			down.mu.Unlock()

			s.write(1, true)
			got := make(map[uint16]*rtp.Packet)
			eventually(t, "every packet has arrived", func() bool {
				s.write(1, false) // lets Pion's reader look at what was resent
				for {
					select {
					case p := <-remote.packets:
						got[p.SequenceNumber] = p
						continue
					case <-time.After(5 * time.Millisecond):
					}
					break
				}
				egress.mu.Lock()
				defer egress.mu.Unlock()
				missing := 0
				for sequence, copies := range egress.sent {
					if len(copies) > 1 {
						t.Fatalf("packet %d was sent again on the track itself", sequence)
					}
					if got[sequence] == nil {
						missing++
					}
				}
				return missing <= 5 && len(egress.sent) > 220 // the last ones are on their way
			})
			tap.mu.Lock()
			resent := len(tap.sent)
			tap.mu.Unlock()
			if counted := sub.down.Stats().Tracks[0].Retransmitted; resent < 40 || counted < uint64(resent) {
				t.Errorf("%d packets were resent and %d counted, want a fifth of two hundred", resent, counted)
			}
			for sequence, p := range got {
				var sent rtp.Packet
				egress.mu.Lock()
				copies := egress.sent[sequence]
				egress.mu.Unlock()
				if len(copies) == 0 || sent.Unmarshal(copies[0]) != nil {
					continue // from before
				}
				if !bytes.Equal(p.Payload, sent.Payload) || p.Timestamp != sent.Timestamp || p.Marker != sent.Marker {
					t.Errorf("packet %d: got %v, want %v", sequence, p, sent)
				}
			}
		})
	}
}

// newAskingPC returns a client that asks for what it lacks.
func newAskingPC(tb testing.TB) *webrtc.PeerConnection {
	tb.Helper()
	media := &webrtc.MediaEngine{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		tb.Fatal(err)
	}
	if err := webrtc.ConfigureSimulcastExtensionHeaders(media); err != nil {
		tb.Fatal(err)
	}
	generator, err := nack.NewGeneratorInterceptor(nack.GeneratorInterval(20 * time.Millisecond))
	if err != nil {
		tb.Fatal(err)
	}
	interceptors := &interceptor.Registry{}
	interceptors.Add(generator)
	return newRemotePCThrough(tb, media, interceptors, func(*webrtc.SettingEngine) {})
}

func TestRetransmissionsAreNumberedOnTheirOwn(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp8")
	source.gop = false
	out, again := &recordingEgress{}, &recordingEgress{}
	d := newBareTrack(t, source, out)
	d.repair = newRepairEgress(again, 77, 97)
	first := d.repair.header.SequenceNumber
	if first >= 1<<15 {
		t.Errorf("the first number is %d, want the lower half", first)
	}
	d.attach()
	for n := range byte(10) {
		source.deliver(source.packet(100+int64(n), 1+n, n == 0))
	}
	buffer := make([]byte, maxPacket)
	sent := out.take()
	for round := range 10 {
		now := epoch.Add(time.Duration(round) * time.Second)
		for i, p := range sent {
			d.resend(p.SequenceNumber, now, buffer, nil)
			got := again.take()
			if round >= 8 {
				if len(got) != 0 {
					t.Fatalf("packet %d was resent for the %dth time", i, round+1)
				}
				continue
			}
			want := rtp.Packet{Header: p.Header, Payload: append(binary.BigEndian.AppendUint16(nil, p.SequenceNumber), p.Payload...)}
			want.SSRC, want.PayloadType, want.SequenceNumber = 77, 97, first+uint16(round*len(sent)+i)
			if len(got) != 1 || got[0].String() != want.String() || !bytes.Equal(got[0].Payload, want.Payload) {
				t.Fatalf("packet %d, round %d: got %v, want %v", i, round, got, want)
			}
		}
	}
	if n := len(out.take()); n != 0 {
		t.Errorf("%d packets were resent on the track itself", n)
	}
}

func TestRetransmissionsAreBounded(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp8")
	source.gop = false
	d := newBareTrack(t, source, discardEgress{})
	d.attach()
	now := epoch
	for i := range 500 { // 100 kB/s
		p := source.packet(int64(1+i), 1, i == 0)
		p.Payload, p.Arrival = make([]byte, 1000), now
		source.sinks.write([]conn.Packet{p}, nil)
		now = now.Add(10 * time.Millisecond)
	}
	grant := func(seconds int) (octets int) {
		for range seconds * 100 {
			now = now.Add(10 * time.Millisecond)
			for d.budget.grants(d, now) && octets < 1e9 {
				octets += 1000
				d.budget.spend(1000)
			}
			d.rate.Add(1000, now)
		}
		return octets
	}
	grant(1)
	tests := []struct {
		name     string
		fraction uint8 // lost
		want     int   // octets in 4 s
	}{
		{"without loss, as much as was sent", 0, 400_000},
		{"below a tenth lost, as much as was sent", 25, 400_000},
		{"a tenth lost, a fifth", 26, 80_000},
		{"a fifth lost, two fifths", 51, 160_000},
		{"half lost, half", 128, 200_000},
		{"all lost, half", 255, 200_000},
	}
	for _, tt := range tests {
		d.budget.report(tt.fraction, now)
		grant(1) // uses up what was saved
		if got := grant(4); got < tt.want*9/10 || got > tt.want*11/10 {
			t.Errorf("%s: %d octets resent in 4 s, want about %d", tt.name, got, tt.want)
		}
	}
	d.budget.report(0, now)
	now = now.Add(time.Hour)
	d.rate.Add(100, now)
	if got := grant(1); got > 3*leastResendRate {
		t.Errorf("%d octets after an hour's rest, want what is saved in a second", got)
	}
}

func TestRetransmissionsAreUnwrapped(t *testing.T) {
	t.Parallel()
	for _, start := range []uint16{0, 1, 32767, 32768, 65535} {
		track := newBareUpTrack(t, "vp8")
		track.payloads.Load().entries[0].retransmitted = 97
		in := &testIngest{ingest: ingest{track: track, source: sourceState{ssrc: 5}}}
		original := func(n uint32) []byte {
			p := vp8.packet(n, start, n == 0)
			p.PayloadType, p.SSRC = 96, 5
			raw, err := p.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			return raw
		}
		repair := func(n uint32, padding byte) bool {
			p := vp8.packet(n, start, n == 0)
			p.Payload = append(binary.BigEndian.AppendUint16(nil, p.SequenceNumber), p.Payload...)
			p.PayloadType, p.SSRC, p.SequenceNumber = 97, 6, uint16(n*3)
			p.Header.Padding, p.PaddingSize = padding > 0, padding
			raw, err := p.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if !parseHeader(raw, &in.header) || !in.restore(copy(track.cache.Buffer(), raw)) {
				return false
			}
			want := original(n)
			if got := track.cache.Buffer()[:in.header.end]; !bytes.Equal(got, want) {
				t.Errorf("start %d: unwrapped\n%x, want\n%x", start, got, want)
			}
			taken := in.take(in.header.end, epoch, nil)
			in.flush(nil)
			return taken
		}
		if repair(3, 0) {
			t.Errorf("start %d: something was repaired before the track began", start)
		}
		for n := range uint32(20) {
			if n%4 != 3 && !receive(in, original(n), epoch) {
				t.Fatalf("start %d: packet %d is not taken", start, n)
			}
		}
		for n := range uint32(19) {
			if got := repair(n, byte(n%5)); got != (n%4 == 3) {
				t.Errorf("start %d: packet %d repaired: %v", start, n, got)
			}
		}
		if got := track.stats.Lost(); got != 4 {
			t.Errorf("start %d: %d packets lost, want 4", start, got) // 3, 7, 11 and 15
		}
		if n := track.losses.Missing(); n != 0 {
			t.Errorf("start %d: %d packets are missing", start, n)
		}
		if track.counters.malformed.Load() != 0 {
			t.Errorf("start %d: %d packets were malformed", start, track.counters.malformed.Load())
		}
	}
}

func TestProbesAreNoRepair(t *testing.T) {
	t.Parallel()
	track := newBareUpTrack(t, "vp8")
	track.payloads.Load().entries[0].retransmitted = 97
	in := &testIngest{ingest: ingest{track: track}}
	if !receive(in, vp8.raw(t, 1, 96, true), epoch) {
		t.Fatal("the first packet is not taken")
	}
	header := vp8.raw(t, 2, 97, false)[:rtpFixedHeader]
	probe := append(bytes.Clone(header), 0, 0, 0, 4)
	probe[0] |= rtpPaddingBit
	for name, packet := range map[string][]byte{
		"nothing": header, "half a number": append(bytes.Clone(header), 1), "padding": probe,
		"an unknown type": vp8.raw(t, 2, 50, false), "far behind": append(bytes.Clone(header), 0xe0, 0, 1),
	} {
		if !parseHeader(packet, &in.header) {
			t.Fatalf("%s: no header", name)
		}
		if in.restore(copy(track.cache.Buffer(), packet)) {
			t.Errorf("%s: repairs packet %d", name, in.header.sequence)
		}
	}
}

func TestRetransmissionsFindTheirTrack(t *testing.T) {
	t.Parallel()
	table := newExtensionTable([]webrtc.RTPHeaderExtensionParameter{
		{ID: 3, URI: codecs.ExtensionMID}, {ID: 4, URI: codecs.ExtensionRepairedRID}, {ID: 5, URI: "urn:other"},
	})
	ingestOf := func(mid, rid string, repair, declared uint32) *ingest {
		track := newBareUpTrack(t, "vp8")
		track.mid, track.rid = mid, rid
		track.payloads.Load().entries[0].retransmitted = 97
		return &ingest{track: track, repair: sourceState{ssrc: repair}, declared: declared}
	}
	simulcast := []*ingest{ingestOf("0", "h", 0, 0), ingestOf("0", "m", 11, 0), ingestOf("1", "h", 0, 12)}
	plain := []*ingest{ingestOf("0", "", 0, 0), ingestOf("1", "", 11, 0)}
	undecided := []*ingest{ingestOf("0", "", 0, 0), ingestOf("1", "", 0, 0)}
	tests := []struct {
		name        string
		sources     []*ingest
		ssrc        uint32
		payloadType uint8
		mid, rid    string
		want        int
	}{
		{"a source that was seen", simulcast, 11, 97, "", "", 1},
		{"a source that was declared", simulcast, 12, 97, "", "", 2},
		{"what is no retransmission", simulcast, 12, 96, "", "", -1},
		{"the encoding", simulcast, 13, 97, "", "m", 1},
		{"the encoding, in two sections", simulcast, 13, 97, "", "h", -1},
		{"the encoding and the section", simulcast, 13, 97, "1", "h", 2},
		{"another encoding", simulcast, 13, 97, "0", "x", -1},
		{"no name", simulcast, 13, 97, "0", "", -1},
		{"the only track that has none", plain, 13, 97, "", "", 0},
		{"a section that has one", plain, 13, 97, "1", "", -1},
		{"two tracks that have none", undecided, 13, 97, "", "", -1},
		{"two tracks that have none, and the section", undecided, 13, 97, "1", "", 1},
		{"no source", undecided, 0, 97, "1", "", 1},
	}
	for _, tt := range tests {
		g := &ingress{sources: tt.sources, extensions: table}
		p := rtp.Packet{Header: rtp.Header{Version: 2, SSRC: tt.ssrc, PayloadType: tt.payloadType}}
		for id, value := range map[uint8]string{3: tt.mid, 4: tt.rid, 5: "x"} {
			if value != "" {
				if err := p.SetExtension(id, []byte(value)); err != nil {
					t.Fatal(err)
				}
			}
		}
		raw, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		var h header
		if !parseHeader(raw, &h) {
			t.Fatalf("%s: no header", tt.name)
		}
		var want *ingest
		if tt.want >= 0 {
			want = tt.sources[tt.want]
		}
		if got := g.repaired(raw, &h); got != want {
			t.Errorf("%s: found %d, want %d", tt.name, slices.Index(tt.sources, got), tt.want)
		}
	}
}

// Padding leaves no hole, however it comes: in its place, as a retransmission of what
// was lost, or to probe on the source of retransmissions.
func TestPaddingLeavesNoHoleBesideRetransmissions(t *testing.T) {
	t.Parallel()
	for _, start := range []uint16{0, 1, 32767, 32768, 65535} {
		track := newBareUpTrack(t, "vp8")
		track.payloads.Load().entries[0].retransmitted = 97
		in := &testIngest{ingest: ingest{track: track, source: sourceState{ssrc: 5}}}
		out, again := &recordingEgress{}, &recordingEgress{}
		d := newBareTrack(t, track, out)
		d.repair = newRepairEgress(again, 77, 97)
		d.attach()
		packet := func(n uint32, padding bool) *rtp.Packet {
			p := vp8.packet(n, start, n == 0)
			p.PayloadType, p.SSRC = 96, 5
			if padding {
				p.Payload, p.Header.Padding, p.PaddingSize = nil, true, 100
			}
			return p
		}
		now := rtptime.Now()
		take := func(p *rtp.Packet) {
			raw, err := p.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if !parseHeader(raw, &in.header) {
				t.Fatal("no header")
			}
			n := copy(track.cache.Buffer(), raw)
			if p.PayloadType == 97 {
				if !in.restore(n) {
					return
				}
				n = in.header.end
			}
			in.take(n, now, nil)
			in.flush(nil)
		}
		number97 := uint16(0)
		retransmit := func(p *rtp.Packet) {
			p.Payload = append(binary.BigEndian.AppendUint16(nil, p.SequenceNumber), p.Payload...)
			p.Header.Padding, p.PaddingSize = false, 0
			p.PayloadType, p.SSRC, p.SequenceNumber = 97, 6, number97
			number97++
			take(p)
		}
		probe := func() {
			p := packet(0, true)
			p.PayloadType, p.SSRC, p.SequenceNumber = 97, 6, number97
			number97++
			take(p)
		}

		take(packet(0, false))
		take(packet(1, true))
		probe()
		take(packet(2, false))
		take(packet(4, false)) // 3, padding, is lost
		probe()
		take(packet(6, false)) // 5 is lost
		retransmit(packet(3, true))
		retransmit(packet(5, false))
		take(packet(7, false))
		retransmit(packet(7, false)) // in vain
		probe()
		take(packet(8, false))

		sent := out.take()
		got := make(map[uint16]string)
		for _, p := range sent {
			what := "padding"
			if len(p.Payload) > 0 {
				what = fmt.Sprint(number(p.Payload))
			} else if !p.Header.Padding {
				what = "nothing"
			}
			if before := got[p.SequenceNumber-sent[0].SequenceNumber]; before != "" {
				t.Errorf("start %d: %s and %s have one number", start, before, what)
			}
			got[p.SequenceNumber-sent[0].SequenceNumber] = what
		}
		for i, want := range []string{"0", "2", "padding", "4", "5", "6", "7", "8"} {
			if got[uint16(i)] != want {
				t.Errorf("start %d: number %d is %q, want %q", start, i, got[uint16(i)], want)
			}
		}
		if len(got) != 8 {
			t.Errorf("start %d: sent %v", start, got)
		}
		if lost := track.stats.Lost(); lost != 2 {
			t.Errorf("start %d: %d packets lost, want 2", start, lost)
		}

		// The subscriber loses everything, and asks twice within a moment.
		buffer := make([]byte, maxPacket)
		for _, p := range sent {
			for range 2 {
				d.resend(p.SequenceNumber, now, buffer, nil)
			}
			resent, want := again.take(), 1
			if len(p.Payload) == 0 {
				want = 0 // there is nothing to repair
			}
			if len(resent) != want || want > 0 && number(resent[0].Payload) != number(p.Payload) {
				t.Errorf("start %d: for %d, %v is resent", start, p.SequenceNumber, resent)
			}
		}
		if n := len(out.take()); n != 0 {
			t.Errorf("start %d: %d packets were resent on the track itself", start, n)
		}
	}
}
