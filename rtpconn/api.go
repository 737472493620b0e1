package rtpconn

import (
	"fmt"
	"strings"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/transport/v4/stdnet"
	"github.com/pion/webrtc/v4"

	"galene/codecs"
	"galene/pionlog"
)

// srtpReplayWindow is how many packets back a replayed one is still told from
// a late one (RFC 3711 §3.3.2). Retransmissions come late, so it exceeds what a
// sender sends in a few round trips.
const srtpReplayWindow = 1024

// flightInterval is after how long we repeat a flight of the DTLS handshake, and then after
// ever twice as long. The second that RFC 6347 §4.2.4.1 recommends, and Pion takes, makes
// a subscriber behind a lossy network wait for seconds. ICE has shown before that the
// peer is there; browsers take 50 ms.
const flightInterval = 200 * time.Millisecond

// direction is which way media goes on a connection.
type direction uint8

const (
	upward   direction = iota // a publisher sends to us
	downward                  // we send to a subscriber
)

// apiKey tells which connections can share a media engine: Pion copies it for
// each peer connection, so sharing it is safe.
type apiKey struct {
	direction direction
	codecs    string // names joined by commas
}

// allCodecs are the codecs of a down connection, which is restricted track by
// track to what the publisher sends.
var allCodecs = [...]string{"vp8", "vp9", "av1", "h264", "opus", "g722", "pcmu", "pcma"}

func upKey(names []string) apiKey {
	if len(names) == 0 {
		names = codecs.DefaultNames()
	}
	return apiKey{upward, strings.Join(names, ",")}
}

func downKey() apiKey { return apiKey{downward, strings.Join(allCodecs[:], ",")} }

// newAPI returns what makes one connection, whose sources are bounded, and whose
// handshake h observes.
func (e *Engine) newAPI(key apiKey, bound *sources, h *handshake, r *rebinding) (*webrtc.API, error) {
	media, err := e.media(key)
	if err != nil {
		return nil, err
	}
	settings := *e.settings.Load()
	settings.BufferFactory = bound.newBuffer
	r.observe(&settings)
	if e.options.Mux != nil {
		h.observe(&settings)
	}
	return webrtc.NewAPI(
		webrtc.WithMediaEngine(media),
		webrtc.WithSettingEngine(settings),
		// Reports, feedback and retransmission are ours: no interceptors.
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}),
	), nil
}

// media returns the media engine for key, making it on first use.
func (e *Engine) media(key apiKey) (*webrtc.MediaEngine, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	if media, ok := e.engines[key]; ok {
		return media, nil
	}
	media, err := newMediaEngine(key, e.options)
	if err != nil {
		return nil, err
	}
	e.engines[key] = media
	return media, nil
}

// newMediaEngine registers the codecs of key, with feedback and extensions.
func newMediaEngine(key apiKey, o Options) (*webrtc.MediaEngine, error) {
	media := &webrtc.MediaEngine{}
	for name := range strings.SplitSeq(key.codecs, ",") {
		formats, ok := codecs.Formats(name)
		if !ok {
			o.Log.Warn("unknown codec is ignored", "codec", name)
			continue
		}
		for _, f := range formats {
			for _, f := range withRepair(f) {
				if err := media.RegisterCodec(codecParameters(f, key.direction), kindToPion(f.Kind)); err != nil {
					return nil, fmt.Errorf("rtpconn: codec %s: %w", name, err)
				}
			}
		}
	}
	for _, x := range codecs.ExtensionsFrom(key.direction == upward) {
		if err := registerExtension(media, x); err != nil {
			return nil, fmt.Errorf("rtpconn: extension %s: %w", x.URI, err)
		}
	}
	return media, nil
}

// registerExtension registers a header extension for its kinds.
func registerExtension(media *webrtc.MediaEngine, x codecs.HeaderExtension) error {
	capability := webrtc.RTPHeaderExtensionCapability{URI: x.URI}
	if x.Audio {
		if err := media.RegisterHeaderExtension(capability, webrtc.RTPCodecTypeAudio); err != nil {
			return err
		}
	}
	if x.Video {
		return media.RegisterHeaderExtension(capability, webrtc.RTPCodecTypeVideo)
	}
	return nil
}

// newSettings returns what all connections of an engine share.
func newSettings(o Options) (webrtc.SettingEngine, error) {
	s := webrtc.SettingEngine{LoggerFactory: pionlog.New(o.Log)}
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	s.DisableActiveTCP(true)
	s.SetIncludeLoopbackCandidate(o.Loopback)
	s.SetReceiveMTU(maxPacket)
	s.SetSRTPReplayProtectionWindow(srtpReplayWindow)
	// Where the choice is ours we are the DTLS server: it chooses how media is
	// protected, and learns the keys (see handshake). The peer's address has
	// been verified by ICE before.
	if err := s.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
		return s, fmt.Errorf("rtpconn: DTLS role: %w", err)
	}
	s.SetDTLSInsecureSkipHelloVerify(true)
	s.SetDTLSRetransmissionInterval(flightInterval)
	// The cheapest first.
	s.SetSRTPProtectionProfiles(
		dtls.SRTP_AEAD_AES_128_GCM,
		dtls.SRTP_AEAD_AES_256_GCM,
		dtls.SRTP_AES128_CM_HMAC_SHA1_80,
	)
	if o.MDNS {
		s.SetICEMulticastDNSMode(ice.MulticastDNSModeQueryAndGather)
	} else {
		s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	}
	if o.Mux != nil {
		s.SetICEUDPMux(o.Mux)
		// The mux knows the local addresses: agents need not look for interfaces.
		network, err := stdnet.NewNet()
		if err != nil {
			return s, fmt.Errorf("rtpconn: network interfaces: %w", err)
		}
		s.SetNet(network)
	} else if o.PortMin != 0 || o.PortMax != 0 {
		if err := s.SetEphemeralUDPPortRange(o.PortMin, o.PortMax); err != nil {
			return s, fmt.Errorf("rtpconn: port range %d to %d: %w", o.PortMin, o.PortMax, err)
		}
	}
	return s, configureReachability(&s, o)
}

// kindToPion translates a kind.
func kindToPion(k codecs.Kind) webrtc.RTPCodecType {
	if k == codecs.Video {
		return webrtc.RTPCodecTypeVideo
	}
	return webrtc.RTPCodecTypeAudio
}

// withRepair returns a format and that of its retransmissions, or that in which it
// comes with redundancy, if it has one.
func withRepair(f codecs.Format) []codecs.Format {
	if red, ok := codecs.RedundancyOf(f); ok {
		return []codecs.Format{f, red}
	}
	if rtx, ok := codecs.RetransmissionOf(f); ok {
		return []codecs.Format{f, rtx}
	}
	return []codecs.Format{f}
}

// codecParameters returns f with our feedback, as Pion wants it. Of
// retransmissions (RFC 4588 §6.3) and redundancy there is none. An rtpmap
// gives one channel by giving none (RFC 8866 §6.6).
func codecParameters(f codecs.Format, d direction) webrtc.RTPCodecParameters {
	channels := f.Channels
	if channels == 1 {
		channels = 0
	}
	var feedback []webrtc.RTCPFeedback
	for _, fb := range codecs.FeedbackFor(f.Kind, d == upward) {
		if codecs.IsRTX(f.MimeType) || codecs.IsRED(f.MimeType) {
			break
		}
		feedback = append(feedback, webrtc.RTCPFeedback{Type: fb.Type, Parameter: fb.Parameter})
	}
	return webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType:     f.MimeType,
			ClockRate:    f.ClockRate,
			Channels:     channels,
			SDPFmtpLine:  f.Fmtp,
			RTCPFeedback: feedback,
		},
		PayloadType: webrtc.PayloadType(f.PayloadType),
	}
}
