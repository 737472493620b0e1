package losses

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"galene/internal/netsim"
	"galene/internal/testkit"
	"galene/rtpconn"
)

// framePackets is how many packets a video frame has.
const framePackets = 3

// publisher is a client that publishes one track in each codec. It answers requests for lost packets
// from a cache, on a source of its own if that is negotiated or else with the same bytes, and those
// for a keyframe by the next frame.
type publisher struct {
	*peer

	up     *rtpconn.Up
	begun  time.Time
	tracks []*outTrack
}

// outTrack is a track of a publisher.
type outTrack struct {
	source   *testkit.Source
	local    *webrtc.TrackLocalStaticRTP
	sender   *webrtc.RTPSender
	interval time.Duration // between frames

	requested, keyframes atomic.Int64 // packets and keyframes that the server asked for

	mu   sync.Mutex // guards sent
	sent []time.Duration
}

// newPublisher connects a publisher to an engine. Times count from begun.
func newPublisher(t *testing.T, e *rtpconn.Engine, l leg, begun time.Time) (*publisher, error) {
	t.Helper()
	responder, err := nack.NewResponderInterceptor()
	if err != nil {
		return nil, err
	}
	interceptors := &interceptor.Registry{}
	interceptors.Add(responder)
	l.media = netsim.Out
	p := &publisher{begun: begun}
	if p.peer, err = newPeer(t, l, interceptors); err != nil {
		return nil, err
	}
	for _, codec := range testkit.Codecs() {
		if err := p.add(codec, l); err != nil {
			return p, fmt.Errorf("%v: %w", codec, err)
		}
	}
	p.up, err = e.NewUp(rtpconn.UpConfig{
		ID: fmt.Sprintf("stream%d", l.seed), Label: "camera", Codecs: []string{"vp8", "vp9", "h264", "av1", "opus"},
		Events: rtpconn.Events{Candidate: p.candidate},
	})
	if err != nil {
		return p, err
	}
	offer, err := p.pc.CreateOffer(nil)
	if err != nil {
		return p, err
	}
	sdp, err := p.gather(offer)
	if err != nil {
		return p, err
	}
	answer, err := p.up.Offer(sdp)
	if err != nil {
		return p, err
	}
	return p, p.describe(webrtc.SDPTypeAnswer, answer)
}

// add adds a track.
func (p *publisher) add(codec testkit.Codec, l leg) error {
	name := codec.String()
	formats := parameters(codec, l.repair)
	local, err := webrtc.NewTrackLocalStaticRTP(formats[0].RTPCodecCapability, name, "stream")
	if err != nil {
		return err
	}
	transceiver, err := p.pc.AddTransceiverFromTrack(local,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return err
	}
	if err := transceiver.SetCodecPreferences(formats); err != nil {
		return err
	}
	t := &outTrack{
		source: testkit.NewSource(testkit.SourceOptions{Codec: codec, Packets: framePackets, Sequence: 65000}),
		local:  local, sender: transceiver.Sender(), interval: codec.FrameDuration(),
	}
	if codec != testkit.Opus && l.interval != 0 {
		t.interval = l.interval
	}
	p.tracks = append(p.tracks, t)
	p.running.Go(t.heed)
	return nil
}

// heed takes what the server asks for, until the track ends.
func (t *outTrack) heed() {
	for {
		packets, _, err := t.sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			switch p := packet.(type) {
			case *rtcp.TransportLayerNack:
				for i := range p.Nacks {
					t.requested.Add(int64(len(p.Nacks[i].PacketList())))
				}
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				t.keyframes.Add(1)
				t.source.RequestKeyframe()
			}
		}
	}
}

// play sends all tracks until the publisher is closed.
func (p *publisher) play() {
	for _, t := range p.tracks {
		p.running.Go(func() { p.send(t) })
	}
}

// send sends a track. Time that the machine has lost is made up for.
func (p *publisher) send(t *outTrack) {
	ticker := time.NewTicker(t.interval)
	defer ticker.Stop()
	for {
		select {
		case <-p.closed:
			return
		case <-ticker.C:
		}
		packets := t.source.Next()
		t.mu.Lock()
		t.sent = append(t.sent, time.Since(p.begun))
		t.mu.Unlock()
		for _, packet := range packets {
			if t.local.WriteRTP(packet) != nil {
				return
			}
		}
	}
}

// frames returns how many frames have been sent.
func (t *outTrack) frames() uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return uint32(len(t.sent))
}

// times returns when frames were sent, from first to before end.
func (t *outTrack) times(first, end uint32) []time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sent[first:end:end]
}

// sources returns the track's SSRC, and that of its retransmissions.
func (t *outTrack) sources() (ssrc, repair uint32) {
	encoding := t.sender.GetParameters().Encodings[0]
	return uint32(encoding.SSRC), uint32(encoding.RTX.SSRC)
}

// end closes the publisher on both sides. Parts of it may never have been made.
func (p *publisher) end() {
	if p == nil || p.peer == nil {
		return
	}
	p.close()
	if p.up != nil {
		p.up.Close()
	}
}
