package rtpconn

import (
	"testing"

	"github.com/pion/webrtc/v4"
)

// newPlainMedia returns the media engine of a client that knows of the codecs, the
// feedback and the header extensions without which there is no simulcast, and of
// nothing that makes up for losses.
func newPlainMedia(tb testing.TB) *webrtc.MediaEngine {
	tb.Helper()
	media := &webrtc.MediaEngine{}
	feedback := []webrtc.RTCPFeedback{{Type: "goog-remb"}, {Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"}}
	for _, c := range []webrtc.RTPCodecParameters{
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000, RTCPFeedback: feedback}, PayloadType: 96},
		{RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeH264, ClockRate: 90000, RTCPFeedback: feedback,
			SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
		}, PayloadType: 106},
	} {
		if err := media.RegisterCodec(c, webrtc.RTPCodecTypeVideo); err != nil {
			tb.Fatal(err)
		}
	}
	if err := media.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
		}, PayloadType: 111,
	}, webrtc.RTPCodecTypeAudio); err != nil {
		tb.Fatal(err)
	}
	if err := webrtc.ConfigureSimulcastExtensionHeaders(media); err != nil {
		tb.Fatal(err)
	}
	return media
}

// newPlainPC returns a client of that kind.
func newPlainPC(tb testing.TB) *webrtc.PeerConnection {
	tb.Helper()
	return newRemotePCFrom(tb, newPlainMedia(tb), func(*webrtc.SettingEngine) {})
}
