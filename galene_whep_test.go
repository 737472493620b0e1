package main

import (
	"net/http"
	"testing"

	"github.com/pion/webrtc/v4"

	"galene/internal/testkit"
)

// viewed is a track that a viewer receives over HTTP.
type viewed struct {
	kind     webrtc.RTPCodecType
	contents chan testkit.Content
}

// watchHTTP returns a viewer of an endpoint, and its tracks.
func (m *meeting) watchHTTP(endpoint string, complete bool) (*httpPeer, []*viewed) {
	m.t.Helper()
	p := m.newHTTPPeer()
	kinds := []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo}
	tracks := make(chan *viewed, len(kinds))
	p.pc.OnTrack(func(remote *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		v := &viewed{remote.Kind(), make(chan testkit.Content, 100_000)}
		tracks <- v
		for {
			packet, _, err := remote.ReadRTP()
			if err != nil {
				return
			}
			if c, err := testkit.ParseContent(packet.Payload); err == nil {
				v.contents <- c
			}
		}
	})
	for _, kind := range kinds {
		_, err := p.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		if err != nil {
			m.t.Fatal(err)
		}
	}
	p.open(endpoint, complete)
	if !complete {
		p.trickle()
	}
	p.waitConnected()
	var found []*viewed
	for range kinds {
		select {
		case v := <-tracks:
			found = append(found, v)
		case <-m.ctx.Done():
			m.t.Fatalf("%d tracks, want %d", len(found), len(kinds))
		}
	}
	return p, found
}

// wait waits for n packets whose index is at least that.
func (m *meeting) wait(v *viewed, n int, index uint64) {
	m.t.Helper()
	for n > 0 {
		select {
		case c := <-v.contents:
			if c.Index >= index {
				n--
			}
		case <-m.ctx.Done():
			m.t.Fatalf("%d more packets of %v are missing", n, v.kind)
		}
	}
}

const whepEndpoint = "/group/g/.whep"

func TestWHEPViewerSeesAMember(t *testing.T) {
	t.Parallel()
	for _, complete := range []bool{true, false} {
		m := newMeeting(t, "g")
		anna := m.watch("g", "anna", testkit.ClientOptions{})
		sound := testkit.NewSource(testkit.SourceOptions{Codec: testkit.Opus})
		picture := testkit.NewSource(testkit.SourceOptions{Codec: testkit.H264})
		m.play(m.publish(anna, testkit.StreamOptions{Sources: []*testkit.Source{sound, picture}}))
		p, tracks := m.watchHTTP(whepEndpoint+"?user=anna", complete)
		for _, v := range tracks {
			m.wait(v, 50, 0)
		}
		p.restart()
		for _, v := range tracks {
			m.wait(v, 20, max(sound.Made(), picture.Made())+50)
		}
		if response, _ := p.request("DELETE", p.location, "", ""); response.StatusCode != http.StatusOK {
			t.Errorf("DELETE: status %d", response.StatusCode)
		}
		p.waitSession(http.StatusNotFound)
	}
}

func TestWHEPViewerFollowsAReplacedStream(t *testing.T) {
	t.Parallel()
	m := newMeeting(t, "g")
	anna := m.join("g", "anna", testkit.ClientOptions{})
	// Indices tell the streams apart: the second begins far beyond the first.
	sources := func(skip int) []*testkit.Source {
		sound := testkit.NewSource(testkit.SourceOptions{Codec: testkit.Opus})
		picture := testkit.NewSource(testkit.SourceOptions{Codec: testkit.VP8, KeyframeEvery: 30})
		for sound.Made() < uint64(skip) {
			sound.Next()
		}
		for picture.Made() < uint64(skip) {
			picture.Next()
		}
		return []*testkit.Source{sound, picture}
	}
	first := m.publish(anna, testkit.StreamOptions{Sources: sources(0)})
	m.play(first)
	p, tracks := m.watchHTTP(whepEndpoint, true)
	for _, v := range tracks {
		m.wait(v, 20, 0)
	}
	const far = 90_000
	m.play(m.publish(anna, testkit.StreamOptions{Sources: sources(far), Replace: first.ID}))
	for _, v := range tracks {
		m.wait(v, 20, far)
	}
	p.waitSession(http.StatusOK)
}

func TestWHEPViewerSeesAWHIPPublisher(t *testing.T) {
	t.Parallel()
	m := newMeeting(t, "g")
	publisher := m.newHTTPPeer()
	publisher.send(testkit.NewSource(testkit.SourceOptions{Codec: testkit.Opus}))
	publisher.send(testkit.NewSource(testkit.SourceOptions{Codec: testkit.VP8}))
	publisher.open(whipEndpoint, true)
	publisher.waitConnected()
	viewer, tracks := m.watchHTTP(whepEndpoint, false)
	for _, v := range tracks {
		m.wait(v, 50, 0)
	}
	if err := viewer.pc.Close(); err != nil {
		t.Fatal(err)
	}
	viewer.waitSession(http.StatusNotFound)
	publisher.waitSession(http.StatusOK)
}
