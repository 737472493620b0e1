package loadtest

import (
	"net"
	"net/netip"

	"github.com/pion/ice/v4"

	"galene/udpmux"
)

// tap shows what comes to a connection's port before Pion sees it.
type tap struct {
	*udpmux.Mux
	receiver receiver
}

// receiver is what sees RTP packets first.
type receiver interface {
	// receive takes one packet. It reports whether Pion is not to see it.
	receive(b []byte) bool
	// endBurst follows the last packet of what was read at once.
	endBurst()
}

// GetConn returns a connection whose reads leave out what the tap has taken.
func (t *tap) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	c, err := t.Mux.GetConn(ufrag, addr)
	if err != nil {
		return nil, err
	}
	return &tappedConn{PacketConn: c, AddrPortReaderWriter: c.(ice.AddrPortReaderWriter), tap: t}, nil //nolint:forcetypeassert // it is
}

type tappedConn struct {
	net.PacketConn
	ice.AddrPortReaderWriter
	tap *tap
}

// ReadFrom waits for what the tap does not take.
func (c *tappedConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// ReadFromAddrPort waits for what the tap does not take.
func (c *tappedConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := c.AddrPortReaderWriter.ReadFromAddrPort(b)
		if err != nil || c.tap.receiver == nil || !isRTP(b[:n]) {
			return n, from, err
		}
		taken := c.tap.receiver.receive(b[:n])
		c.tap.receiver.endBurst()
		if !taken {
			return n, from, nil
		}
	}
}

// isRTP tells RTP from all else on the port (RFC 7983 §7, RFC 5761 §4).
func isRTP(b []byte) bool {
	return len(b) >= 12 && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223)
}
