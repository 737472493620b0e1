package codecs

import (
	"strconv"
	"strings"
)

// MimeRED is the MIME type of audio with redundancy (RFC 2198).
const MimeRED = "audio/red"

// redundancyType is the payload type in which the server offers redundancy.
const redundancyType = 63

// RedundancyOf returns the format in which f is negotiated with redundancy (RFC 2198
// §5): Opus once more in each packet. ok is false for other codecs.
func RedundancyOf(f Format) (red Format, ok bool) {
	if f.Name != "opus" || f.PayloadType == 0 {
		return Format{}, false
	}
	payloadType := strconv.Itoa(int(f.PayloadType))
	return Format{
		Name:        "red",
		Kind:        Audio,
		MimeType:    MimeRED,
		ClockRate:   f.ClockRate,
		Channels:    f.Channels,
		Fmtp:        payloadType + "/" + payloadType,
		PayloadType: redundancyType,
	}, true
}

// IsRED tells whether a MIME type is that of redundancy.
func IsRED(mime string) bool { return strings.EqualFold(mime, MimeRED) }

// RedundantType returns the payload type of all blocks, which fmtp parameters of
// redundancy list. ok is false if they list none, or several.
func RedundantType(fmtp string) (payloadType uint8, ok bool) {
	first, rest, _ := strings.Cut(strings.TrimSpace(fmtp), "/")
	n, err := strconv.ParseUint(first, 10, 8)
	if err != nil || n > maxPayloadType {
		return 0, false
	}
	for other := range strings.SplitSeq(rest, "/") {
		if other != first && rest != "" {
			return 0, false
		}
	}
	return uint8(n), true
}

// Block headers (RFC 2198 §3).
const (
	redMore        = 0x80 // another header follows
	redTypeMask    = 0x7f
	redHeader      = 4 // octets, of all but the last
	redLengthUpper = 0x03
)

// ParseRED finds the primary block of a payload with redundancy, which begins at
// start and is the rest. ok is false if the payload is malformed or has blocks of
// several payload types. It does not allocate.
func ParseRED(payload []byte) (payloadType uint8, start int, ok bool) {
	redundant := 0
	for at := 0; at < len(payload); at += redHeader {
		blockType := payload[at] & redTypeMask
		if at > 0 && blockType != payloadType {
			return 0, 0, false
		}
		payloadType = blockType
		if payload[at]&redMore == 0 {
			start = at + 1 + redundant
			return payloadType, start, start <= len(payload)
		}
		if at+redHeader > len(payload) {
			return 0, 0, false
		}
		redundant += int(payload[at+2]&redLengthUpper)<<8 | int(payload[at+3])
	}
	return 0, 0, false
}
