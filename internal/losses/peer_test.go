package losses

import (
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"galene/internal/netsim"
	"galene/internal/testkit"
	"galene/pionlog"
	"galene/rtpconn"
)

// replayWindow is how late a packet may be that is resent under its own number.
const replayWindow = 1024

// formats are the payload formats of clients, with retransmission's payload type, or 0.
var formats = []struct {
	codec       testkit.Codec
	fmtp        string
	payloadType webrtc.PayloadType
	repairType  webrtc.PayloadType
}{
	{testkit.VP8, "", 96, 97},
	{testkit.VP9, "profile-id=0", 98, 99},
	{testkit.H264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", 108, 109},
	{testkit.AV1, "", 45, 46},
	{testkit.Opus, "minptime=10;useinbandfec=1", 111, 0},
}

// parameters returns a format, and that of its retransmissions if repair is true.
func parameters(codec testkit.Codec, repair bool) (list []webrtc.RTPCodecParameters) {
	for _, f := range formats {
		if f.codec != codec {
			continue
		}
		c := webrtc.RTPCodecCapability{
			MimeType: codec.MimeType(), ClockRate: 90000, SDPFmtpLine: f.fmtp,
			RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}},
		}
		if codec == testkit.Opus {
			c.ClockRate, c.Channels, c.RTCPFeedback = 48000, 2, c.RTCPFeedback[:1]
		}
		list = append(list, webrtc.RTPCodecParameters{RTPCodecCapability: c, PayloadType: f.payloadType})
		if repair && f.repairType != 0 {
			list = append(list, webrtc.RTPCodecParameters{
				RTPCodecCapability: webrtc.RTPCodecCapability{
					MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: fmt.Sprintf("apt=%d", f.payloadType),
				},
				PayloadType: f.repairType,
			})
		}
	}
	return list
}

// peer is a client's connection over a simulated network.
type peer struct {
	pc        *webrtc.PeerConnection
	network   *netsim.Conn
	mux       *ice.UDPMuxDefault
	media     netsim.Direction
	meter     meter // of the media's direction
	connected chan struct{}
	running   sync.WaitGroup
	closed    chan struct{}

	mu        sync.Mutex // guards the fields below
	described bool
	waiting   []webrtc.ICECandidateInit // until descriptions have been exchanged
}

// leg says what a peer is and what its network does.
type leg struct {
	repair    bool // by RTX
	seed      uint64
	media     netsim.Direction // in which its media goes
	roundTrip time.Duration
	loss      float64 // from the beginning
	special
}

// special is what only some cells have.
type special struct {
	// lose, if not nil, loses packets of the media's direction.
	lose func(packet []byte) bool
	// interval is the time between video frames, if it is not the usual one.
	interval time.Duration
}

// browserFlightInterval is after how long browsers repeat a flight of DTLS at first.
const browserFlightInterval = 50 * time.Millisecond

// newPeer returns a connection with interceptors. Its network delays, and loses nothing yet.
func newPeer(t *testing.T, l leg, interceptors *interceptor.Registry) (*peer, error) {
	t.Helper()
	media := &webrtc.MediaEngine{}
	for _, f := range formats {
		for _, p := range parameters(f.codec, l.repair) {
			if err := media.RegisterCodec(p, f.codec.Kind()); err != nil {
				return nil, err
			}
		}
	}
	if err := webrtc.ConfigureRTCPReports(interceptors); err != nil {
		return nil, err
	}
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	p := &peer{media: l.media, connected: make(chan struct{}), closed: make(chan struct{})}
	delay := netsim.Conditions{Delay: l.roundTrip / 2, Loss: l.loss}
	p.network = netsim.New(socket, netsim.Options{
		Seed: l.seed, Out: delay, In: delay,
		Lose: func(d netsim.Direction, packet []byte) bool {
			if d != l.media {
				return false
			}
			p.meter.see(packet)
			return l.lose != nil && l.lose(packet)
		},
	})
	loggers := pionlog.New(slog.New(slog.DiscardHandler))
	p.mux = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: p.network, Logger: loggers.NewLogger("ice")})

	settings := webrtc.SettingEngine{LoggerFactory: loggers}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(net.IP.IsLoopback)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetICEUDPMux(p.mux)
	settings.SetDTLSRetransmissionInterval(browserFlightInterval)
	settings.SetSRTPReplayProtectionWindow(replayWindow)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(settings),
		webrtc.WithInterceptorRegistry(interceptors))
	if p.pc, err = api.NewPeerConnection(webrtc.Configuration{}); err != nil {
		return nil, err
	}
	var once sync.Once
	p.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(p.connected) })
		}
	})
	return p, nil
}

// candidate takes a candidate of the server, which may come before the description.
func (p *peer) candidate(c rtpconn.Candidate) {
	p.mu.Lock()
	described := p.described
	if !described {
		p.waiting = append(p.waiting, webrtc.ICECandidateInit(c))
	}
	p.mu.Unlock()
	if described {
		_ = p.pc.AddICECandidate(webrtc.ICECandidateInit(c)) // one of them will do
	}
}

// describe applies a description of the server.
func (p *peer) describe(kind webrtc.SDPType, sdp string) error {
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: kind, SDP: sdp}); err != nil {
		return err
	}
	p.mu.Lock()
	p.described = true
	waiting := p.waiting
	p.mu.Unlock()
	for _, c := range waiting {
		_ = p.pc.AddICECandidate(c)
	}
	return nil
}

// gather sets a local description and returns it with all candidates.
func (p *peer) gather(d webrtc.SessionDescription) (sdp string, err error) {
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(d); err != nil {
		return "", err
	}
	<-gathered
	return p.pc.LocalDescription().SDP, nil
}

// impair changes what befalls packets, in both directions. Bursts are of media: as many packets in a row of what
// little goes the other way would be seconds without any.
func (p *peer) impair(c netsim.Conditions) {
	back := c
	back.Burst = 0
	p.network.SetConditions(p.media, c)
	p.network.SetConditions(netsim.Out+netsim.In-p.media, back)
}

// close ends the connection, its network and its goroutines.
func (p *peer) close() {
	close(p.closed)
	_ = p.pc.GracefulClose()
	_ = p.mux.Close()
	_ = p.network.Close()
	p.running.Wait()
}
