package rtpconn

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"galene/pionlog"
	"galene/srtp"
)

// open tells whether packets go beside Pion's stack at present.
func (l *lane) open() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.route.Load() != nil && l.sealer != nil || l.opener != nil
}

// describeLane says what the lane of a connection depends on.
func (d *Down) describeLane() string {
	pair, err := d.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	_, keyed := d.lane.follow(d.pc)
	d.lane.mu.Lock()
	defer d.lane.mu.Unlock()
	return fmt.Sprintf("connection %v, DTLS %v, pair %v (%v), keyed %v, looked at %v, closed %v, sealer %v, route %v",
		d.pc.ConnectionState(), d.pc.SCTP().Transport().State(), pair, err, keyed, d.lane.keyed, d.lane.closed,
		d.lane.sealer != nil, d.lane.route.Load())
}

func TestMediaTakesTheLaneWhereItCan(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		mux      bool
		settings func(s *webrtc.SettingEngine)
		want     bool
	}{
		{"AES-128-GCM", true, func(*webrtc.SettingEngine) {}, true},
		{"AES-256-GCM", true, func(s *webrtc.SettingEngine) {
			s.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_256_GCM)
		}, true},
		{"AES-CM and HMAC", true, func(s *webrtc.SettingEngine) {
			s.SetSRTPProtectionProfiles(dtls.SRTP_AES128_CM_HMAC_SHA1_80)
		}, true},
		{"a hash of 384 bits", true, func(s *webrtc.SettingEngine) {
			s.SetDTLSCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)
		}, true},
		{"no extended master secret", true, func(s *webrtc.SettingEngine) {
			s.SetDTLSExtendedMasterSecret(dtls.DisableExtendedMasterSecret)
		}, true},
		{"a peer on a link-local address, if there is one", true, func(s *webrtc.SettingEngine) {
			if hasLinkLocal() {
				s.SetIPFilter(net.IP.IsLinkLocalUnicast)
			}
		}, true},
		{"a peer that is DTLS server", true, func(s *webrtc.SettingEngine) {
			_ = s.SetAnsweringDTLSRole(webrtc.DTLSRoleServer)
		}, false},
		{"sockets of its own", false, func(*webrtc.SettingEngine) {}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEngineOn(t, nil)
			if tt.mux {
				e = newTestEngine(t)
			}
			s := newStream(t, e, 65000)
			sub := newTestSubscriberWith(t, e, s.testPublisher.up, tt.settings)
			sub.connect(s.testPublisher.up.Tracks()...)
			remote := s.settle(sub)
			s.write(10, true)
			for range 100 {
				s.write(10, false)
				s.arrived()
			}
			checkStream(t, remote, vp8, s.start, s.next-1)
			defer func() {
				if t.Failed() {
					t.Log(sub.down.describeLane())
				}
			}()
			eventually(t, "the lane opens", func() bool { return !tt.want || sub.down.lane.open() })
			if got := sub.down.lane.open(); got != tt.want {
				t.Errorf("the subscriber's lane is open: %v, want %v", got, tt.want)
			}
			if got := s.testPublisher.up.lane.open(); got != tt.mux {
				t.Errorf("the publisher's lane is open: %v, want %v", got, tt.mux)
			}
		})
	}
}

// hasLinkLocal tells whether this machine has a link-local IPv6 address, beside
// one that a peer can reach from there.
func hasLinkLocal() bool {
	addrs, _ := net.InterfaceAddrs()
	local, global := false, false
	for _, a := range addrs {
		if p, ok := a.(*net.IPNet); ok && p.IP.To4() == nil && !p.IP.IsLoopback() {
			local = local || p.IP.IsLinkLocalUnicast()
			global = global || p.IP.IsGlobalUnicast()
		}
	}
	return local && global
}

// newTestSubscriberWith returns a subscriber with settings of its own.
func newTestSubscriberWith(tb testing.TB, e *Engine, up *Up, settings func(*webrtc.SettingEngine)) *testSubscriber {
	tb.Helper()
	return newSubscriberOf(tb, e, up, newRemotePCWith(tb, settings))
}

// countedSocket is a client's socket that counts the RTP packets that arrive at
// it, whichever generation of the client's agent they are for.
type countedSocket struct {
	net.PacketConn

	mu      sync.Mutex
	arrived []uint16
}

// newCountedSocket returns one on the loopback interface.
func newCountedSocket(tb testing.TB) *countedSocket {
	tb.Helper()
	s, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.SetReadBuffer(1 << 20); err != nil {
		tb.Fatal(err)
	}
	return &countedSocket{PacketConn: s}
}

func (s *countedSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := s.PacketConn.ReadFrom(b)
	if n > 1 && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223) { // RFC 5761, section 4
		var h rtp.Header
		if _, err := h.Unmarshal(b[:n]); err == nil {
			s.mu.Lock()
			s.arrived = append(s.arrived, h.SequenceNumber)
			s.mu.Unlock()
		}
	}
	return n, from, err
}

// holes returns how many numbers are missing in what arrived.
func (s *countedSocket) holes() (holes, count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := slices.Compact(slices.Sorted(slices.Values(s.arrived)))
	if len(seen) == 0 {
		return 0, 0
	}
	return int(seen[len(seen)-1]-seen[0]) + 1 - len(seen), len(seen)
}

func TestSubscriberLosesNothingWhileICERestarts(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 1000)
	socket := newCountedSocket(t)
	clientMux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: socket, Logger: pionlog.New(discardLog()).NewLogger("ice")})
	t.Cleanup(func() { _ = clientMux.Close() })
	sub := newTestSubscriberWith(t, e, s.testPublisher.up, func(settings *webrtc.SettingEngine) {
		settings.SetICEUDPMux(clientMux)
	})
	sub.connect(s.testPublisher.up.Tracks()...)
	sub.attached()

	stop := make(chan struct{})
	var wg sync.WaitGroup
	s.write(1, true)
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				s.write(2, false)
			}
		}
	})
	flowing := func() {
		t.Helper()
		_, before := socket.holes()
		eventually(t, "media flows", func() bool {
			_, now := socket.holes()
			return now > before+200
		})
	}
	flowing()
	for range 3 {
		route := sub.down.lane.route.Load()
		sub.negotiate(true)
		eventually(t, "the lane follows", func() bool {
			now := sub.down.lane.route.Load()
			return now != route && now != nil
		})
		flowing()
	}
	close(stop)
	wg.Wait()
	if holes, count := socket.holes(); holes > 0 {
		t.Errorf("%d of %d packets were lost", holes, holes+count)
	}
	if !sub.down.lane.open() {
		t.Error("the lane is not open at the end")
	}
}

func TestPublisherGoesOnAfterICERestarts(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 1000)
	sink := newCollector()
	if err := s.up.AddSink(sink); err != nil {
		t.Fatal(err)
	}
	defer s.up.RemoveSink(sink)
	for range 3 {
		before := s.testPublisher.up.pc.LocalDescription().SDP
		s.offer(&webrtc.OfferOptions{ICERestart: true})
		if s.testPublisher.up.pc.LocalDescription().SDP == before {
			t.Error("there was no restart")
		}
		for len(sink.packets) > 0 {
			<-sink.packets
		}
		eventually(t, "packets come after the restart", func() bool { // the publisher may lose some
			_ = s.track.WriteRTP(vp8.packet(s.next, s.start, true))
			s.next++
			return len(sink.packets) > 0
		})
	}
	if !s.testPublisher.up.lane.open() {
		t.Error("the lane is not open at the end")
	}
}

func TestKeysAreForgottenWithTheConnection(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 1000)
	sub := newTestSubscriber(t, e, s.testPublisher.up)
	sub.connect(s.testPublisher.up.Tracks()...)
	sub.attached()
	s.write(20, true)
	within(t, "track", sub.tracks)
	eventually(t, "the lane is open", sub.down.lane.open)
	for _, l := range []*lane{&sub.down.lane, &s.testPublisher.up.lane} {
		l.handshake.mu.Lock()
		if got := l.handshake.secrets.Master; !allZero(got) {
			t.Error("the master secret is still there while the connection stands")
		}
		l.handshake.mu.Unlock()
	}
	sub.down.Close()
	s.testPublisher.up.Close()
	for _, l := range []*lane{&sub.down.lane, &s.testPublisher.up.lane} {
		if l.sealer != nil || l.opener != nil || l.route.Load() != nil {
			t.Error("a closed connection has keys or a route")
		}
	}
}

func allZero(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 })
}

func TestLaneTakesOverWhenPionHasDeliveredWhatCameBefore(t *testing.T) {
	t.Parallel()
	keys, err := srtp.DeriveKeys(testSecrets(), srtp.AEAD_AES_128_GCM)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := keys.NewSealer(false)
	if err != nil {
		t.Fatal(err)
	}
	opener, err := keys.NewOpener(false)
	if err != nil {
		t.Fatal(err)
	}
	track := newBareUpTrack(t, "vp8")
	sink := newCollector()
	if err := track.AddSink(sink); err != nil {
		t.Fatal(err)
	}
	g := &ingress{up: track.up}
	in := &ingest{track: track}
	g.add(1234, in)
	g.open(opener)

	plain := func(n uint16) []byte {
		p := vp8.packet(uint32(n), 0, n == 0)
		p.SSRC, p.PayloadType = 1234, 96
		raw, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	const first = 100
	fromSocket := func(n uint16) bool {
		raw := plain(first + n)
		sealed := sealer.Seal(nil, raw[:rtpFixedHeader], raw[rtpFixedHeader:], 1234, uint64(first+n))
		taken := g.ReceiveRTP(sealed, nil)
		g.EndBurst(nil)
		return taken
	}
	g.receive(in, plain(first))
	if fromSocket(5) || fromSocket(6) {
		t.Error("packets overtake those that wait in Pion")
	}
	for n := uint16(1); n < 7; n++ {
		g.receive(in, plain(first+n))
	}
	for n := uint16(7); n < 20; n++ {
		if !fromSocket(n) {
			t.Errorf("packet %d is left to Pion", n)
		}
	}
	if fromSocket(30); !fromSocket(31) { // with a gap
		t.Error("a loss takes the source away from the lane")
	}
	last := int64(-1)
	for len(sink.packets) > 0 {
		got := <-sink.packets
		if got.Sequence <= last {
			t.Errorf("packet %d comes after %d", got.Sequence, last)
		}
		last = got.Sequence
	}
	if uint16(last) != first+31 {
		t.Errorf("the last packet is %d", uint16(last))
	}
}

// TestConnectionsCloseWhileICESelectsAPair holds up whoever looks at the selected
// pair until ICE is being closed, which waits for its own goroutines.
func TestConnectionsCloseWhileICESelectsAPair(t *testing.T) {
	t.Parallel()
	closes := func(what string, p *peer, closeIt func()) {
		t.Helper()
		done := make(chan struct{})
		go func() {
			defer close(done)
			closeIt()
		}()
		eventually(t, "closing of the "+what+" has begun", func() bool {
			return p.pc.SignalingState() == webrtc.SignalingStateClosed
		})
		time.Sleep(100 * time.Millisecond) // for it to come to ICE
		p.lane.following.Unlock()
		within(t, "end of the "+what, done)
	}
	e := newTestEngine(t)
	publisher := newTestPublisher(t, e, UpConfig{ID: "a"})
	publisher.add(webrtc.MimeTypeVP8, "video", "stream")
	publisher.up.lane.following.Lock()
	publisher.connect()
	subscriber := newTestSubscriber(t, e, publisher.up)
	subscriber.down.lane.following.Lock()
	subscriber.connect(publisher.up.Tracks()...)
	closes("subscriber", &subscriber.down.peer, subscriber.down.Close)
	closes("publisher", &publisher.up.peer, publisher.up.Close)
}
