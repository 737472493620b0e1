package codecs

// Feedback is one rtcp-fb attribute (RFC 4585 §4.2): a type and its parameter,
// "" if it has none.
type Feedback struct{ Type, Parameter string }

// FeedbackFor returns the RTCP feedback that the server registers for a kind,
// in order, on a connection from a publisher (up) or to a subscriber. The caller owns
// the slice.
func FeedbackFor(k Kind, up bool) (list []Feedback) {
	list = []Feedback{{"nack", ""}}
	if k == Video {
		list = []Feedback{
			{"goog-remb", ""},
			{"nack", ""},
			{"nack", "pli"},
			{"ccm", "fir"},
		}
	}
	if up {
		list = append(list, Feedback{"transport-cc", ""})
	}
	return list
}

// Header extensions that tell the encodings of a simulcast apart.
const (
	ExtensionMID         = "urn:ietf:params:rtp-hdrext:sdes:mid"                    // RFC 9143 §15
	ExtensionRID         = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"          // RFC 8852 §3.1
	ExtensionRepairedRID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id" // RFC 8852 §3.2
)

// ExtensionDependencyDescriptor is the header extension that
// [ParseDependencyDescriptor] reads (AV1 RTP §A.4).
const ExtensionDependencyDescriptor = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"

// Header extensions that the server reads or hands on.
const (
	ExtensionAbsoluteCaptureTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
	ExtensionAudioLevel          = "urn:ietf:params:rtp-hdrext:ssrc-audio-level" // RFC 6464
	// ExtensionVideoOrientation (3GPP TS 26.114 §7.4.5) leaves turning the picture to
	// those who show it. Publishers that do not negotiate it turn it themselves.
	ExtensionVideoOrientation = "urn:3gpp:video-orientation"
	ExtensionPlayoutDelay     = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
	ExtensionLayersAllocation = "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00"
	// ExtensionTransportNumber counts the packets of a transport, for
	// transport-wide congestion control (draft-holmer-rmcat-transport-wide-cc-extensions-01 §2).
	ExtensionTransportNumber = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
)

// HeaderExtension is a header extension (RFC 8285) that the server negotiates.
type HeaderExtension struct {
	URI          string
	Audio, Video bool // for which kinds
	OnlyUp       bool // from publishers only
}

// extensions are in the order of their ids.
var extensions = []HeaderExtension{
	{ExtensionMID, false, true, false},
	{ExtensionRID, false, true, false},
	{ExtensionRepairedRID, false, true, false},
	{ExtensionAbsoluteCaptureTime, true, true, false},
	{ExtensionAudioLevel, true, false, false},
	{ExtensionVideoOrientation, false, true, false},
	{ExtensionPlayoutDelay, false, true, false},
	{ExtensionDependencyDescriptor, false, true, false},
	{ExtensionLayersAllocation, false, true, false},
	{ExtensionTransportNumber, true, true, true},
}

// ExtensionsFrom returns the header extensions that the server registers on a
// connection from a publisher (up), or to a subscriber, in the order of their ids,
// which start at 1 in the server's own offers. Publishers' audio has a mid as well,
// as every section of a bundle should (RFC 9143 §15). The caller owns the slice.
func ExtensionsFrom(up bool) (list []HeaderExtension) {
	for _, e := range extensions {
		if e.OnlyUp && !up {
			continue
		}
		e.Audio = e.Audio || up && e.URI == ExtensionMID
		list = append(list, e)
	}
	return list
}
