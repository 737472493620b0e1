package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"galene/internal/testkit"
)

// httpPeer is a client that exchanges media over HTTP, without a page.
type httpPeer struct {
	*meeting
	pc        *webrtc.PeerConnection
	connected chan struct{}
	answer    string
	location  string // of the session
	etag      string

	mu         sync.Mutex // guards candidates
	candidates []string   // since the last description
}

func (m *meeting) newHTTPPeer() *httpPeer {
	m.t.Helper()
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(net.IP.IsLoopback)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = pc.GracefulClose() })
	p := &httpPeer{meeting: m, pc: pc, connected: make(chan struct{})}
	var once sync.Once
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(p.connected) })
		}
	})
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.candidates = append(p.candidates, c.ToJSON().Candidate)
		}
	})
	return p
}

// request sends a request and returns the reply with its body.
func (p *httpPeer) request(method, target, contentType, body string, headers ...string) (*http.Response, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.ctx, method, target, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response, string(text)
}

// describe makes an offer, with all candidates or none.
func (p *httpPeer) describe(restart, complete bool) (offer string) {
	p.t.Helper()
	p.mu.Lock()
	p.candidates = nil
	p.mu.Unlock()
	gathered := webrtc.GatheringCompletePromise(p.pc)
	description, err := p.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err == nil {
		err = p.pc.SetLocalDescription(description)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	<-gathered
	if !complete {
		return description.SDP
	}
	return p.pc.LocalDescription().SDP
}

// open makes a session at an endpoint.
func (p *httpPeer) open(endpoint string, complete bool) {
	p.t.Helper()
	response, answer := p.request("POST", p.server.HTTP+endpoint, "application/sdp", p.describe(false, complete))
	if response.StatusCode != http.StatusCreated {
		p.t.Fatalf("POST %s: status %d: %s", endpoint, response.StatusCode, answer)
	}
	base, _ := url.Parse(p.server.HTTP + endpoint)
	location, err := base.Parse(response.Header.Get("Location"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.location, p.etag = location.String(), response.Header.Get("ETag")
	p.accept(answer)
}

func (p *httpPeer) accept(answer string) {
	p.t.Helper()
	p.answer = answer
	err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
	if err != nil {
		p.t.Fatalf("%v in the answer:\n%s", err, answer)
	}
}

// trickle sends the candidates that were not in the offer.
func (p *httpPeer) trickle() {
	p.t.Helper()
	response, text := p.request("PATCH", p.location, "application/trickle-ice-sdpfrag", p.fragment(), "If-Match", p.etag)
	if response.StatusCode != http.StatusNoContent {
		p.t.Fatalf("PATCH: status %d: %s", response.StatusCode, text)
	}
}

// fragment is what the local description says about ICE.
func (p *httpPeer) fragment() string {
	var b strings.Builder
	description := p.pc.LocalDescription().SDP
	b.WriteString(iceLine(description, "a=ice-ufrag:") + iceLine(description, "a=ice-pwd:"))
	b.WriteString("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n")
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, candidate := range p.candidates {
		b.WriteString("a=" + candidate + "\r\n")
	}
	b.WriteString("a=end-of-candidates\r\n")
	return b.String()
}

// iceLine is the first line of a description that begins so.
func iceLine(description, start string) string {
	for line := range strings.SplitSeq(description, "\r\n") {
		if strings.HasPrefix(line, start) {
			return line + "\r\n"
		}
	}
	return ""
}

// restart restarts ICE.
func (p *httpPeer) restart() {
	p.t.Helper()
	p.describe(true, false)
	response, reply := p.request("PATCH", p.location, "application/trickle-ice-sdpfrag", p.fragment(), "If-Match", `"*"`)
	if response.StatusCode != http.StatusOK || response.Header.Get("ETag") == p.etag {
		p.t.Fatalf("PATCH: status %d, tag %s as before: %s", response.StatusCode, response.Header.Get("ETag"), reply)
	}
	p.etag = response.Header.Get("ETag")
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimSpace(p.answer), "\r\n") {
		switch {
		case strings.HasPrefix(line, "a=ice-ufrag:"):
			b.WriteString(iceLine(reply, "a=ice-ufrag:"))
		case strings.HasPrefix(line, "a=ice-pwd:"):
			b.WriteString(iceLine(reply, "a=ice-pwd:"))
		case strings.HasPrefix(line, "a=candidate:"):
		default:
			b.WriteString(line + "\r\n")
		}
	}
	p.accept(b.String())
	for line := range strings.SplitSeq(reply, "\r\n") {
		if candidate, ok := strings.CutPrefix(line, "a="); ok && strings.HasPrefix(candidate, "candidate:") {
			if err := p.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: candidate}); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}

func (p *httpPeer) waitConnected() {
	p.t.Helper()
	select {
	case <-p.connected:
	case <-p.ctx.Done():
		p.t.Fatal("the connection does not stand")
	}
}

// waitSession waits until a request for the session gets that status.
func (p *httpPeer) waitSession(status int) {
	p.t.Helper()
	for {
		response, _ := p.request("OPTIONS", p.location, "", "")
		if response.StatusCode == status {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-p.ctx.Done():
			p.t.Fatalf("the session replies with %d, want %d", response.StatusCode, status)
		}
	}
}

// send adds a track that a source fills until the test ends.
func (p *httpPeer) send(source *testkit.Source) {
	p.t.Helper()
	local, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: source.Codec().MimeType()}, "track", "stream")
	if err != nil {
		p.t.Fatal(err)
	}
	transceiver, err := p.pc.AddTransceiverFromTrack(local, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		p.t.Fatal(err)
	}
	go func() {
		for {
			packets, _, err := transceiver.Sender().ReadRTCP()
			if err != nil {
				return
			}
			for _, packet := range packets {
				if _, ok := packet.(*rtcp.PictureLossIndication); ok {
					source.RequestKeyframe()
				}
			}
		}
	}()
	ctx, cancel := context.WithCancel(p.ctx)
	var sending sync.WaitGroup
	p.t.Cleanup(func() {
		cancel()
		sending.Wait()
	})
	sending.Go(func() {
		for {
			for _, packet := range source.Next() {
				_ = local.WriteRTP(packet)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(source.Codec().FrameDuration()):
			}
		}
	})
}

const whipEndpoint = "/group/g/.whip"

func TestWHIPPublisherIsSeenByMembers(t *testing.T) {
	t.Parallel()
	for _, complete := range []bool{true, false} {
		t.Run(fmt.Sprintf("all candidates in the offer: %v", complete), func(t *testing.T) {
			t.Parallel()
			m := newMeeting(t, "g")
			watcher := m.watch("g", "anna", testkit.ClientOptions{})
			p := m.newHTTPPeer()
			p.send(testkit.NewSource(testkit.SourceOptions{Codec: testkit.Opus}))
			p.send(testkit.NewSource(testkit.SourceOptions{Codec: testkit.VP8}))
			p.open(whipEndpoint, complete)
			if !complete {
				p.trickle()
			}
			p.waitConnected()
			s := m.stream(watcher)
			if s.Username != "whip" || s.Label != "" || s.ID != s.Source {
				t.Errorf("the stream is %q of %q, a %q, labelled %q", s.ID, s.Source, s.Username, s.Label)
			}
			for _, track := range m.tracks(s, 2) {
				m.received(track, 60, 0)
			}
			if response, text := p.request("DELETE", p.location, "", ""); response.StatusCode != 200 || text != "" {
				t.Errorf("DELETE: status %d, %q", response.StatusCode, text)
			}
			if err := s.WaitClosed(m.ctx); err != nil {
				t.Errorf("after DELETE: %v", err)
			}
			p.waitSession(http.StatusNotFound)
		})
	}
}

func TestWHIPPublisherGoesOnAfterAnICERestart(t *testing.T) {
	t.Parallel()
	m := newMeeting(t, "g")
	watcher := m.watch("g", "anna", testkit.ClientOptions{})
	p := m.newHTTPPeer()
	source := testkit.NewSource(testkit.SourceOptions{Codec: testkit.Opus})
	p.send(source)
	p.open(whipEndpoint, true)
	p.waitConnected()
	track := m.tracks(m.stream(watcher), 1)[0]
	m.received(track, 20, 0)
	for range 2 {
		p.restart()
		m.goesOn(track, source.Made()+100)
	}
	p.waitSession(http.StatusOK)
}

func TestWHIPPublisherIsKickedLikeAnybody(t *testing.T) {
	t.Parallel()
	definition := `{"users":{"op":{"password":{"type":"wildcard"},"permissions":"op"}},` + testkit.OpenGroup[1:]
	server := testkit.StartServer(t, run, testkit.ServerOptions{Groups: map[string]string{"g": definition}})
	m := (&meeting{server: server}).within(t)
	watcher := m.watch("g", "op", testkit.ClientOptions{})
	p := m.newHTTPPeer()
	p.send(testkit.NewSource(testkit.SourceOptions{Codec: testkit.Opus}))
	p.open(whipEndpoint, true)
	p.waitConnected()
	s := m.stream(watcher)
	m.received(m.tracks(s, 1)[0], 5, 0)
	if err := watcher.Send(testkit.Message{Type: "useraction", Kind: "kick", Source: watcher.ID(), Dest: s.Source}); err != nil {
		t.Fatal(err)
	}
	if err := s.WaitClosed(m.ctx); err != nil {
		t.Error(err)
	}
	p.waitSession(http.StatusNotFound)
}

func TestWHIPSessionEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	m := newMeeting(t, "g")
	watcher := m.watch("g", "anna", testkit.ClientOptions{})
	p := m.newHTTPPeer()
	p.send(testkit.NewSource(testkit.SourceOptions{Codec: testkit.Opus}))
	p.open(whipEndpoint, true)
	p.waitConnected()
	s := m.stream(watcher)
	if err := p.pc.Close(); err != nil { // which says goodbye
		t.Fatal(err)
	}
	if err := s.WaitClosed(m.ctx); err != nil {
		t.Error(err)
	}
	p.waitSession(http.StatusNotFound)
}
