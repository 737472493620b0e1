package testkit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// receiveBuffer is the longest packet that is received, in bytes.
const receiveBuffer = 1600

// Stream is a stream that a client receives.
type Stream struct {
	*peer

	ID, Label, Source, Username, Replace string

	// Guarded by the client's mu.
	tracks []*Track
	gone   bool
}

// Packet is a packet as it was received.
type Packet struct {
	Sequence    uint16
	Timestamp   uint32
	Marker      bool
	PayloadType uint8
	Payload     []byte
}

// Track is one track of a stream that a client receives.
type Track struct {
	Stream *Stream
	Remote *webrtc.TrackRemote

	mu      watched // guards the fields below
	packets []Packet
	ended   chan struct{} // closed when no more will come
}

// ErrEnded is returned when what is waited for cannot come any more.
var ErrEnded = errors.New("testkit: stream or track has ended")

// WaitStream waits for the next stream that was offered and not yet waited for.
func (c *Client) WaitStream(ctx context.Context) (*Stream, error) {
	var s *Stream
	err := c.wait(ctx, func() bool {
		if len(c.announced) == 0 {
			return false
		}
		s = c.announced[0]
		c.announced = c.announced[1:]
		return true
	})
	if err != nil {
		err = fmt.Errorf("wait for a stream: %w", err)
	}
	return s, err
}

// WaitTracks waits until the stream has at least n tracks that media came for,
// and returns them in order of appearance.
func (s *Stream) WaitTracks(ctx context.Context, n int) ([]*Track, error) {
	var tracks []*Track
	err := s.client.wait(ctx, func() bool {
		tracks = slices.Clone(s.tracks)
		return len(tracks) >= n || s.gone
	})
	if err == nil && len(tracks) < n {
		err = ErrEnded
	}
	if err != nil {
		err = fmt.Errorf("wait for track %d: %w", n, err)
	}
	return tracks, err
}

// WaitConnected waits until media can flow from the server.
func (s *Stream) WaitConnected(ctx context.Context) error {
	select {
	case <-s.connected:
		return nil
	case <-s.closed:
		return ErrEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// WaitClosed waits until the server closes or replaces the stream.
func (s *Stream) WaitClosed(ctx context.Context) error {
	return s.client.wait(ctx, func() bool { return s.gone })
}

// Abort refuses the stream.
func (s *Stream) Abort() error {
	return s.client.Send(Message{Type: "abort", ID: s.ID})
}

// WaitPackets waits until condition accepts what has been recorded, and returns
// it. The condition must not change it.
func (t *Track) WaitPackets(ctx context.Context, condition func([]Packet) bool) ([]Packet, error) {
	var packets []Packet
	err := t.mu.wait(ctx, t.ended, func() error { return ErrEnded }, func() bool {
		packets = t.packets
		return condition(packets)
	})
	return packets, err
}

// Packets returns what has been recorded so far, in order of arrival.
func (t *Track) Packets() []Packet {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.packets
}

// RequestKeyframe asks the server for a keyframe.
func (t *Track) RequestKeyframe() error {
	return t.Stream.pc.WriteRTCP([]rtcp.Packet{
		&rtcp.PictureLossIndication{MediaSSRC: uint32(t.Remote.SSRC())},
	})
}

// receive reads packets until the track ends.
func (t *Track) receive() {
	defer close(t.ended)
	buf := make([]byte, receiveBuffer)
	take := t.Stream.client.options.Packet
	if take == nil {
		take = (*Track).record
	}
	var p rtp.Packet
	for {
		n, _, err := t.Remote.Read(buf)
		if err != nil {
			return
		}
		if p.Unmarshal(buf[:n]) == nil {
			take(t, &p)
		}
	}
}

func (t *Track) record(p *rtp.Packet) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.packets = append(t.packets, Packet{
		Sequence: p.SequenceNumber, Timestamp: p.Timestamp, Marker: p.Marker,
		PayloadType: p.PayloadType, Payload: slices.Clone(p.Payload),
	})
	t.mu.announce()
}

// handleOffer answers an offer of a new stream or a changed one.
func handleOffer(c *Client, m Message) error {
	c.mu.Lock()
	s := c.streams[m.ID]
	replaced := c.streams[m.Replace]
	c.mu.Unlock()
	if replaced != nil && replaced != s {
		c.forgetStream(replaced)
	}
	fresh := s == nil
	if fresh {
		var err error
		if s, err = c.newStream(m); err != nil {
			return err
		}
	}
	if err := s.setRemote(webrtc.SDPTypeOffer, m.SDP); err != nil {
		return err
	}
	answer, err := s.pc.CreateAnswer(nil)
	if err != nil {
		return err
	}
	if err := s.describe(answer, Message{Type: "answer", ID: m.ID}); err != nil {
		return err
	}
	if fresh {
		c.mu.Lock()
		c.announced = append(c.announced, s)
		c.mu.announce()
		c.mu.Unlock()
	}
	return nil
}

// newStream makes the receiving end of an offered stream.
func (c *Client) newStream(m Message) (*Stream, error) {
	peer, err := c.newPeer(m.ID)
	if err != nil {
		return nil, err
	}
	s := &Stream{peer: peer, ID: m.ID, Label: m.Label, Source: m.Source, Replace: m.Replace}
	if m.Username != nil {
		s.Username = *m.Username
	}
	peer.pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		t := &Track{Stream: s, Remote: remote, ended: make(chan struct{})}
		c.mu.Lock()
		s.tracks = append(s.tracks, t)
		c.mu.announce()
		c.mu.Unlock()
		s.start(func() { drain(receiver) })
		if !s.start(t.receive) {
			close(t.ended)
		}
	})
	c.mu.Lock()
	c.streams[m.ID] = s
	c.mu.Unlock()
	return s, nil
}

// drain reads RTCP, which makes interceptors see it, until the receiver ends.
func drain(receiver *webrtc.RTPReceiver) {
	buf := make([]byte, receiveBuffer)
	for {
		if _, _, err := receiver.Read(buf); err != nil {
			return
		}
	}
}

// handleClose drops a stream that the server has closed.
func handleClose(c *Client, m Message) error {
	c.mu.Lock()
	s := c.streams[m.ID]
	c.mu.Unlock()
	if s != nil {
		c.forgetStream(s)
	}
	return nil
}

func (c *Client) forgetStream(s *Stream) {
	c.mu.Lock()
	if c.streams[s.ID] == s {
		delete(c.streams, s.ID)
	}
	c.mu.Unlock()
	s.close()
	c.mu.Lock()
	s.gone = true
	c.mu.announce()
	c.mu.Unlock()
}
