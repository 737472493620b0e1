package codecs

// TrimPadding returns payload without the padding that the P bit of its RTP
// header announces (RFC 3550 §5.1): the last byte counts the padding bytes,
// itself included. The result shares memory with payload.
//
// ok is false if the count is zero or greater than the payload; such a packet
// is malformed and media is nil.
func TrimPadding(payload []byte, padded bool) (media []byte, ok bool) {
	if !padded {
		return payload, true
	}
	if len(payload) == 0 {
		return nil, false
	}
	n := int(payload[len(payload)-1])
	if n == 0 || n > len(payload) {
		return nil, false
	}
	return payload[:len(payload)-n], true
}

// PaddingOnly tells whether a packet carries nothing once its padding is
// removed. Senders probe the path with such packets; they take a sequence
// number but belong to no frame, so whoever drops them has to close the gap.
func PaddingOnly(media []byte) bool {
	return len(media) == 0
}
