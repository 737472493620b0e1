package loadtest

import (
	"fmt"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// The kinds of stream that each publisher has; the number of a stream is twice the publisher's plus its kind.
const (
	kindVideo = 0
	kindAudio = 1
)

// publication is the stream that a client sends.
type publication struct {
	*peer

	run     *run
	number  int // of the publisher
	sources []*source
	begin   sync.Once
}

// publish offers a stream.
func (c *client) publish() error {
	interceptors, err := senderInterceptors()
	if err != nil {
		return err
	}
	peer, err := c.run.peers.open(interceptors, nil)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	p := &publication{peer: peer, run: c.run, number: c.publisher}
	c.publication = p
	if err := p.addTracks(c.id); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	p.pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			p.begin.Do(p.play)
		case webrtc.PeerConnectionStateFailed:
			c.run.failures.add("a publisher's connection has failed")
		default:
		}
	})
	return c.offer(nil)
}

// offer sends an offer of the publication.
func (c *client) offer(o *webrtc.OfferOptions) error {
	offer, err := c.publication.pc.CreateOffer(o)
	if err != nil {
		return err
	}
	sdp, err := c.publication.describe(offer)
	if err != nil {
		return err
	}
	return c.send(&message{Type: "offer", ID: c.streamID(), Label: "camera", Source: c.id, SDP: sdp})
}

// addTracks makes a source for each kind that is to be sent.
func (p *publication) addTracks(stream string) error {
	if p.run.scenario.Audio {
		track, err := p.addTrack(audioCodec, "audio", stream)
		if err != nil {
			return err
		}
		p.sources = append(p.sources, p.run.newAudio(uint32(2*p.number+kindAudio), track, p.port))
	}
	if p.run.scenario.Video == 0 {
		return nil
	}
	track, err := p.addTrack(videoCodec, "video", stream)
	if err != nil {
		return err
	}
	p.sources = append(p.sources, p.run.newVideo(uint32(2*p.number+kindVideo), track, p.port))
	return nil
}

func (p *publication) addTrack(codec webrtc.RTPCodecParameters, name, stream string) (*webrtc.TrackLocalStaticRTP, error) {
	track, err := webrtc.NewTrackLocalStaticRTP(codec.RTPCodecCapability, name, stream)
	if err != nil {
		return nil, err
	}
	transceiver, err := p.pc.AddTransceiverFromTrack(track,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return nil, err
	}
	if err := transceiver.SetCodecPreferences([]webrtc.RTPCodecParameters{codec}); err != nil {
		return nil, err
	}
	sender := transceiver.Sender()
	p.start(func() { p.heed(sender) })
	return track, nil
}

// play makes the sources play, each publisher's at a time of its own within the frame.
func (p *publication) play() {
	p.run.connected.Add(1)
	all := max(p.run.scenario.Groups*p.run.scenario.Publishers, 1)
	for _, s := range p.sources {
		phase := s.interval * time.Duration(p.number) / time.Duration(all)
		p.run.player.add(s, p.run.start.Add(time.Since(p.run.start).Truncate(s.interval)+s.interval+phase))
	}
}

// heed makes the keyframes that the server asks for, until the track ends. The interceptors answer the rest.
func (p *publication) heed(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			switch packet.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				for _, s := range p.sources {
					s.wanted.Store(true)
				}
			}
		}
	}
}

// close ends the sources and the connection.
func (p *publication) close() {
	for _, s := range p.sources {
		s.closed.Store(true)
	}
	p.peer.close()
}
