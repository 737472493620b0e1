package rtpconn

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"galene/conn"
	"galene/pionlog"
	"galene/udpmux"
)

// patience is how long a test waits for what must happen: much longer than it
// takes, for the sake of busy machines.
const testPatience = 30 * time.Second

// discardLog is for what tests provoke on purpose.
func discardLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

// newTestEngine returns an engine on the loopback interface, with all connections
// on one port.
func newTestEngine(tb testing.TB) *Engine {
	tb.Helper()
	mux, err := udpmux.Listen(udpmux.Options{Loopback: true, Log: discardLog()})
	if err != nil {
		tb.Fatalf("udpmux.Listen: %v", err)
	}
	tb.Cleanup(func() {
		if err := mux.Close(); err != nil {
			tb.Errorf("closing the mux: %v", err)
		}
	})
	return newEngineOn(tb, mux)
}

// newEngineOn returns an engine on a mux, or with sockets of its own if that is
// nil.
func newEngineOn(tb testing.TB, mux *udpmux.Mux) *Engine {
	tb.Helper()
	e, err := NewEngine(Options{Mux: mux, Loopback: true, Log: discardLog()})
	if err != nil {
		tb.Fatalf("NewEngine: %v", err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Errorf("closing the engine: %v", err)
		}
	})
	return e
}

// newRemotePC returns a peer connection such as a browser's.
func newRemotePC(tb testing.TB) *webrtc.PeerConnection {
	tb.Helper()
	return newRemotePCWith(tb, func(*webrtc.SettingEngine) {})
}

// newRemotePCWith returns one with settings of its own.
func newRemotePCWith(tb testing.TB, change func(*webrtc.SettingEngine)) *webrtc.PeerConnection {
	tb.Helper()
	media := &webrtc.MediaEngine{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		tb.Fatal(err)
	}
	if err := webrtc.ConfigureSimulcastExtensionHeaders(media); err != nil {
		tb.Fatal(err)
	}
	return newRemotePCFrom(tb, media, change)
}

// newRemotePCFrom returns one with a media engine of its own.
func newRemotePCFrom(tb testing.TB, media *webrtc.MediaEngine, change func(*webrtc.SettingEngine)) *webrtc.PeerConnection {
	tb.Helper()
	return newRemotePCThrough(tb, media, &interceptor.Registry{}, change)
}

// newRemotePCThrough returns one with interceptors.
func newRemotePCThrough(tb testing.TB, media *webrtc.MediaEngine, interceptors *interceptor.Registry, change func(*webrtc.SettingEngine)) *webrtc.PeerConnection {
	tb.Helper()
	settings := webrtc.SettingEngine{LoggerFactory: pionlog.New(discardLog())}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetSRTPReplayProtectionWindow(srtpReplayWindow)
	change(&settings)
	api := webrtc.NewAPI(
		webrtc.WithMediaEngine(media),
		webrtc.WithSettingEngine(settings),
		webrtc.WithInterceptorRegistry(interceptors),
	)
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = pc.GracefulClose() })
	return pc
}

// within waits for c.
func within[T any](tb testing.TB, what string, c <-chan T) T {
	tb.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(testPatience):
		tb.Fatalf("no %s within %v", what, testPatience)
		panic("unreachable")
	}
}

// eventually waits until ok returns true.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(testPatience)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("not within %v: %s", testPatience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// connected returns a channel that is closed once pc is connected.
func connected(pc *webrtc.PeerConnection) <-chan struct{} {
	done := make(chan struct{})
	var once sync.Once
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(done) })
		}
	})
	return done
}

// testPublisher is a client that publishes one stream to the engine.
type testPublisher struct {
	tb        testing.TB
	pc        *webrtc.PeerConnection
	up        *Up
	changed   chan struct{}
	failed    chan struct{}
	connected <-chan struct{}
	in, out   *trickle // of the engine's candidates, and of its own
	munge     func(offer string) string
}

// newTestPublisher returns a publisher whose tracks are to be added to pc.
func newTestPublisher(tb testing.TB, e *Engine, c UpConfig) *testPublisher {
	tb.Helper()
	return newPublisherOf(tb, e, c, newRemotePC(tb))
}

// newPublisherOf returns a publisher that is pc.
func newPublisherOf(tb testing.TB, e *Engine, c UpConfig, pc *webrtc.PeerConnection) *testPublisher {
	tb.Helper()
	p := &testPublisher{
		tb:      tb,
		pc:      pc,
		changed: make(chan struct{}, 100),
		failed:  make(chan struct{}, 100),
	}
	p.connected = connected(p.pc)
	p.in = trickleTo(p.pc)
	c.Events.Candidate = p.in.send
	c.Events.Changed = func() { p.changed <- struct{}{} }
	c.Events.Failed = func() { p.failed <- struct{}{} }
	up, err := e.NewUp(c)
	if err != nil {
		tb.Fatalf("NewUp: %v", err)
	}
	tb.Cleanup(up.Close)
	p.up = up
	p.out = trickleFrom(p.pc, up.AddCandidate)
	return p
}

// add adds a track in the publisher's codec.
func (p *testPublisher) add(mime, id, stream string) (*webrtc.TrackLocalStaticRTP, *webrtc.RTPSender) {
	p.tb.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, id, stream)
	if err != nil {
		p.tb.Fatal(err)
	}
	t, err := p.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{
		Direction: webrtc.RTPTransceiverDirectionSendonly,
	})
	if err != nil {
		p.tb.Fatal(err)
	}
	return track, t.Sender()
}

// offer makes an offer and applies the answer.
func (p *testPublisher) offer(options *webrtc.OfferOptions) (answer string) {
	p.tb.Helper()
	p.in.hold()
	p.out.hold()
	offer, err := p.pc.CreateOffer(options)
	if err != nil {
		p.tb.Fatalf("CreateOffer: %v", err)
	}
	if err := p.pc.SetLocalDescription(offer); err != nil {
		p.tb.Fatalf("SetLocalDescription: %v", err)
	}
	sent := offer.SDP
	if p.munge != nil {
		sent = p.munge(sent)
	}
	answer, err = p.up.Offer(sent)
	if err != nil {
		p.tb.Fatalf("Offer: %v\n%s", err, offer.SDP)
	}
	err = p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
	if err != nil {
		p.tb.Fatalf("answer: %v\n%s", err, answer)
	}
	p.in.release()
	p.out.release()
	return answer
}

// connect makes the first offer and waits until media can flow.
func (p *testPublisher) connect() {
	p.tb.Helper()
	p.offer(nil)
	within(p.tb, "connection of the publisher", p.connected)
}

// collector is a sink that keeps copies of what it gets.
type collector struct {
	packets chan conn.Packet
	clock   chan struct{}
	rate    uint64
}

func newCollector() *collector {
	return &collector{packets: make(chan conn.Packet, 10000), clock: make(chan struct{}, 100), rate: conn.Unlimited}
}

// testSubscriber is a client that receives one stream from the engine.
type testSubscriber struct {
	tb          testing.TB
	pc          *webrtc.PeerConnection
	down        *Down
	connected   <-chan struct{}
	tracks      chan *remoteTrack
	failed      chan struct{}
	moved       chan struct{}
	renegotiate chan struct{}
	broken      chan error
	in, out     *trickle // of the engine's candidates, and of its own
}

// remoteTrack is a track as a subscriber receives it.
type remoteTrack struct {
	*webrtc.TrackRemote
	receiver *webrtc.RTPReceiver
	packets  chan *rtp.Packet
	rtcp     chan rtcp.Packet
}

func newTestSubscriber(tb testing.TB, e *Engine, up conn.Up) *testSubscriber {
	tb.Helper()
	return newSubscriberOf(tb, e, up, newRemotePC(tb))
}

// newSubscriberOf returns a subscriber that is pc.
func newSubscriberOf(tb testing.TB, e *Engine, up conn.Up, pc *webrtc.PeerConnection) *testSubscriber {
	tb.Helper()
	s := &testSubscriber{
		tb:          tb,
		pc:          pc,
		tracks:      make(chan *remoteTrack, 100),
		failed:      make(chan struct{}, 100),
		moved:       make(chan struct{}, 100),
		renegotiate: make(chan struct{}, 100),
		broken:      make(chan error, 1),
	}
	s.connected = connected(s.pc)
	s.pc.OnTrack(s.onTrack)
	s.in = trickleTo(s.pc)
	down, err := e.NewDown(DownConfig{Up: up, Events: Events{
		Candidate:   s.in.send,
		Failed:      func() { s.failed <- struct{}{} },
		Moved:       func() { s.moved <- struct{}{} },
		Renegotiate: func() { s.renegotiate <- struct{}{} },
		Broken:      func(err error) { s.broken <- err },
	}})
	if err != nil {
		tb.Fatalf("NewDown: %v", err)
	}
	tb.Cleanup(down.Close)
	s.down = down
	s.out = trickleFrom(s.pc, down.AddCandidate)
	return s
}

func (s *testSubscriber) onTrack(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	t := &remoteTrack{remote, receiver, make(chan *rtp.Packet, 20000), make(chan rtcp.Packet, 1000)}
	s.tracks <- t
	go func() {
		for {
			packets, _, err := receiver.ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				t.rtcp <- p
			}
		}
	}()
	for {
		p, _, err := remote.ReadRTP()
		if err != nil {
			return
		}
		t.packets <- p
	}
}

// selectAll selects tracks as they are.
func (s *testSubscriber) selectAll(tracks ...conn.UpTrack) (changed bool) {
	s.tb.Helper()
	selection := make([]conn.Selection, 0, len(tracks))
	for _, t := range tracks {
		selection = append(selection, conn.Selection{Track: t})
	}
	changed, err := s.down.Select(selection)
	if err != nil {
		s.tb.Fatalf("Select: %v", err)
	}
	return changed
}

// answerTo applies an offer and returns the answer.
func (s *testSubscriber) answerTo(offer string) string {
	s.tb.Helper()
	err := s.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer})
	if err != nil {
		s.tb.Fatalf("offer: %v\n%s", err, offer)
	}
	answer, err := s.pc.CreateAnswer(nil)
	if err != nil {
		s.tb.Fatalf("CreateAnswer: %v", err)
	}
	if err := s.pc.SetLocalDescription(answer); err != nil {
		s.tb.Fatalf("SetLocalDescription: %v", err)
	}
	s.in.release()
	return answer.SDP
}

// offer gets an offer.
func (s *testSubscriber) offer(restart bool) string {
	s.tb.Helper()
	s.in.hold()
	offer, ok, err := s.down.Offer(restart)
	if err != nil || !ok {
		s.tb.Fatalf("Offer = %v, %v, want an offer", ok, err)
	}
	return offer
}

// answer answers an offer.
func (s *testSubscriber) answer(offer string) (again bool) {
	s.tb.Helper()
	s.out.hold()
	again, err := s.down.Answer(s.answerTo(offer))
	if err != nil {
		s.tb.Fatalf("Answer: %v\n%s", err, offer)
	}
	s.out.release()
	return again
}

// negotiate runs one offer and answer, and returns the offer.
func (s *testSubscriber) negotiate(restart bool) (offer string) {
	s.tb.Helper()
	offer = s.offer(restart)
	if s.answer(offer) {
		s.tb.Fatal("the answer is to be followed by another offer")
	}
	return offer
}

// connect negotiates and waits until media can flow.
func (s *testSubscriber) connect(tracks ...conn.UpTrack) {
	s.tb.Helper()
	if !s.selectAll(tracks...) {
		s.tb.Fatal("the first selection needs no offer")
	}
	s.negotiate(false)
	within(s.tb, "connection of the subscriber", s.connected)
}

// attached waits until the down tracks flow.
func (s *testSubscriber) attached() {
	s.tb.Helper()
	eventually(s.tb, "media flows to the subscriber", func() bool {
		for _, t := range s.down.sending() {
			t.mu.Lock()
			state := t.state
			t.mu.Unlock()
			if state == idle {
				return false
			}
		}
		return true
	})
}

// sending returns what is being sent.
func (d *Down) sending() []*downTrack { return *d.active.Load() }
