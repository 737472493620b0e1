package udpmux

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
)

var _ ice.AddrPortReaderWriter = (*packetConn)(nil)

// packetConn is the [net.PacketConn] of one local candidate. It receives what
// was sent to the candidate's address and sends from there. Its methods may be
// called from any goroutine.
type packetConn struct {
	// Immutable.
	agent  *agent
	socket *socket
	local  netip.AddrPort
	source source // makes datagrams leave from local
	inside bool   // local is a loopback address

	// Any goroutine.
	queue         queue
	closed        atomic.Bool
	writeDeadline atomic.Int64 // Unix nanoseconds; 0 for none
	closing       sync.Once
}

func newPacketConn(a *agent, s *socket, local netip.AddrPort) *packetConn {
	c := &packetConn{
		agent:  a,
		socket: s,
		local:  local,
		source: s.source(local.Addr()),
		inside: local.Addr().IsLoopback(),
	}
	c.queue.init()
	return c
}

// ReadFrom waits for a datagram and copies it to b, shortened to its length.
// It fails with [net.ErrClosed] or [os.ErrDeadlineExceeded].
func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// ReadFromAddrPort is ReadFrom without allocation.
func (c *packetConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	d, err := c.queue.pop()
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	n, from := copy(b, d.buf[:d.n]), d.from
	c.agent.mux.release(d)
	return n, from, nil
}

// WriteTo sends one datagram. It fails with [io.ErrClosedPipe] once closed, as
// ICE agents expect, and with [ErrAddress] for an address of another family or,
// from a loopback address, for one that is none: see the package comment.
func (c *packetConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, ErrAddress
	}
	return c.WriteToAddrPort(b, udp.AddrPort())
}

// WriteToAddrPort is WriteTo without allocation.
func (c *packetConn) WriteToAddrPort(b []byte, remote netip.AddrPort) (int, error) {
	if c.closed.Load() {
		return 0, io.ErrClosedPipe
	}
	if t := c.writeDeadline.Load(); t != 0 && time.Now().UnixNano() >= t {
		return 0, os.ErrDeadlineExceeded
	}
	remote = canonical(remote)
	if !remote.IsValid() || remote.Addr().Is6() != c.socket.v6 || c.inside && !remote.Addr().IsLoopback() {
		return 0, ErrAddress
	}
	m := c.agent.mux
	if m.addresses.get(remote) != c.agent {
		c.agent.own(remote)
	}
	if err := c.socket.send(b, c.source, remote); err != nil {
		m.stats.sendErrors.Add(1)
		return 0, err
	}
	m.stats.sent.Add(1)
	return len(b), nil
}

// Close ends reads and writes. It is idempotent.
func (c *packetConn) Close() error {
	c.closing.Do(func() {
		c.closed.Store(true)
		c.agent.mux.release(c.queue.close())
		c.agent.mux.drop(c)
	})
	return nil
}

// LocalAddr is the candidate's address.
func (c *packetConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.local) }

// SetDeadline sets both deadlines. It never fails: agents set one on
// connections that may be closed already.
func (c *packetConn) SetDeadline(t time.Time) error {
	c.queue.setDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline ends present and future reads at t; the zero time never does.
func (c *packetConn) SetReadDeadline(t time.Time) error {
	c.queue.setDeadline(t)
	return nil
}

// SetWriteDeadline ends future writes at t; the zero time never does. A write
// that has begun is not ended: UDP does not wait for the peer.
func (c *packetConn) SetWriteDeadline(t time.Time) error {
	nanos := int64(0)
	if !t.IsZero() {
		nanos = t.UnixNano()
	}
	c.writeDeadline.Store(nanos)
	return nil
}
