package codecs

import (
	"strconv"
	"strings"
)

// MimeRTX is the MIME type of retransmissions of video (RFC 4588 §8.6).
const MimeRTX = "video/rtx"

// RetransmissionOf returns the format in which retransmissions of f are
// negotiated (RFC 4588 §8.6): under the payload type after that of f, and with no
// parameter but apt. ok is false for audio, which is resent as it is, and for a
// format whose payload type is not known or leaves no room.
func RetransmissionOf(f Format) (rtx Format, ok bool) {
	if f.Kind != Video || f.PayloadType == 0 || f.PayloadType >= maxPayloadType {
		return Format{}, false
	}
	return Format{
		Name:        "rtx",
		Kind:        Video,
		MimeType:    MimeRTX,
		ClockRate:   f.ClockRate,
		Fmtp:        associatedParameter + "=" + strconv.Itoa(int(f.PayloadType)),
		PayloadType: f.PayloadType + 1,
	}, true
}

// maxPayloadType is the greatest that an RTP header can hold.
const maxPayloadType = 127

// associatedParameter names what is retransmitted (RFC 4588 §8.1).
const associatedParameter = "apt"

// AssociatedType returns the payload type that retransmissions with these fmtp
// parameters are for. ok is false if they tell none.
func AssociatedType(fmtp string) (payloadType uint8, ok bool) {
	n, err := strconv.ParseUint(parameter(fmtp, associatedParameter), 10, 8)
	if err != nil || n > maxPayloadType {
		return 0, false
	}
	return uint8(n), true
}

// IsRTX tells whether a MIME type is that of retransmissions.
func IsRTX(mime string) bool { return strings.EqualFold(mime, MimeRTX) }
