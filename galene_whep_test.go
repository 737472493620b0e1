package main

import (
	"net/http"
	"slices"
	"testing"

	"github.com/pion/rtp"
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

// seen is a packet in one of a viewer's sections.
type seen struct {
	testkit.Content
	packet *rtp.Packet
}

// httpViewer is a viewer with as many sections as it likes.
type httpViewer struct {
	*httpPeer
	sections []chan seen
}

// watchSections returns a viewer that offers to receive these kinds.
func (m *meeting) watchSections(endpoint string, kinds ...webrtc.RTPCodecType) *httpViewer {
	m.t.Helper()
	v := &httpViewer{httpPeer: m.newHTTPPeer()}
	var receivers []*webrtc.RTPReceiver
	for _, kind := range kinds {
		t, err := v.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		if err != nil {
			m.t.Fatal(err)
		}
		receivers = append(receivers, t.Receiver())
		v.sections = append(v.sections, make(chan seen, 100_000))
	}
	v.pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		section := v.sections[slices.Index(receivers, receiver)]
		for {
			packet, _, err := remote.ReadRTP()
			if err != nil {
				return
			}
			if c, err := testkit.ParseContent(packet.Payload); err == nil {
				section <- seen{c, packet}
			}
		}
	})
	v.open(endpoint, true)
	v.waitConnected()
	return v
}

// see waits until a section has shown n packets of a source that begins at index, and
// returns the last one of it and, if there was one, the last one of what was
// there before.
func (v *httpViewer) see(section, n int, index uint64) (before, last *rtp.Packet) {
	v.t.Helper()
	for n > 0 {
		select {
		case p := <-v.sections[section]:
			if p.Index >= index && p.Index < index+sourceApart {
				n, last = n-1, p.packet
			} else if last == nil {
				before = p.packet
			}
		case <-v.ctx.Done():
			v.t.Fatalf("%d more packets from %d on are missing in section %d", n, index, section)
		}
	}
	return before, last
}

// sourceApart is how far apart the indices of sources begin, so that they can be told
// apart.
const sourceApart = 20_000

// sourcesAt returns sound and picture whose indices begin there.
func sourcesAt(index uint64) []*testkit.Source {
	sources := []*testkit.Source{
		testkit.NewSource(testkit.SourceOptions{Codec: testkit.Opus, Size: 100}),
		testkit.NewSource(testkit.SourceOptions{Codec: testkit.VP8, Size: 100, KeyframeEvery: 30}),
	}
	for _, s := range sources {
		for s.Made() < index {
			s.Next()
		}
	}
	return sources
}

func TestWHEPViewerWatchesEverybodyInOneConnection(t *testing.T) {
	t.Parallel()
	m := newMeeting(t, "g")
	const sound, picture = webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo
	anna, bob := m.join("g", "anna", testkit.ClientOptions{}), m.join("g", "bob", testkit.ClientOptions{})
	m.play(m.publish(anna, testkit.StreamOptions{Label: "camera", Sources: sourcesAt(0)}))
	all := m.watchSections(whepEndpoint, sound, picture, sound, picture, picture)
	small := m.watchSections(whepEndpoint, sound, picture)
	for _, section := range []int{0, 1} {
		all.see(section, 20, 0)
		small.see(section, 20, 0)
	}

	first := m.publish(bob, testkit.StreamOptions{Label: "camera", Sources: sourcesAt(sourceApart)})
	m.play(first)
	all.see(2, 20, sourceApart)
	all.see(3, 20, sourceApart)
	carl := m.join("g", "carl", testkit.ClientOptions{})
	m.play(m.publish(carl, testkit.StreamOptions{Label: "screenshare", Sources: sourcesAt(2 * sourceApart)[1:]}))
	all.see(4, 20, 2*sourceApart)
	named := m.watchSections(whepEndpoint+"?user=carl", picture)
	named.see(0, 20, 2*sourceApart)

	// Who comes in the place of somebody goes on with the same numbers.
	continues := func(v *httpViewer, section int, index uint64) {
		t.Helper()
		before, last := v.see(section, 20, index)
		if before == nil {
			return // the last packets of the one before were taken already
		}
		if last.SSRC != before.SSRC || int16(last.SequenceNumber-before.SequenceNumber) <= 0 || int32(last.Timestamp-before.Timestamp) <= 0 {
			t.Errorf("section %d goes on from source %d, number %d, time %d to source %d, number %d, time %d", section,
				before.SSRC, before.SequenceNumber, before.Timestamp, last.SSRC, last.SequenceNumber, last.Timestamp)
		}
	}
	m.play(m.publish(bob, testkit.StreamOptions{Label: "camera", Sources: sourcesAt(3 * sourceApart), Replace: first.ID}))
	continues(all, 2, 3*sourceApart)
	continues(all, 3, 3*sourceApart)
	anna.Close()
	continues(small, 0, 3*sourceApart)
	continues(small, 1, 3*sourceApart)
	dora := m.join("g", "dora", testkit.ClientOptions{})
	m.play(m.publish(dora, testkit.StreamOptions{Label: "camera", Sources: sourcesAt(4 * sourceApart)}))
	continues(all, 0, 4*sourceApart)
	continues(all, 1, 4*sourceApart)
	for _, v := range []*httpViewer{all, small, named} {
		v.waitSession(http.StatusOK)
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
