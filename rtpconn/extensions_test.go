package rtpconn

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"galene/codecs"
	"galene/conn"
	"galene/rtptime"
)

// forwardedURIs are the extensions that go from publishers to subscribers.
var forwardedURIs = func() (uris [conn.ExtensionCount]string) {
	for uri, x := range extensionURIs {
		if x < conn.ExtensionCount {
			uris[x] = uri
		}
	}
	return uris
}()

// numbered gives each of the forwarded extensions an id, from first on.
func numbered(first int) (list []webrtc.RTPHeaderExtensionParameter) {
	for i, uri := range forwardedURIs {
		list = append(list, webrtc.RTPHeaderExtensionParameter{ID: first + i, URI: uri})
	}
	return list
}

// extended returns a packet with extensions: values by id.
func extended(tb testing.TB, sequence uint16, profile uint16, values map[uint8][]byte) []byte {
	tb.Helper()
	p := vp8.packet(uint32(sequence), 0, sequence == 0)
	p.PayloadType = 96
	for id, value := range values {
		if err := p.Header.SetExtensionWithProfile(id, value, profile); err != nil {
			tb.Fatal(err)
		}
	}
	p.Header.Extension, p.Header.ExtensionProfile = true, profile
	raw, err := p.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func TestExtensionsAreRemappedForEachSubscriber(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte{7}, 40)
	capture, level, orientation, delay := []byte("12345678"), []byte{0x85}, []byte{1}, []byte{1, 2, 3}
	tests := []struct {
		name    string
		profile uint16
		in      map[uint8][]byte
		mixed   bool
		takes   []conn.Extension
		want    map[uint8][]byte // by id to the subscriber
		form    uint16
	}{
		{"none", oneByteProfile, nil, true, []conn.Extension{conn.AudioLevel}, nil, 0},
		{
			"all short ones", oneByteProfile,
			map[uint8][]byte{3: capture, 4: level, 5: orientation, 6: delay},
			false,
			[]conn.Extension{conn.AbsoluteCaptureTime, conn.AudioLevel, conn.VideoOrientation, conn.PlayoutDelay},
			map[uint8][]byte{1: capture, 2: level, 3: orientation, 4: delay},
			oneByteProfile,
		},
		{
			"those that are taken", oneByteProfile,
			map[uint8][]byte{3: capture, 4: level, 5: orientation},
			false,
			[]conn.Extension{conn.AudioLevel, conn.PlayoutDelay},
			map[uint8][]byte{2: level},
			oneByteProfile,
		},
		{"none is taken", oneByteProfile, map[uint8][]byte{3: capture}, true, nil, nil, 0},
		{
			"what nobody knows", oneByteProfile,
			map[uint8][]byte{9: capture, 14: level},
			true,
			[]conn.Extension{conn.AbsoluteCaptureTime, conn.AudioLevel},
			nil, 0,
		},
		{
			"a long one", twoByteProfile,
			map[uint8][]byte{4: level, 7: long},
			true,
			[]conn.Extension{conn.AudioLevel, conn.DependencyDescriptor},
			map[uint8][]byte{2: level, 5: long},
			twoByteProfile,
		},
		{
			"a long one without both forms", twoByteProfile,
			map[uint8][]byte{4: level, 7: long},
			false,
			[]conn.Extension{conn.AudioLevel, conn.DependencyDescriptor},
			map[uint8][]byte{2: level},
			oneByteProfile,
		},
		{
			"an empty one", twoByteProfile,
			map[uint8][]byte{8: {}},
			true,
			[]conn.Extension{conn.LayersAllocation},
			map[uint8][]byte{6: {}},
			twoByteProfile,
		},
		{
			"more than fits", twoByteProfile,
			map[uint8][]byte{7: make([]byte, 250), 8: make([]byte, 250)},
			true,
			[]conn.Extension{conn.LayersAllocation, conn.DependencyDescriptor},
			map[uint8][]byte{5: make([]byte, 250)},
			twoByteProfile,
		},
	}
	for _, tt := range tests {
		track := newBareUpTrack(t, "vp8")
		track.up.ingress.extensions = newExtensionTable(numbered(3))
		in := &testIngest{ingest: ingest{track: track}}
		out := &recordingEgress{}
		d := newBareTrack(t, track, out)
		d.down.mixed.Store(tt.mixed)
		var taken []webrtc.RTPHeaderExtensionParameter
		for _, x := range tt.takes {
			taken = append(taken, webrtc.RTPHeaderExtensionParameter{ID: int(x) + 1, URI: forwardedURIs[x]})
		}
		d.setExtensions(taken)
		d.attach()
		if !receive(in, extended(t, 0, tt.profile, tt.in), rtptime.Now()) {
			t.Fatalf("%s: the packet is not taken", tt.name)
		}
		receive(in, extended(t, 1, tt.profile, nil), rtptime.Now())
		sent := out.take()
		if len(sent) != 2 {
			t.Fatalf("%s: %d packets, want two", tt.name, len(sent))
		}
		got := sent[0].Header
		if len(got.GetExtensionIDs()) != len(tt.want) || got.Extension != (len(tt.want) > 0) ||
			got.Extension && got.ExtensionProfile != tt.form {
			t.Errorf("%s: %v in form %x, want %v in form %x", tt.name, got.Extensions, got.ExtensionProfile, tt.want, tt.form)
		}
		for id, want := range tt.want {
			if value := got.GetExtension(id); !bytes.Equal(value, want) {
				t.Errorf("%s: %d is %x, want %x", tt.name, id, value, want)
			}
		}
		if sent[1].Header.Extension {
			t.Errorf("%s: the next packet has extensions too: %v", tt.name, sent[1].Header.Extensions)
		}
		// The same again, byte for byte, on the track itself and beside it.
		first, _ := sent[0].Marshal()
		d.resend(sent[0].SequenceNumber, epoch, make([]byte, maxPacket), nil)
		again := out.take()
		if len(again) != 1 {
			t.Fatalf("%s: resent %d packets", tt.name, len(again))
		}
		if second, _ := again[0].Marshal(); !bytes.Equal(first, second) {
			t.Errorf("%s: resent\n%x, want\n%x", tt.name, second, first)
		}
		d.repair = newRepairEgress(out, 77, 97)
		d.resend(sent[0].SequenceNumber, epoch.Add(1e9), make([]byte, maxPacket), nil)
		again = out.take()
		if len(again) != 1 || fmt.Sprint(again[0].Extensions) != fmt.Sprint(got.Extensions) {
			t.Errorf("%s: retransmitted %v, want the same extensions", tt.name, again)
		}
	}
}

func TestDescriptorsEndWithTheirSource(t *testing.T) {
	t.Parallel()
	a, b := newFakeTrack(t, "vp8"), newFakeTrack(t, "vp8")
	a.gop = false
	out := &recordingEgress{}
	d := newBareTrack(t, a, out)
	d.setExtensions(numbered(1))
	d.attach()
	deliver := func(source *fakeTrack, sequence int64, keyframe bool) {
		p := source.packet(sequence, byte(sequence), keyframe)
		header := []byte{0, 1, 2, 3}
		p.Extensions.Set(conn.DependencyDescriptor, 0, 3)
		p.Extensions.Set(conn.PlayoutDelay, 1, 3)
		meta := packetMeta{
			arrival: p.Arrival, timestamp: p.Timestamp, start: 4, end: uint16(4 + len(p.Payload)),
			payloadType: p.PayloadType, marker: p.Marker, frame: p.Frame, extensions: p.Extensions,
		}
		n := copy(source.cache.Buffer(), append(header, p.Payload...))
		data, _ := source.cache.Commit(sequence, n, keyframe, p.Arrival, meta)
		meta.describe(sequence, data, &p)
		source.sinks.write([]conn.Packet{p}, nil)
	}
	deliver(a, 10, true)
	remove(d.swap(conn.Selection{Track: b}))
	deliver(b, 20, true)
	buffer := make([]byte, maxPacket)
	sent := out.take()
	for i, p := range sent {
		if got, want := len(p.Extensions), 2-i; got != want {
			t.Errorf("packet %d has %d extensions, want %d", i, got, want)
		}
		d.resend(p.SequenceNumber, epoch, buffer, nil)
		if again := out.take(); len(again) != 1 || fmt.Sprint(again[0]) != fmt.Sprint(p) {
			t.Errorf("packet %d: resent %v, want %v", i, again, p)
		}
	}
}

func TestForwardingExtensionsDoesNotAllocate(t *testing.T) {
	packets, d := extendedPackets(t)
	allocs := testing.AllocsPerRun(1000, func() {
		packets[0].Sequence++
		packets[0].Timestamp += 3000
		d.current.WritePackets(packets, nil)
	})
	if allocs != 0 {
		t.Errorf("%v allocations per packet forwarded, want none", allocs)
	}
	if got := d.rate.Packets(); got < 1000 {
		t.Fatalf("only %d packets were forwarded", got)
	}
}

// extendedPackets returns a packet with extensions, and a track that forwards them.
func extendedPackets(tb testing.TB) ([]conn.Packet, *downTrack) {
	tb.Helper()
	source := newFakeTrack(tb, "vp8")
	source.gop = false
	d := newBareTrack(tb, source, discardEgress{})
	d.setExtensions(numbered(1))
	d.attach()
	p := source.packet(1000, 1, true)
	p.Header, p.Payload = make([]byte, 40), make([]byte, 1100)
	p.Extensions.Set(conn.AbsoluteCaptureTime, 16, 8)
	p.Extensions.Set(conn.PlayoutDelay, 25, 3)
	p.Extensions.Set(conn.DependencyDescriptor, 29, 3)
	packets := []conn.Packet{p}
	d.current.WritePackets(packets, nil)
	packets[0].Frame.Keyframe = false
	return packets, d
}

// BenchmarkForwardExtensions measures the way of a packet with three header
// extensions through one subscriber's track, without sealing and sending.
func BenchmarkForwardExtensions(b *testing.B) {
	packets, d := extendedPackets(b)
	b.SetBytes(1100)
	b.ReportAllocs()
	for b.Loop() {
		packets[0].Sequence++
		packets[0].Timestamp += 3000
		d.current.WritePackets(packets, nil)
	}
}

func TestExtensionsTravelFromPublisherToSubscriber(t *testing.T) {
	t.Parallel()
	for _, mux := range []bool{true, false} {
		t.Run(fmt.Sprintf("mux %v", mux), func(t *testing.T) {
			t.Parallel()
			e := newEngineOn(t, nil)
			if mux {
				e = newTestEngine(t)
			}
			uris := []string{codecs.ExtensionPlayoutDelay, codecs.ExtensionAbsoluteCaptureTime, "urn:example:private", codecs.ExtensionMID}
			publisher, subscriber := newExtendedPC(t, uris...), newExtendedPC(t, uris[1:]...)
			p := newPublisherOf(t, e, UpConfig{ID: "a"}, publisher)
			track, sender := p.add(webrtc.MimeTypeVP8, "video", "stream")
			p.connect()
			up := p.up.tracks.Load().own[0]
			next := bindTrack(t, up, track, vp8, 0)

			sub := newSubscriberOf(t, e, p.up, subscriber)
			sub.connect(p.up.Tracks()...)
			sub.attached()
			ids := make(map[string]uint8)
			for _, x := range sender.GetParameters().HeaderExtensions {
				ids[x.URI] = uint8(x.ID)
			}
			value := []byte("capture!")
			write := func(keyframe bool) {
				packet := vp8.packet(next, 0, keyframe)
				for uri, v := range map[string][]byte{uris[0]: {1, 2, 3}, uris[1]: value, uris[2]: {9}, uris[3]: []byte("0")} {
					if id := ids[uri]; id != 0 {
						if err := packet.SetExtension(id, v); err != nil {
							t.Fatal(err)
						}
					}
				}
				if err := track.WriteRTP(packet); err != nil {
					t.Fatal(err)
				}
				next++
			}
			write(true)
			remote := within(t, "track", sub.tracks)
			for range 20 {
				write(false)
			}
			taken := uint8(0)
			for _, x := range remote.receiver.GetParameters().HeaderExtensions {
				if x.URI == uris[1] {
					taken = uint8(x.ID)
				}
			}
			if taken == 0 {
				t.Fatal("the subscriber does not take the capture time")
			}
			eventually(t, "a packet with the capture time and nothing else", func() bool {
				got := within(t, "packet", remote.packets)
				if !got.Header.Extension {
					return false // from before
				}
				if ids := got.GetExtensionIDs(); len(ids) != 1 || !bytes.Equal(got.GetExtension(taken), value) {
					t.Fatalf("got %v, want %d: %q", got.Header.Extensions, taken, value)
				}
				return true
			})
		})
	}
}

// newExtendedPC returns a client with header extensions of its own.
func newExtendedPC(tb testing.TB, uris ...string) *webrtc.PeerConnection {
	tb.Helper()
	media := &webrtc.MediaEngine{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		tb.Fatal(err)
	}
	for _, uri := range uris {
		capability := webrtc.RTPHeaderExtensionCapability{URI: uri}
		if err := media.RegisterHeaderExtension(capability, webrtc.RTPCodecTypeVideo); err != nil {
			tb.Fatal(err)
		}
	}
	return newRemotePCFrom(tb, media, func(*webrtc.SettingEngine) {})
}

// Property: what is read of the extensions of any packet that pion/rtp can read is
// what that reads, and nothing is read beyond the header.
func FuzzExtensionsAreReadAsPionReadsThem(f *testing.F) {
	f.Add(extended(f, 1, oneByteProfile, map[uint8][]byte{3: {1}, 4: {2, 3}}))
	f.Add(extended(f, 1, twoByteProfile, map[uint8][]byte{3: {}, 200: bytes.Repeat([]byte{2}, 99)}))
	f.Add([]byte{0x90, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xbe, 0xde, 0, 1, 0xf0, 1, 2, 3, 4})
	f.Add([]byte("\x90000000000000\xbe\xde\x00\x02\x030000000")) // padding with a length
	f.Fuzz(func(t *testing.T, packet []byte) {
		var h header
		if !parseHeader(packet, &h) {
			return
		}
		table := newExtensionTable(numbered(1))
		var got received
		got.read(packet, &h, table)
		p := conn.Packet{Header: packet[:h.start], Extensions: got.forwarded}

		var want rtp.Header
		if _, err := want.Unmarshal(packet); err != nil || !want.Extension ||
			want.ExtensionProfile != oneByteProfile && want.ExtensionProfile != twoByteProfile {
			return
		}
		for x := range conn.ExtensionCount {
			value, ok := p.Extension(x)
			count := 0
			for _, id := range want.GetExtensionIDs() {
				if id == uint8(x)+1 {
					count++
				}
			}
			if count > 1 {
				continue // pion takes the first, we the last
			}
			if ok != (count == 1) || !bytes.Equal(value, want.GetExtension(uint8(x)+1)) {
				t.Errorf("extension %d of %x: %x, %v, pion has %x", x+1, packet, value, ok, want.GetExtension(uint8(x)+1))
			}
		}
	})
}
