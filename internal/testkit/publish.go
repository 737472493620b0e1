package testkit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// StreamOptions configure a [Publication].
type StreamOptions struct {
	ID      string // stream id; random if empty
	Label   string // "camera" if empty
	Replace string // id of an own stream that this one supersedes
	Sources []*Source
	// Interval is the time between frames when they are played; that of the
	// codec if 0. Timestamps do not depend on it.
	Interval time.Duration
	// Hold, if not nil, delays each frame that is played while it returns true,
	// for up to a twentieth of a second: so a test that must not lose anything
	// keeps no more under way than sockets have room for.
	Hold func() bool
}

const (
	holdLimit = 50 * time.Millisecond
	holdPoll  = time.Millisecond
)

// Publication is a stream that a client sends.
type Publication struct {
	*peer

	ID      string
	Tracks  []*OutTrack
	options StreamOptions

	// Guarded by the client's mu.
	answered bool
	aborted  bool
}

// OutTrack is one track of a publication.
type OutTrack struct {
	Source *Source

	local  *webrtc.TrackLocalStaticRTP
	sender *webrtc.RTPSender
	asked  atomic.Uint64
}

// ErrAborted is returned when the server refused or ended a publication.
var ErrAborted = errors.New("testkit: stream was aborted by the server")

// Publish offers a stream and returns when the server has answered. The stream
// ends with the client, or when it is closed or aborted.
func (c *Client) Publish(ctx context.Context, o StreamOptions) (*Publication, error) {
	if o.ID == "" {
		o.ID = randomID()
	}
	if o.Label == "" {
		o.Label = "camera"
	}
	peer, err := c.newPeer(o.ID)
	if err != nil {
		return nil, err
	}
	p := &Publication{peer: peer, ID: o.ID, options: o}
	if err := p.addTracks(o.Sources); err != nil {
		peer.close()
		return nil, err
	}
	c.mu.Lock()
	c.publications[o.ID] = p
	c.mu.Unlock()
	m := Message{Type: "offer", ID: o.ID, Label: o.Label, Replace: o.Replace, Source: c.id}
	if err := p.offer(m, nil); err != nil {
		c.forgetPublication(p)
		return nil, fmt.Errorf("publish: %w", err)
	}
	err = c.wait(ctx, func() bool { return p.answered || p.aborted })
	if err == nil && p.wasAborted() {
		err = ErrAborted
	}
	if err == nil && o.Replace != "" {
		c.retire(o.Replace)
	}
	return p, err
}

// addTracks makes a track for each source, in its codec only, so that the server
// need not wait for media to know what will be sent.
func (p *Publication) addTracks(sources []*Source) error {
	for i, source := range sources {
		id := fmt.Sprintf("track%d", i)
		codec := properties[source.Codec()]
		local, err := webrtc.NewTrackLocalStaticRTP(codec.capability, id, p.ID)
		if err != nil {
			return err
		}
		transceiver, err := p.pc.AddTransceiverFromTrack(local,
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return err
		}
		only := webrtc.RTPCodecParameters{RTPCodecCapability: codec.capability, PayloadType: codec.payloadType}
		if err := transceiver.SetCodecPreferences([]webrtc.RTPCodecParameters{only}); err != nil {
			return err
		}
		t := &OutTrack{Source: source, local: local, sender: transceiver.Sender()}
		p.Tracks = append(p.Tracks, t)
		p.start(t.heed)
	}
	return nil
}

func (p *Publication) offer(m Message, o *webrtc.OfferOptions) error {
	offer, err := p.pc.CreateOffer(o)
	if err != nil {
		return err
	}
	return p.describe(offer, m)
}

func (p *Publication) wasAborted() bool {
	p.client.mu.Lock()
	defer p.client.mu.Unlock()
	return p.aborted
}

// WaitConnected waits until media can flow to the server.
func (p *Publication) WaitConnected(ctx context.Context) error {
	select {
	case <-p.connected:
		return nil
	case <-p.closed:
		return ErrAborted
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Closed is closed when the publication has ended, on either side.
func (p *Publication) Closed() <-chan struct{} { return p.closed }

// WaitAborted waits until the server ends the publication.
func (p *Publication) WaitAborted(ctx context.Context) error {
	return p.client.wait(ctx, func() bool { return p.aborted })
}

// Play sends the frames of all tracks at their pace until ctx or the
// publication ends.
func (p *Publication) Play(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var errs []error
	var mu sync.Mutex // guards errs
	var playing sync.WaitGroup
	for _, t := range p.Tracks {
		playing.Go(func() {
			if err := p.play(ctx, t); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
				cancel()
			}
		})
	}
	playing.Wait()
	return errors.Join(errs...)
}

// play sends one track. Time that is lost is not made up for by sending faster.
func (p *Publication) play(ctx context.Context, t *OutTrack) error {
	next, interval := time.Now(), p.options.Interval
	if interval == 0 {
		interval = t.Source.Codec().FrameDuration()
	}
	for {
		p.hold()
		if err := t.SendFrame(); err != nil {
			select {
			case <-p.closed: // that is why
				return nil
			default:
				return err
			}
		}
		next = next.Add(interval)
		if now := time.Now(); next.Before(now) {
			next = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-p.closed:
			return nil
		case <-time.After(time.Until(next)):
		}
	}
}

func (p *Publication) hold() {
	if p.options.Hold == nil {
		return
	}
	for end := time.Now().Add(holdLimit); p.options.Hold() && time.Now().Before(end); {
		time.Sleep(holdPoll)
	}
}

// SendFrame sends the next frame of the track's source at once.
func (t *OutTrack) SendFrame() error {
	for _, packet := range t.Source.Next() {
		if err := t.local.WriteRTP(packet); err != nil {
			return fmt.Errorf("send packet %d: %w", packet.SequenceNumber, err)
		}
	}
	return nil
}

// KeyframeRequests is how often the server asked for a keyframe.
func (t *OutTrack) KeyframeRequests() uint64 { return t.asked.Load() }

// heed makes the keyframes that the server asks for, until the track ends.
func (t *OutTrack) heed() {
	for {
		packets, _, err := t.sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			switch packet.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				t.asked.Add(1)
				t.Source.RequestKeyframe()
			}
		}
	}
}

// Close ends the publication and tells the server.
func (p *Publication) Close() error {
	p.client.forgetPublication(p)
	return p.client.Send(Message{Type: "close", ID: p.ID})
}

// retire closes an own stream that another one has replaced.
func (c *Client) retire(id string) {
	c.mu.Lock()
	p := c.publications[id]
	c.mu.Unlock()
	if p != nil {
		c.forgetPublication(p)
	}
}

// forgetPublication closes p and takes it out of the client.
func (c *Client) forgetPublication(p *Publication) {
	c.mu.Lock()
	if c.publications[p.ID] == p {
		delete(c.publications, p.ID)
	}
	c.mu.Unlock()
	p.close()
}

func (c *Client) publication(id string) *Publication {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.publications[id]
}

// handleAnswer completes the negotiation of a publication.
func handleAnswer(c *Client, m Message) error {
	p := c.publication(m.ID)
	if p == nil {
		return nil // closed in the meantime
	}
	if err := p.setRemote(webrtc.SDPTypeAnswer, m.SDP); err != nil {
		return err
	}
	c.mu.Lock()
	p.answered = true
	c.mu.announce()
	c.mu.Unlock()
	return nil
}

// handleRenegotiate offers a publication again, with new ICE credentials.
func handleRenegotiate(c *Client, m Message) error {
	p := c.publication(m.ID)
	if p == nil {
		return nil
	}
	return p.offer(Message{Type: "offer", ID: p.ID, Source: c.id}, &webrtc.OfferOptions{ICERestart: true})
}

// handleAbort drops a publication and confirms it.
func handleAbort(c *Client, m Message) error {
	if p := c.publication(m.ID); p != nil {
		c.forgetPublication(p)
		c.mu.Lock()
		p.aborted = true
		c.mu.announce()
		c.mu.Unlock()
	}
	return c.Send(Message{Type: "close", ID: m.ID})
}
