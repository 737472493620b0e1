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

	"galene/udpsocket"
)

var _ ice.AddrPortReaderWriter = (*packetConn)(nil)

// packetConn is the [net.PacketConn] of one local candidate. It receives what
// was sent to the candidate's address and sends from there. Its methods may be
// called from any goroutine.
type packetConn struct {
	// Immutable.
	agent  *agent
	socket *udpsocket.Socket
	local  netip.AddrPort

	// Any goroutine.
	queue         queue
	closed        atomic.Bool
	last          atomic.Pointer[udpsocket.Destination] // where it wrote to last; nil at first
	writeDeadline atomic.Int64                          // Unix nanoseconds; 0 for none
	closing       sync.Once
}

func newPacketConn(a *agent, s *udpsocket.Socket, local netip.AddrPort) *packetConn {
	c := &packetConn{agent: a, socket: s, local: local}
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
	d, err := c.destination(udpsocket.Canonical(remote))
	if err != nil {
		return 0, err
	}
	m := c.agent.mux
	remote = d.Remote()
	if m.addresses.get(remote) != c.agent {
		c.agent.own(remote)
	}
	if err := d.Send(b); err != nil {
		m.stats.sendErrors.Add(1)
		return 0, err
	}
	m.stats.sent.Add(1)
	return len(b), nil
}

// destination returns where to send to. A candidate writes to one address most
// of the time: that of its pair.
func (c *packetConn) destination(remote netip.AddrPort) (*udpsocket.Destination, error) {
	if d := c.last.Load(); d != nil && d.Remote() == remote {
		return d, nil
	}
	if !reaches(c.local.Addr(), remote.Addr()) {
		return nil, ErrAddress
	}
	d, err := c.socket.Destination(c.local.Addr(), remote)
	if err != nil {
		return nil, ErrAddress
	}
	c.last.Store(d)
	return d, nil
}

// reaches tells whether datagrams may go from local to remote: see the package
// comment.
func reaches(local, remote netip.Addr) bool {
	return local.Is6() == remote.Is6() && (!local.IsLoopback() || remote.IsLoopback())
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
