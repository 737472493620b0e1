package udpmux

import "net/netip"

// maxDatagram is the longest payload that is received, in bytes. Peers keep
// theirs within an Ethernet frame.
const maxDatagram = 2048

// datagram is one received datagram in a buffer of its own. Whoever holds it
// releases it or passes it on.
type datagram struct {
	// buf has one byte more than is accepted, which shows truncation.
	buf  [maxDatagram + 1]byte
	n    int            // length of the payload
	from netip.AddrPort // canonical
	to   netip.Addr     // the local address; invalid if the system does not tell
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
