package rtpconn

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"galene/conn"
)

// testViewer is a client that makes offers to receive one stream.
type testViewer struct {
	*testSubscriber
	view *View
}

// newTestViewer returns a viewer that is ready for sections of these kinds.
func newTestViewer(tb testing.TB, e *Engine, up conn.Up, kinds ...webrtc.RTPCodecType) *testViewer {
	tb.Helper()
	return newViewerOf(tb, e, up, newRemotePC(tb), kinds...)
}

// newViewerOf is newTestViewer for a client of one's own.
func newViewerOf(tb testing.TB, e *Engine, up conn.Up, pc *webrtc.PeerConnection, kinds ...webrtc.RTPCodecType) *testViewer {
	tb.Helper()
	s := &testSubscriber{
		tb: tb, pc: pc, tracks: make(chan *remoteTrack, 100),
		failed: make(chan struct{}, 100), broken: make(chan error, 1),
	}
	s.connected = connected(s.pc)
	s.pc.OnTrack(s.onTrack)
	view, err := e.NewView(DownConfig{Up: up, Events: Events{
		Failed: func() { s.failed <- struct{}{} },
		Broken: func(err error) { s.broken <- err },
	}})
	if err != nil {
		tb.Fatalf("NewView: %v", err)
	}
	tb.Cleanup(view.Close)
	s.down = view.down
	for _, kind := range kinds {
		_, err := s.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		if err != nil {
			tb.Fatal(err)
		}
	}
	return &testViewer{s, view}
}

// choose selects tracks of a stream as they are.
func (v *testViewer) choose(tracks ...conn.UpTrack) error {
	var selection []conn.Selection
	for _, t := range tracks {
		selection = append(selection, conn.Selection{Track: t})
	}
	return v.view.Select(selection)
}

// offer makes a complete offer.
func (v *testViewer) offer(restart bool) string {
	v.tb.Helper()
	gathered := webrtc.GatheringCompletePromise(v.pc)
	offer, err := v.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		v.tb.Fatal(err)
	}
	if err := v.pc.SetLocalDescription(offer); err != nil {
		v.tb.Fatal(err)
	}
	<-gathered
	return v.pc.LocalDescription().SDP
}

// exchange makes an offer and takes the answer.
func (v *testViewer) exchange(restart bool) (answer string) {
	v.tb.Helper()
	offer := v.offer(restart)
	if _, err := v.view.Offer(offer); err != nil {
		v.tb.Fatalf("Offer: %v\n%s", err, offer)
	}
	answer, err := v.view.Gathered(v.tb.Context())
	if err != nil {
		v.tb.Fatalf("Gathered: %v", err)
	}
	if err := v.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		v.tb.Fatalf("answer: %v\n%s", err, answer)
	}
	return answer
}

// showing publishes a stream with one track for each sample.
func showing(tb testing.TB, e *Engine, id string, samples ...sample) (*testPublisher, []*webrtc.TrackLocalStaticRTP) {
	tb.Helper()
	p := newTestPublisher(tb, e, UpConfig{ID: id, Label: "camera", Codecs: allNames})
	var locals []*webrtc.TrackLocalStaticRTP
	for _, s := range samples {
		local, _ := p.add(s.mime, "track-"+s.name, "stream")
		locals = append(locals, local)
	}
	p.connect()
	for i, s := range samples {
		bindTrack(tb, p.up.tracks.Load().own[i], locals[i], s, 0)
	}
	return p, locals
}

const (
	hear = webrtc.RTPCodecTypeAudio
	see  = webrtc.RTPCodecTypeVideo
)

// send sends numbered packets every few milliseconds until the test ends, with a
// keyframe now and then.
func keepSending(tb testing.TB, local *webrtc.TrackLocalStaticRTP, s sample, first uint32) {
	tb.Helper()
	stop, done := make(chan struct{}), make(chan struct{})
	tb.Cleanup(func() {
		close(stop)
		<-done
	})
	go func() {
		defer close(done)
		for n := first; ; n++ {
			_ = local.WriteRTP(s.packet(n, 0, n%20 == 0))
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
}

func TestViewerGetsWhatItOffersToReceive(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		kinds []webrtc.RTPCodecType
		want  int // tracks
	}{
		{"sound and picture", []webrtc.RTPCodecType{hear, see}, 2},
		{"picture and sound", []webrtc.RTPCodecType{see, hear}, 2},
		{"picture", []webrtc.RTPCodecType{see}, 1},
		{"sound", []webrtc.RTPCodecType{hear}, 1},
		{"more than there is", []webrtc.RTPCodecType{see, hear, see, hear}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newTestEngine(t)
			p, locals := showing(t, e, "a", opus, h264)
			keepSending(t, locals[0], opus, 1000)
			keepSending(t, locals[1], h264, 1000)
			v := newTestViewer(t, e, p.up, tt.kinds...)
			if err := v.choose(p.up.Tracks()...); err != nil {
				t.Fatal(err)
			}
			answer := v.exchange(false)
			if got := strings.Count(answer, "a=sendonly"); got != tt.want {
				t.Errorf("%d sections send, want %d:\n%s", got, tt.want, answer)
			}
			if got := strings.Count(answer, "a=inactive"); got != len(tt.kinds)-tt.want {
				t.Errorf("%d sections are inactive, want %d:\n%s", got, len(tt.kinds)-tt.want, answer)
			}
			within(t, "connection", v.connected)
			for range tt.want {
				track := within(t, "track", v.tracks)
				first := within(t, "packet", track.packets)
				for range 50 {
					next := within(t, "packet", track.packets)
					// One may be lost on a busy machine.
					if uint16(number(next.Payload)-number(first.Payload)) != next.SequenceNumber-first.SequenceNumber {
						t.Fatalf("packet %d, number %d, follows packet %d, number %d", number(next.Payload), next.SequenceNumber, number(first.Payload), first.SequenceNumber)
					}
					first = next
				}
			}
			if !v.view.Established() {
				t.Error("the connection is not established")
			}
		})
	}
}

func TestViewersBadOffersAreRefused(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p, _ := showing(t, e, "a", vp8)
	for _, tt := range []struct {
		name   string
		change func(string) string
		lack   bool // it is a codec that is missing
	}{
		{"nonsense", func(string) string { return "nonsense" }, false},
		{"nothing", func(string) string { return "" }, false},
		{"it sends", func(s string) string { return strings.ReplaceAll(s, "a=recvonly", "a=sendonly") }, false},
		{"no such codec", func(s string) string { return strings.ReplaceAll(s, "VP8/90000", "XP8/90000") }, true},
		{"sound only", func(s string) string {
			s = strings.ReplaceAll(s, "m=video", "m=audio")
			return strings.ReplaceAll(s, "VP8/90000", "opus/48000/2")
		}, true},
	} {
		v := newTestViewer(t, e, p.up, see)
		if err := v.choose(p.up.Tracks()...); err != nil {
			t.Fatal(err)
		}
		offer := v.offer(false)
		answer, err := v.view.Offer(tt.change(offer))
		_, negotiation := errors.AsType[*NegotiationError](err)
		_, lack := errors.AsType[*UnsupportedError](err)
		if answer != "" || !negotiation || lack != tt.lack {
			t.Errorf("%s: Offer = %q, %v, want a NegotiationError, for want of a codec: %v", tt.name, answer, err, tt.lack)
		}
		if _, err := v.view.Offer(offer); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: Offer after that = %v, want ErrClosed", tt.name, err)
		}
	}
}

func TestViewFollowsToAnotherStream(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	first, locals := showing(t, e, "a", opus, vp8)
	keepSending(t, locals[0], opus, 1000)
	keepSending(t, locals[1], vp8, 1000)
	v := newTestViewer(t, e, first.up, hear, see)
	if err := v.choose(first.up.Tracks()...); err != nil {
		t.Fatal(err)
	}
	v.exchange(false)
	tracks := []*remoteTrack{within(t, "track", v.tracks), within(t, "track", v.tracks)}
	for _, track := range tracks {
		within(t, "packet", track.packets)
	}
	first.up.Close()

	second, locals := showing(t, e, "b", opus, vp8)
	const far = 1_000_000
	keepSending(t, locals[0], opus, far)
	keepSending(t, locals[1], vp8, far)
	if err := v.choose(second.up.Tracks()...); err != nil {
		t.Fatalf("Select: %v", err)
	}
	for _, track := range tracks {
		var last uint16
		for n := 0; n < 20; {
			p := within(t, "packet of the other stream", track.packets)
			if number(p.Payload) >= far {
				if n > 0 && int16(p.SequenceNumber-last) <= 0 {
					t.Fatalf("number %d follows %d", p.SequenceNumber, last)
				}
				last = p.SequenceNumber
				n++
			}
		}
	}

	third, _ := showing(t, e, "c", opus, h264)
	if err := v.choose(third.up.Tracks()...); !errors.Is(err, ErrCodecChanged) {
		t.Errorf("Select of another codec = %v, want ErrCodecChanged", err)
	}
	if err := v.choose(third.up.Tracks()[0]); err != nil {
		t.Errorf("Select of sound only: %v", err)
	}
}

func TestViewGoesOnAfterAnICERestart(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p, locals := showing(t, e, "a", opus)
	v := newTestViewer(t, e, p.up, hear)
	if err := v.choose(p.up.Tracks()...); err != nil {
		t.Fatal(err)
	}
	before := v.exchange(false)
	within(t, "connection", v.connected)
	keepSending(t, locals[0], opus, 1000)
	track := within(t, "track", v.tracks)
	within(t, "packet", track.packets)
	after := v.exchange(true)
	if line := lineOf(after, "a=ice-ufrag:"); line == "" || line == lineOf(before, "a=ice-ufrag:") {
		t.Errorf("our credentials are %q as before", line)
	}
	last := track.packets
	for len(last) > 0 {
		<-last
	}
	for range 100 {
		within(t, "packet after the restart", track.packets)
	}
}

// lineOf returns the first line that begins so.
func lineOf(description, start string) string {
	for line := range strings.SplitSeq(description, "\r\n") {
		if strings.HasPrefix(line, start) {
			return line
		}
	}
	return ""
}
