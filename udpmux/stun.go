package udpmux

import (
	"bytes"
	"encoding/binary"
)

// RFC 8489 §5, §14.
const (
	stunHeader         = 20
	stunCookie         = 0x2112A442
	stunBindingRequest = 0x0001

	stunUsername         = 0x0006
	stunMessageIntegrity = 0x0008
	// stunMaxUsername is the greatest length of a USERNAME, in bytes (§14.3).
	stunMaxUsername = 508
)

// isBindingRequest reports whether b starts like a STUN binding request. DTLS,
// SRTP and SRTCP never do (RFC 7983 §7).
func isBindingRequest(b []byte) bool {
	return len(b) >= stunHeader &&
		binary.BigEndian.Uint16(b) == stunBindingRequest &&
		binary.BigEndian.Uint32(b[4:]) == stunCookie
}

// localFragment returns what precedes the colon in the USERNAME of a binding
// request: the user name fragment of the agent it is for (RFC 8445 §7.2.2). It
// aliases b and is never empty if ok. A message that is cut short, has no
// such USERNAME, or has it only after MESSAGE-INTEGRITY, is not ok.
func localFragment(b []byte) (ufrag []byte, ok bool) {
	if !isBindingRequest(b) || int(binary.BigEndian.Uint16(b[2:])) != len(b)-stunHeader {
		return nil, false
	}
	for b = b[stunHeader:]; len(b) >= 4; {
		attribute, length := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		b = b[4:]
		if attribute == stunMessageIntegrity || length > len(b) {
			return nil, false
		}
		if attribute == stunUsername {
			ufrag, _, ok = bytes.Cut(b[:length], []byte{':'})
			if !ok || len(ufrag) == 0 || length > stunMaxUsername {
				return nil, false
			}
			return ufrag, true
		}
		b = b[min((length+3)&^3, len(b)):]
	}
	return nil, false
}
