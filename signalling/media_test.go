package signalling

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"galene/group"
	"galene/rtpconn"
)

// peer is a client with a WebRTC stack, over a memory pipe and the loopback
// interface.
type peer struct {
	t      *testing.T
	name   string
	pipe   *memoryPipe
	api    *webrtc.API
	events chan string // kinds of messages that tests wait for
	got    chan string // ids of streams of which a packet has arrived

	order sync.Mutex // held so that candidates do not overtake an offer

	mu  sync.Mutex // guards the connections
	pcs map[string]*webrtc.PeerConnection
}

// newMediaServer is a server with a real engine, and everything that ends with
// the test.
func newMediaServer(t *testing.T) *Server {
	t.Helper()
	dir := t.TempDir()
	for name, contents := range open {
		writeGroup(t, dir, name, contents)
	}
	log := slog.New(slog.DiscardHandler)
	engine, err := rtpconn.NewEngine(rtpconn.Options{Loopback: true, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(Options{
		Registry: group.NewRegistry(group.Options{Directory: dir, Log: log}),
		Engine:   engine, Log: log,
	})
	t.Cleanup(func() {
		s.Shutdown(context.WithoutCancel(t.Context()))
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// connect joins the group as a new peer, which wants everything.
func connect(t *testing.T, s *Server, name string) *peer {
	t.Helper()
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	var codecs webrtc.MediaEngine
	if err := codecs.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	p := &peer{
		t: t, name: name, pipe: newMemoryPipe(),
		api:    webrtc.NewAPI(webrtc.WithSettingEngine(settings), webrtc.WithMediaEngine(&codecs)),
		events: make(chan string, 100), got: make(chan string, 100),
		pcs: make(map[string]*webrtc.PeerConnection),
	}
	var running sync.WaitGroup
	running.Go(func() { s.Serve(context.WithoutCancel(t.Context()), p.pipe, "192.0.2.1:1") })
	running.Go(p.listen)
	t.Cleanup(func() {
		p.pipe.Cut()
		running.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, pc := range p.pcs {
			if err := pc.GracefulClose(); err != nil {
				t.Error(err)
			}
		}
	})
	p.send(Message{Type: typeHandshake, Version: []string{"2"}, ID: name})
	p.send(Message{Type: typeJoin, Kind: "join", Group: "test", Username: &name})
	p.send(Message{Type: typeRequest, Request: json.RawMessage(`{"":["audio","video"]}`)})
	p.await("joined join")
	return p
}

func (p *peer) send(m Message) {
	frame, err := m.Encode()
	if err != nil {
		p.t.Error(err)
		return
	}
	p.pipe.in <- frame
}

// await waits for a message of that type and kind or id.
func (p *peer) await(what string) {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case got := <-p.events:
			if got == what {
				return
			}
		case <-timeout:
			p.t.Fatalf("%v waits in vain for %q", p.name, what)
		}
	}
}

// listen does what a browser does with the server's messages.
func (p *peer) listen() {
	for {
		frame, ok := p.pipe.received()
		if !ok {
			select {
			case <-p.pipe.written:
				continue
			case <-p.pipe.cut:
				return
			}
		}
		var m Message
		if err := json.Unmarshal(frame, &m); err != nil {
			p.t.Error(err)
			return
		}
		if err := p.handle(&m); err != nil {
			p.t.Errorf("%v: %v: %v", p.name, m.Type, err)
		}
		select {
		case p.events <- m.Type + " " + m.Kind + m.ID:
		default:
		}
	}
}

func (p *peer) handle(m *Message) error {
	p.mu.Lock()
	pc := p.pcs[m.ID]
	p.mu.Unlock()
	switch m.Type {
	case typeAnswer:
		return pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: m.SDP})
	case typeICE:
		if pc != nil {
			return pc.AddICECandidate(webrtc.ICECandidateInit(*m.Candidate))
		}
	case typeOffer:
		return p.receive(m)
	case typeClose:
		if pc != nil {
			p.mu.Lock()
			delete(p.pcs, m.ID)
			p.mu.Unlock()
			return pc.GracefulClose()
		}
	}
	return nil
}

// open makes the connection of a stream.
func (p *peer) open(id string) (*webrtc.PeerConnection, error) {
	pc, err := p.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c != nil {
			candidate := Candidate(c.ToJSON())
			p.order.Lock()
			defer p.order.Unlock()
			p.send(Message{Type: typeICE, ID: id, Candidate: &candidate})
		}
	})
	p.mu.Lock()
	p.pcs[id] = pc
	p.mu.Unlock()
	return pc, nil
}

// receive answers an offer and reports the first packet of each track.
func (p *peer) receive(m *Message) error {
	p.mu.Lock()
	pc := p.pcs[m.ID]
	p.mu.Unlock()
	if pc == nil {
		var err error
		if pc, err = p.open(m.ID); err != nil {
			return err
		}
		pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
			if _, _, err := track.ReadRTP(); err == nil {
				p.got <- m.ID + " " + track.Kind().String()
			}
		})
	}
	offer := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: m.SDP}
	if err := pc.SetRemoteDescription(offer); err != nil {
		return err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return err
	}
	if err := pc.SetLocalDescription(answer); err != nil {
		return err
	}
	p.send(Message{Type: typeAnswer, ID: m.ID, SDP: answer.SDP})
	return nil
}

// publish offers a stream with audio and sends packets until the test ends.
func (p *peer) publish(id, replace string) {
	p.t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(
		webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "audio", id)
	if err != nil {
		p.t.Fatal(err)
	}
	pc, err := p.open(id)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := pc.AddTrack(track); err != nil {
		p.t.Fatal(err)
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.order.Lock()
	err = pc.SetLocalDescription(offer)
	p.send(Message{Type: typeOffer, ID: id, Replace: replace, Label: "camera", SDP: offer.SDP})
	p.order.Unlock()
	if err != nil {
		p.t.Fatal(err)
	}
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.t.Context()))
	go func() {
		defer close(done)
		talk(ctx, track)
	}()
	p.t.Cleanup(func() {
		cancel()
		<-done
	})
}

// talk sends a packet every 20 ms until ctx ends.
func talk(ctx context.Context, track *webrtc.TrackLocalStaticRTP) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := uint16(1); ; i++ {
		packet := rtp.Packet{Header: rtp.Header{
			Version: 2, SequenceNumber: i, Timestamp: uint32(i) * 960,
		}, Payload: []byte{0xfc, 0xff, 0xfe}}
		_ = track.WriteRTP(&packet) // fails until there is a connection
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// awaitMedia waits for a packet of a stream.
func (p *peer) awaitMedia(what string) {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case got := <-p.got:
			if got == what {
				return
			}
		case <-timeout:
			p.t.Fatalf("%v waits in vain for packets of %q", p.name, what)
		}
	}
}

func TestMediaFlowsFromPublisherToSubscribers(t *testing.T) {
	t.Parallel()
	s := newMediaServer(t)
	a := connect(t, s, "a")
	early := connect(t, s, "early")
	a.publish("one", "")
	a.await("answer one")
	early.awaitMedia("one audio")

	late := connect(t, s, "late")
	late.awaitMedia("one audio")

	a.publish("two", "one")
	for _, p := range []*peer{early, late} {
		p.awaitMedia("two audio")
	}
	a.send(Message{Type: typeClose, ID: "two"})
	for _, p := range []*peer{early, late} {
		p.await("close two")
	}
}

func TestEngineRefusesWhatIsNoDescription(t *testing.T) {
	t.Parallel()
	s := newMediaServer(t)
	a := connect(t, s, "a")
	for i, sdp := range []string{"", "hello", "v=0\r\n"} {
		id := fmt.Sprint("s", i)
		a.send(Message{Type: typeOffer, ID: id, SDP: sdp})
		a.await("abort " + id)
		a.await("usermessage error")
	}
	a.publish("s0", "")
	a.await("answer s0")
}
