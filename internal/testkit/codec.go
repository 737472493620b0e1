package testkit

import (
	"time"

	"github.com/pion/webrtc/v4"
)

// Codec is a format in which a [Source] makes media.
type Codec uint8

// The formats.
const (
	VP8 Codec = iota
	VP9
	H264
	AV1
	Opus
)

// videoFeedback is the RTCP feedback that clients understand.
var videoFeedback = []webrtc.RTCPFeedback{
	{Type: "goog-remb"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"},
}

// properties are what is known of each codec. Payload types are as browsers
// choose them.
var properties = [...]struct {
	name        string
	payloadType webrtc.PayloadType
	capability  webrtc.RTPCodecCapability
	descriptor  func(picture, []byte) []byte
	ticks       uint32 // of the RTP clock, in a frame
}{
	VP8: {"VP8", 96, video(webrtc.MimeTypeVP8, ""), describeVP8, 3000},
	VP9: {"VP9", 98, video(webrtc.MimeTypeVP9, "profile-id=0"), describeVP9, 3000},
	H264: {
		"H264", 108,
		video(webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
		describeH264, 3000,
	},
	AV1: {"AV1", 45, video(webrtc.MimeTypeAV1, ""), describeAV1, 3000},
	Opus: {
		"Opus", 111,
		webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2,
			SDPFmtpLine: "minptime=10;useinbandfec=1",
		},
		describeOpus, 960,
	},
}

func video(mime, fmtp string) webrtc.RTPCodecCapability {
	return webrtc.RTPCodecCapability{
		MimeType: mime, ClockRate: 90000, SDPFmtpLine: fmtp, RTCPFeedback: videoFeedback,
	}
}

// Codecs returns all of them.
func Codecs() []Codec { return []Codec{VP8, VP9, H264, AV1, Opus} }

// String returns the codec's usual name.
func (c Codec) String() string { return properties[c].name }

// Kind tells audio from video.
func (c Codec) Kind() webrtc.RTPCodecType {
	if c == Opus {
		return webrtc.RTPCodecTypeAudio
	}
	return webrtc.RTPCodecTypeVideo
}

// MimeType is as in a session description, such as "video/VP8".
func (c Codec) MimeType() string { return properties[c].capability.MimeType }

// FrameDuration is how long one frame of a [Source] lasts.
func (c Codec) FrameDuration() time.Duration {
	p := properties[c]
	return time.Duration(p.ticks) * time.Second / time.Duration(p.capability.ClockRate)
}
