package main

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/ice/v4"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// newPeer returns a browser's side of a connection.
func newPeer(t *testing.T) *webrtc.PeerConnection {
	t.Helper()
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	media := new(webrtc.MediaEngine)
	if err := media.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	peer, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings), webrtc.WithMediaEngine(media)).
		NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.GracefulClose() })
	return peer
}

// complete sets a local description and returns it with all candidates.
func complete(t *testing.T, peer *webrtc.PeerConnection, description webrtc.SessionDescription) string {
	t.Helper()
	gathered := webrtc.GatheringCompletePromise(peer)
	if err := peer.SetLocalDescription(description); err != nil {
		t.Fatal(err)
	}
	<-gathered
	return peer.LocalDescription().SDP
}

// streamMessage is a message about a stream.
type streamMessage struct {
	Type      string                   `json:"type"`
	Kind      string                   `json:"kind,omitempty"`
	ID        string                   `json:"id,omitempty"`
	Label     string                   `json:"label,omitempty"`
	SDP       string                   `json:"sdp,omitempty"`
	Candidate *webrtc.ICECandidateInit `json:"candidate,omitempty"`
	Request   map[string][]string      `json:"request,omitempty"`
	Value     any                      `json:"value,omitempty"`
}

func (s session) signal(t *testing.T, m streamMessage) {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	s.send(t, string(data))
}

// negotiate does for peer what the server says about streams, until the
// connection ends.
func (s session) negotiate(t *testing.T, peer *webrtc.PeerConnection, done chan<- struct{}) {
	t.Helper()
	defer close(done)
	var early []webrtc.ICECandidateInit
	for {
		_ = s.SetReadDeadline(time.Now().Add(patience))
		var m streamMessage
		if err := s.ReadJSON(&m); err != nil {
			return
		}
		kind := map[string]webrtc.SDPType{"offer": webrtc.SDPTypeOffer, "answer": webrtc.SDPTypeAnswer}[m.Type]
		switch m.Type {
		case "abort":
			t.Errorf("the server refused stream %q", m.ID)
		case "ping":
			_ = s.WriteMessage(websocket.TextMessage, []byte(`{"type": "pong"}`))
		case "ice":
			if peer.RemoteDescription() == nil {
				early = append(early, *m.Candidate)
			} else if err := peer.AddICECandidate(*m.Candidate); err != nil {
				t.Errorf("add candidate: %v", err)
			}
		case "offer", "answer":
			if err := peer.SetRemoteDescription(webrtc.SessionDescription{Type: kind, SDP: m.SDP}); err != nil {
				t.Errorf("set %s: %v\n%s", m.Type, err, m.SDP)
				return
			}
			for _, candidate := range early {
				_ = peer.AddICECandidate(candidate)
			}
			early = nil
			if m.Type == "offer" {
				answer, err := peer.CreateAnswer(nil)
				if err != nil {
					t.Errorf("answer: %v", err)
					return
				}
				s.signal(t, streamMessage{Type: "answer", ID: m.ID, SDP: complete(t, peer, answer)})
			}
		}
	}
}

func TestMediaReachesTheOtherMembers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		flags []string
	}{
		{"on one port", nil},
		{"on a range of ports", []string{"-udp-range", "20000-60000"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, flags := place(t)
			p := launch(t, slices.Concat(flags, []string{"-insecure", "-http", "127.0.0.1:0"}, tt.flags)...)
			endpoint := "ws://" + p.address(t) + "/ws"

			// A subscriber, who wants everything.
			subscriber, received := newPeer(t), make(chan byte, 1)
			subscriber.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
				packet, _, err := track.ReadRTP()
				if err == nil {
					received <- packet.Payload[0]
				}
			})
			alice := dial(t, endpoint)
			alice.join(t, "room", "alice", "")
			alice.signal(t, streamMessage{Type: "request", Request: map[string][]string{"": {"audio", "video"}}})
			aliceDone := make(chan struct{})
			go alice.negotiate(t, subscriber, aliceDone)

			// A publisher, who sends until the subscriber hears.
			publisher := newPeer(t)
			track, err := webrtc.NewTrackLocalStaticRTP(
				webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "audio", "stream")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := publisher.AddTransceiverFromTrack(track,
				webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
				t.Fatal(err)
			}
			bob := dial(t, endpoint)
			bob.join(t, "room", "bob", "")
			offer, err := publisher.CreateOffer(nil)
			if err != nil {
				t.Fatal(err)
			}
			bob.signal(t, streamMessage{Type: "offer", ID: "camera-of-bob", Label: "camera", SDP: complete(t, publisher, offer)})
			bobDone := make(chan struct{})
			go bob.negotiate(t, publisher, bobDone)

			listen(t, track, received)
			p.stop(t)
			<-aliceDone
			<-bobDone
		})
	}
}

// listen sends packets until one is received.
func listen(t *testing.T, track *webrtc.TrackLocalStaticRTP, received <-chan byte) {
	t.Helper()
	const mark = 0x5a
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	timeout := time.After(patience)
	for n := uint16(0); ; n++ {
		select {
		case <-timeout:
			t.Fatal("no packet has reached the subscriber")
		case got := <-received:
			if got != mark {
				t.Errorf("the payload that was received starts with %#x, want %#x", got, mark)
			}
			return
		case <-ticks.C:
			packet := &rtp.Packet{
				Header:  rtp.Header{Version: 2, SequenceNumber: n, Timestamp: uint32(n) * 960},
				Payload: []byte{mark, 1, 2, 3},
			}
			if err := track.WriteRTP(packet); err != nil {
				t.Fatal(err)
			}
		}
	}
}
