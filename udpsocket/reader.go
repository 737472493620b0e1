package udpsocket

import "net/netip"

// Datagram is one received datagram. It is valid until the next [Reader.Read].
type Datagram struct {
	Data      []byte         // the payload, which belongs to the reader; it may be changed in place
	From      netip.AddrPort // canonical, see [Canonical]
	To        netip.Addr     // the local address it came to; invalid if the system does not tell
	Truncated bool           // it was longer than MaxDatagram, Data is its start
}

// clip shortens a payload to what is accepted.
func clip(b []byte) (data []byte, truncated bool) {
	if len(b) > MaxDatagram {
		return b[:MaxDatagram:MaxDatagram], true
	}
	return b[:len(b):len(b)], false
}
