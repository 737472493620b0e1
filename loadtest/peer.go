package loadtest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
)

// Payload types, as browsers choose them.
const (
	videoType = 96
	audioType = 111
)

// gatherTimeout is how long finding out the local addresses may take.
const gatherTimeout = 5 * time.Second

// maxPacket is the longest datagram that is expected, in octets.
const maxPacket = 1600

// maxEarly is how many of the server's candidates are kept before its description has come.
const maxEarly = 64

var (
	videoCodec = webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeVP8, ClockRate: videoClock,
			RTCPFeedback: []webrtc.RTCPFeedback{
				{Type: "goog-remb"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"},
			},
		},
		PayloadType: videoType,
	}
	audioCodec = webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: audioClock, Channels: 2,
			SDPFmtpLine: "minptime=10;useinbandfec=1",
		},
		PayloadType: audioType,
	}
)

// peers makes peer connections. It is immutable.
type peers struct {
	media       *webrtc.MediaEngine // copied for each connection
	settings    webrtc.SettingEngine
	certificate webrtc.Certificate
	poller      *poller
}

func newPeers(certificate webrtc.Certificate, poller *poller) (*peers, error) {
	media := new(webrtc.MediaEngine)
	err := errors.Join(
		media.RegisterCodec(videoCodec, webrtc.RTPCodecTypeVideo),
		media.RegisterCodec(audioCodec, webrtc.RTPCodecTypeAudio),
	)
	if err != nil {
		return nil, err
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	settings := webrtc.SettingEngine{LoggerFactory: quiet}
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	settings.DisableActiveTCP(true)
	settings.SetIncludeLoopbackCandidate(true) // the poller knows
	settings.SetReceiveMTU(maxPacket)
	settings.SetFireOnTrackBeforeFirstRTP(true)
	// One packet in many is decrypted, so what is not must not count as missing.
	settings.DisableSRTPReplayProtection(true)
	settings.SetSRTPProtectionProfiles(
		dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80,
	)
	if err := settings.SetAnsweringDTLSRole(webrtc.DTLSRoleClient); err != nil {
		return nil, err
	}
	return &peers{media: media, settings: settings, certificate: certificate, poller: poller}, nil
}

// peer is one peer connection, on a port of its own.
type peer struct {
	// Immutable.
	pc       *webrtc.PeerConnection
	port     port
	receiver receiver // nil if Pion is to have everything

	running sync.WaitGroup // goroutines that read from pc; they end with it

	mu      sync.Mutex // guards the fields below
	closing bool       // no goroutine may be started

	// Owned by the client's reader.
	early []webrtc.ICECandidateInit // the server's candidates, before its description
}

// open returns a connection. Packets that the receiver takes, if there is one, are kept from Pion.
func (ps *peers) open(interceptors *interceptor.Registry, rx receiver) (*peer, error) {
	port, err := ps.poller.listen()
	if err != nil {
		return nil, err
	}
	settings := ps.settings
	settings.SetICEUDPMux(port)
	api := webrtc.NewAPI(
		webrtc.WithSettingEngine(settings),
		webrtc.WithMediaEngine(ps.media),
		webrtc.WithInterceptorRegistry(interceptors),
	)
	pc, err := api.NewPeerConnection(webrtc.Configuration{Certificates: []webrtc.Certificate{ps.certificate}})
	if err != nil {
		_ = port.Close()
		return nil, err
	}
	return &peer{pc: pc, port: port, receiver: rx}, nil
}

// senderInterceptors are what a publisher needs: retransmission and sender reports.
func senderInterceptors() (*interceptor.Registry, error) {
	responder, err := nack.NewResponderInterceptor()
	if err != nil {
		return nil, err
	}
	reports, err := report.NewSenderInterceptor()
	if err != nil {
		return nil, err
	}
	registry := new(interceptor.Registry)
	registry.Add(responder)
	registry.Add(reports)
	return registry, nil
}

// describe sets a local description and returns it with all candidates.
func (p *peer) describe(d webrtc.SessionDescription) (sdp string, err error) {
	if p.receiver != nil {
		p.port.attach(userFragment(d.SDP), p.receiver)
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(d); err != nil {
		return "", err
	}
	select {
	case <-gathered:
		return p.pc.LocalDescription().SDP, nil
	case <-time.After(gatherTimeout):
		return "", fmt.Errorf("no local address after %v", gatherTimeout)
	}
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
	if p.pc.RemoteDescription() != nil {
		return p.pc.AddICECandidate(candidate)
	}
	if len(p.early) == maxEarly {
		return errors.New("too many candidates without a description")
	}
	p.early = append(p.early, candidate)
	return nil
}

// start runs f on a goroutine of the peer's, unless that is being closed.
func (p *peer) start(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closing {
		p.running.Go(f)
	}
}

// close closes the connection and its port and awaits its goroutines.
func (p *peer) close() {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	_ = p.pc.GracefulClose()
	_ = p.port.Close()
	p.running.Wait()
}
