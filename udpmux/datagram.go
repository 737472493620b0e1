package udpmux

import (
	"net/netip"

	"galene/udpsocket"
)

// datagram is one received datagram in a buffer of its own. Whoever holds it
// releases it or passes it on.
type datagram struct {
	buf  [udpsocket.MaxDatagram]byte
	n    int            // length of the payload
	from netip.AddrPort // canonical
	next *datagram      // for the queue that holds it
}

// newDatagram returns a buffer for the caller to own.
func (m *Mux) newDatagram() *datagram {
	if d, ok := m.buffers.Get().(*datagram); ok {
		return d
	}
	return new(datagram)
}

// release recycles d, which may be nil, and all that follow it.
func (m *Mux) release(d *datagram) {
	for d != nil {
		next := d.next
		d.next = nil
		m.buffers.Put(d)
		d = next
	}
}
