package testkit

import (
	"fmt"
	"net"
	"sync"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
)

// newAPI returns what makes a client's peer connections on a network, as
// [ClientOptions] has it: loopback only, with reports and retransmission.
func newAPI(network string) (*webrtc.API, error) {
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(net.IP.IsLoopback)
	switch network {
	case "tcp":
		settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	case "relay": // on which TURN may be spoken over TCP
		settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeTCP4})
	default:
		settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	}
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)

	media := new(webrtc.MediaEngine)
	for _, codec := range Codecs() {
		p := properties[codec]
		err := media.RegisterCodec(
			webrtc.RTPCodecParameters{RTPCodecCapability: p.capability, PayloadType: p.payloadType}, codec.Kind())
		if err != nil {
			return nil, fmt.Errorf("register %v: %w", codec, err)
		}
	}
	registry := new(interceptor.Registry)
	if err := webrtc.ConfigureNack(media, registry); err != nil {
		return nil, err
	}
	if err := webrtc.ConfigureRTCPReports(registry); err != nil {
		return nil, err
	}
	return webrtc.NewAPI(
		webrtc.WithSettingEngine(settings),
		webrtc.WithMediaEngine(media),
		webrtc.WithInterceptorRegistry(registry),
	), nil
}

// peer is one peer connection of a client, with what trickling ICE needs.
type peer struct {
	client *Client
	id     string // of the stream
	pc     *webrtc.PeerConnection

	connected chan struct{} // closed when media can flow
	closed    chan struct{} // closed when the stream has ended
	connects  sync.Once
	closes    sync.Once

	running sync.WaitGroup // goroutines that read from pc; they end with it

	mu        sync.Mutex                // guards the fields below
	closing   bool                      // no goroutine may be started
	described bool                      // candidates may be sent
	waiting   []webrtc.ICECandidateInit // gathered before that

	// Owned by the client's reader.
	early []webrtc.ICECandidateInit // received before the remote description
}

func (c *Client) newPeer(id string) (*peer, error) {
	var configuration webrtc.Configuration
	if c.options.Network == "relay" {
		c.mu.Lock()
		configuration.ICEServers = c.servers
		c.mu.Unlock()
		configuration.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	pc, err := c.api.NewPeerConnection(configuration)
	if err != nil {
		return nil, err
	}
	p := &peer{client: c, id: id, pc: pc, connected: make(chan struct{}), closed: make(chan struct{})}
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			p.connects.Do(func() { close(p.connected) })
		}
	})
	if c.options.Trickle {
		pc.OnICECandidate(p.gathered)
	}
	return p, nil
}

// gathered sends a candidate, or keeps it until the description was sent.
func (p *peer) gathered(candidate *webrtc.ICECandidate) {
	if candidate == nil {
		return
	}
	init := candidate.ToJSON()
	p.mu.Lock()
	described := p.described
	if !described {
		p.waiting = append(p.waiting, init)
	}
	p.mu.Unlock()
	if described {
		p.sendCandidates([]webrtc.ICECandidateInit{init})
	}
}

func (p *peer) sendCandidates(candidates []webrtc.ICECandidateInit) {
	for i := range candidates {
		// An error means that the connection has ended, which its reader sees.
		_ = p.client.Send(Message{Type: "ice", ID: p.id, Candidate: &candidates[i]})
	}
}

// describe sets a local description and sends it in message m.
func (p *peer) describe(d webrtc.SessionDescription, m Message) error {
	complete := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(d); err != nil {
		return err
	}
	if p.client.options.Trickle {
		m.SDP = d.SDP
	} else {
		select {
		case <-complete:
		case <-p.closed:
			return ErrEnded
		}
		m.SDP = p.pc.LocalDescription().SDP
	}
	if err := p.client.Send(m); err != nil {
		return err
	}
	p.mu.Lock()
	p.described = true
	waiting := p.waiting
	p.waiting = nil
	p.mu.Unlock()
	p.sendCandidates(waiting)
	return nil
}

// setRemote sets a remote description and adds the candidates that were early.
func (p *peer) setRemote(kind webrtc.SDPType, sdp string) error {
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: kind, SDP: sdp}); err != nil {
		return err
	}
	early := p.early
	p.early = nil
	for _, candidate := range early {
		if err := p.pc.AddICECandidate(candidate); err != nil {
			return err
		}
	}
	return nil
}

func (p *peer) addCandidate(candidate webrtc.ICECandidateInit) error {
	if p.pc.RemoteDescription() == nil {
		p.early = append(p.early, candidate)
		return nil
	}
	return p.pc.AddICECandidate(candidate)
}

// start runs f on a goroutine of the peer's, unless that is being closed.
func (p *peer) start(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closing {
		p.running.Go(f)
	}
	return !p.closing
}

// close closes the peer connection and awaits its goroutines. It is
// idempotent.
func (p *peer) close() {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	p.closes.Do(func() { close(p.closed) })
	_ = p.pc.GracefulClose()
	p.running.Wait()
}

// handleCandidate adds a candidate to the stream it is for.
func handleCandidate(c *Client, m Message) error {
	p := c.peer(m.ID)
	if p == nil || m.Candidate == nil {
		return nil // closed in the meantime
	}
	return p.addCandidate(*m.Candidate)
}

// peer returns the connection of a stream in either direction, or nil.
func (c *Client) peer(id string) *peer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.publications[id]; p != nil {
		return p.peer
	}
	if s := c.streams[id]; s != nil {
		return s.peer
	}
	return nil
}
