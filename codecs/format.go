package codecs

import (
	"slices"
	"strings"
)

// Kind tells audio from video, as the media field of an m-section does
// (RFC 8866 §5.14).
type Kind uint8

// The kinds of media the server carries.
const (
	Audio Kind = iota
	Video
)

// String returns "audio" or "video", and "unknown" for any other value.
func (k Kind) String() string {
	switch k {
	case Audio:
		return "audio"
	case Video:
		return "video"
	default:
		return "unknown"
	}
}

// Format is one codec as it is negotiated in a session description (RFC 8866
// §6.6 and §6.15).
type Format struct {
	Name        string // as in group files: "vp8", "vp9", "av1", "h264", "opus", "g722", "pcmu", "pcma"
	Kind        Kind
	MimeType    string // as registered with IANA, for example "video/VP8"
	ClockRate   uint32 // of RTP timestamps, in Hz
	Channels    uint16 // 0 for video, 2 for Opus, 1 for other audio
	Fmtp        string // the fmtp parameters, "" if none
	PayloadType uint8  // ours, 0 to 127
}

// Payload types of H.264 in the baseline profile, which the server forwards but
// does not ask for, and in the constrained baseline profile.
const (
	h264BaselineType    = 102
	h264ConstrainedType = 108
)

// formats lists what the server offers, in the order of preference within one
// name.
var formats = []Format{
	{"vp8", Video, "video/VP8", 90000, 0, "", 96},
	{"vp9", Video, "video/VP9", 90000, 0, "profile-id=0", 98},
	{"vp9", Video, "video/VP9", 90000, 0, "profile-id=2", 100},
	{"av1", Video, "video/AV1", 90000, 0, "", 35},
	{"h264", Video, "video/H264", 90000, 0, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", h264ConstrainedType},
	{"opus", Audio, "audio/opus", 48000, 2, "minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1", 111},
	{"g722", Audio, "audio/G722", 8000, 1, "", 9},
	{"pcmu", Audio, "audio/PCMU", 8000, 1, "", 0},
	{"pcma", Audio, "audio/PCMA", 8000, 1, "", 8},
}

// Formats returns the formats the server registers and offers for one codec
// name, best first; VP9 has two, of profiles 0 and 2. Names are matched
// exactly. ok is false for a name that is not known. The caller owns the slice.
func Formats(name string) (fs []Format, ok bool) {
	for _, f := range formats {
		if f.Name == name {
			fs = append(fs, f)
		}
	}
	return fs, len(fs) > 0
}

// DefaultNames returns the codecs of a group that names none, in order. The
// caller owns the slice.
func DefaultNames() []string {
	return []string{"vp8", "opus"}
}

// ForDown returns the format in which the server offers to a subscriber what it
// negotiated with the publisher: the publisher's parameters under the server's
// own payload type. Channels 0 means 1, as in an rtpmap.
//
//   - VP9 of profile 0 (also if not stated) has 98, of profile 2 has 100.
//   - H.264 without a profile-level-id, or with one that begins with 4200, has
//     102; one that begins with 42e0 has 108.
//
// ok is false if no payload type is assigned: an unknown codec, another
// profile, or a clock rate or channel count that is not the codec's. The format
// is then filled from the arguments with payload type 0, so that the caller can
// still offer it under a type chosen elsewhere; for an unknown codec Name is
// the MIME subtype in lower case, and Kind is Audio unless the MIME type says
// video.
func ForDown(mime string, clockRate uint32, channels uint16, fmtp string) (f Format, ok bool) {
	i := slices.IndexFunc(formats, func(f Format) bool {
		return strings.EqualFold(f.MimeType, mime)
	})
	if i < 0 {
		return unknownFormat(mime, clockRate, channels, fmtp), false
	}

	known := formats[i]
	f = known
	f.ClockRate, f.Channels, f.Fmtp, f.PayloadType = clockRate, channels, fmtp, 0
	if clockRate != known.ClockRate || max(channels, 1) != max(known.Channels, 1) {
		return f, false
	}
	switch f.Name {
	case "vp9":
		f.PayloadType, ok = vp9PayloadType(fmtp)
	case "h264":
		f.PayloadType, ok = h264PayloadType(fmtp)
	default:
		f.PayloadType, ok = known.PayloadType, true
	}
	return f, ok
}

func unknownFormat(mime string, clockRate uint32, channels uint16, fmtp string) Format {
	f := Format{MimeType: mime, ClockRate: clockRate, Channels: channels, Fmtp: fmtp}
	media, subtype, _ := strings.Cut(strings.ToLower(mime), "/")
	f.Name = subtype
	if media == "video" {
		f.Kind = Video
	}
	return f
}

func vp9PayloadType(fmtp string) (uint8, bool) {
	profile := parameter(fmtp, "profile-id")
	if profile == "" {
		profile = "0" // RFC 9628 §6
	}
	for _, f := range formats {
		if f.Name == "vp9" && parameter(f.Fmtp, "profile-id") == profile {
			return f.PayloadType, true
		}
	}
	return 0, false
}

func h264PayloadType(fmtp string) (uint8, bool) {
	level := strings.ToLower(parameter(fmtp, "profile-level-id"))
	switch {
	case level == "", strings.HasPrefix(level, "4200"):
		return h264BaselineType, true // RFC 6184 §8.1: baseline is implied
	case strings.HasPrefix(level, "42e0"):
		return h264ConstrainedType, true
	default:
		return 0, false
	}
}

// parameter returns the value of one fmtp parameter, or "" if it is absent.
func parameter(fmtp, name string) string {
	for part := range strings.SplitSeq(fmtp, ";") {
		key, value, _ := strings.Cut(part, "=")
		if strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
