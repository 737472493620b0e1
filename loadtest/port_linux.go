package loadtest

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v4/deadline"
	"golang.org/x/sys/unix"
)

// maxQueue is how many datagrams wait for Pion at one candidate, at most.
const maxQueue = 256

// errAddress is returned for an address that a port does not serve.
var errAddress = errors.New("not an address of this port")

// pollPort is a UDP port that a poller reads.
type pollPort struct {
	// Immutable.
	poller *poller
	mapped bool // the socket is of IPv6 and carries IPv4 in mapped addresses
	number uint16

	receiver atomic.Pointer[receiver] // nil if Pion is to have everything
	burst    burst

	mu     sync.RWMutex // guards the fields below; held for reading while fd is used
	fd     int
	closed bool
	conns  []*pollConn // at most one per family receives: the last
}

// datagram is one received datagram in a buffer of its own.
type datagram struct {
	b    [maxPacket]byte
	n    int
	from netip.AddrPort
}

func (p *pollPort) attach(_ string, r receiver) { p.receiver.Store(&r) }

// deliver hands on a datagram, which is valid during the call. The poller calls it.
func (p *pollPort) deliver(b []byte, from netip.AddrPort, at int64) {
	if r := p.receiver.Load(); r != nil && isRTP(b) && (*r).arrived(b, at) {
		return
	}
	c := p.conn(from.Addr())
	if c == nil || len(b) > maxPacket {
		return
	}
	d, ok := p.poller.buffers.Get().(*datagram)
	if !ok {
		d = new(datagram)
	}
	d.n, d.from = copy(d.b[:], b), from
	select {
	case c.queue <- d:
	default: // it is not being read
		p.poller.buffers.Put(d)
	}
}

// conn returns the candidate that receives what comes from an address, or nil.
func (p *pollPort) conn(from netip.Addr) *pollConn {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for i := len(p.conns) - 1; i >= 0; i-- {
		if p.conns[i].local.Addr().Is4() == from.Is4() {
			return p.conns[i]
		}
	}
	return nil
}

// gather makes what is sent wait for release, so that it leaves together.
func (p *pollPort) gather() { p.burst.begin() }

// release sends what has been gathered.
func (p *pollPort) release() {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if !p.closed {
		p.burst.end(p.fd)
	}
}

// send sends a datagram. It may wait for room.
func (p *pollPort) send(b []byte, to netip.AddrPort) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	switch {
	case p.closed:
		return net.ErrClosed
	case p.burst.add(b, to, p.mapped):
		return nil
	case p.mapped:
		return unix.Sendto(p.fd, b, 0, &unix.SockaddrInet6{Addr: to.Addr().As16(), Port: int(to.Port())})
	case to.Addr().Unmap().Is4():
		return unix.Sendto(p.fd, b, 0, &unix.SockaddrInet4{Addr: to.Addr().Unmap().As4(), Port: int(to.Port())})
	default:
		return errAddress
	}
}

// GetListenAddresses returns the addresses that candidates may name.
func (p *pollPort) GetListenAddresses() []net.Addr {
	var addrs []net.Addr
	for _, ip := range p.poller.local {
		if p.mapped || ip.Is4() {
			addrs = append(addrs, net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, p.number)))
		}
	}
	return addrs
}

// GetConn returns a connection for one candidate.
func (p *pollPort) GetConn(_ string, addr net.Addr) (net.PacketConn, error) {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return nil, errAddress
	}
	local := udp.AddrPort()
	c := &pollConn{
		port: p, local: netip.AddrPortFrom(local.Addr().Unmap(), local.Port()),
		queue: make(chan *datagram, maxQueue), done: make(chan struct{}), deadline: deadline.New(),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, net.ErrClosed
	}
	p.conns = append(p.conns, c)
	return c, nil
}

// RemoveConnByUfrag does nothing: candidates close their connections.
func (p *pollPort) RemoveConnByUfrag(string) {}

// Close closes the port and all its connections. It is idempotent.
func (p *pollPort) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	conns := p.conns
	p.conns = nil
	p.poller.forget(p.fd)
	err := unix.Close(p.fd)
	p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
	return err
}

// forget stops reading from a socket, which is not closed yet.
func (p *poller) forget(fd int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.ports, int32(fd))
}

// drop removes a closed connection.
func (p *pollPort) drop(c *pollConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, o := range p.conns {
		if o == c {
			p.conns = append(p.conns[:i:i], p.conns[i+1:]...)
			return
		}
	}
}

// pollConn is the connection of one candidate. Any goroutine may use it.
type pollConn struct {
	port     *pollPort
	local    netip.AddrPort
	queue    chan *datagram
	done     chan struct{} // closed by Close
	closing  sync.Once
	deadline *deadline.Deadline // for reading
}

// ReadFrom waits for a datagram.
func (c *pollConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// ReadFromAddrPort waits for a datagram.
func (c *pollConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-c.queue:
		n, from := copy(b, d.b[:d.n]), d.from
		c.port.poller.buffers.Put(d)
		return n, from, nil
	case <-c.done:
		return 0, netip.AddrPort{}, net.ErrClosed
	case <-c.deadline.Done():
		return 0, netip.AddrPort{}, os.ErrDeadlineExceeded
	}
}

// WriteTo sends a datagram.
func (c *pollConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, errAddress
	}
	return c.WriteToAddrPort(b, udp.AddrPort())
}

// WriteToAddrPort sends a datagram.
func (c *pollConn) WriteToAddrPort(b []byte, remote netip.AddrPort) (int, error) {
	select {
	case <-c.done:
		return 0, net.ErrClosed
	default:
	}
	if err := c.port.send(b, remote); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close ends reads and writes. It is idempotent.
func (c *pollConn) Close() error {
	c.closing.Do(func() {
		close(c.done)
		c.port.drop(c)
	})
	return nil
}

// LocalAddr is the candidate's address.
func (c *pollConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.local) }

// SetDeadline is SetReadDeadline: writes hardly wait.
func (c *pollConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline ends present and future reads at t; the zero time never does.
func (c *pollConn) SetReadDeadline(t time.Time) error {
	c.deadline.Set(t)
	return nil
}

// SetWriteDeadline does nothing: writes hardly wait.
func (c *pollConn) SetWriteDeadline(time.Time) error { return nil }
