package netsim

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// Direction is which way a packet of a [Conn] goes.
type Direction uint8

// The directions.
const (
	Out Direction = iota // from whoever has the socket
	In
)

// maxDatagram is the longest datagram that is read, in bytes.
const maxDatagram = 2048

// Options configure a [Conn]. The zero value is a perfect network.
type Options struct {
	Seed    uint64
	Out, In Conditions
	// Lose, if not nil, sees each packet before it travels, and tells whether it is lost,
	// whatever the conditions are. It must not keep or change the packet, and must
	// return soon. It is called from any goroutine.
	Lose func(d Direction, packet []byte) bool
}

// Conn is a UDP socket at the end of a simulated network.
type Conn struct {
	inner net.PacketConn
	lose  func(Direction, []byte) bool
	begun time.Time
	ways  [2]*way

	received chan datagram
	closed   chan struct{}
	closing  sync.Once
	running  sync.WaitGroup
}

var _ net.PacketConn = (*Conn)(nil)

// datagram is a packet, and where it goes or comes from.
type datagram struct {
	payload []byte
	address net.Addr
}

// errNoDeadline is returned when a deadline is set for reading, which nobody needs yet.
var errNoDeadline = errors.New("netsim: reading knows no deadline")

// receiveQueue is how many packets wait for who reads from a [Conn]; later ones are lost, as with
// a socket.
const receiveQueue = 4096

// New returns a socket that takes inner as its own.
func New(inner net.PacketConn, o Options) *Conn {
	c := &Conn{
		inner:    inner,
		lose:     o.Lose,
		begun:    time.Now(),
		received: make(chan datagram, receiveQueue),
		closed:   make(chan struct{}),
	}
	// An error of the network is as good as a loss.
	c.ways[Out] = newWay(NewPath(o.Seed, o.Out), func(d datagram) { _, _ = inner.WriteTo(d.payload, d.address) })
	c.ways[In] = newWay(NewPath(^o.Seed, o.In), func(d datagram) {
		select {
		case c.received <- d:
		default:
		}
	})
	for _, w := range c.ways {
		c.running.Go(func() { w.run(c.begun, c.closed) })
	}
	c.running.Go(c.read)
	return c
}

// SetConditions changes what befalls later packets of a direction.
func (c *Conn) SetConditions(d Direction, conditions Conditions) {
	w := c.ways[d]
	w.mu.Lock()
	defer w.mu.Unlock()
	w.path.SetConditions(conditions)
}

// Statistics returns what became of all packets of a direction.
func (c *Conn) Statistics(d Direction) Statistics {
	w := c.ways[d]
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.path.Statistics()
}

// send lets a packet travel. It keeps the payload.
func (c *Conn) send(d Direction, payload []byte, address net.Addr) {
	if c.lose != nil && c.lose(d, payload) {
		return
	}
	c.ways[d].send(time.Since(c.begun), datagram{payload, address})
}

// read takes what the socket receives, until it is closed.
func (c *Conn) read() {
	buffer := make([]byte, maxDatagram)
	for {
		n, address, err := c.inner.ReadFrom(buffer)
		if err == nil {
			c.send(In, append([]byte(nil), buffer[:n]...), address)
			continue
		}
		select {
		case <-c.closed:
			return
		default: // such as that nobody listens where something was sent
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// ReadFrom implements [net.PacketConn].
func (c *Conn) ReadFrom(b []byte) (n int, address net.Addr, err error) {
	select {
	case d := <-c.received:
		return copy(b, d.payload), d.address, nil
	case <-c.closed:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo implements [net.PacketConn]. It never blocks.
func (c *Conn) WriteTo(b []byte, address net.Addr) (n int, err error) {
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	c.send(Out, append([]byte(nil), b...), address)
	return len(b), nil
}

// LocalAddr implements [net.PacketConn].
func (c *Conn) LocalAddr() net.Addr { return c.inner.LocalAddr() }

// SetWriteDeadline implements [net.PacketConn]: writing keeps any deadline.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline implements [net.PacketConn], but only knows how to have none.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if t.IsZero() {
		return nil
	}
	return errNoDeadline
}

// SetDeadline implements [net.PacketConn], as SetReadDeadline does.
func (c *Conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// Close closes the socket. What is travelling is lost.
func (c *Conn) Close() error {
	err := os.ErrClosed
	c.closing.Do(func() {
		close(c.closed)
		err = c.inner.Close()
	})
	c.running.Wait()
	return err
}
