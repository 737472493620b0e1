package tcpmux

import (
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxWaiting bounds the connections that wait to be accepted for media.
const maxWaiting = 64

// Split makes two listeners of one: connections on which the client begins with
// a frame of media are for the second, all others for the first. The first one
// accepts them all, and it is when it begins to read that some turn out to be
// for the second, and end for the first. So its timeouts and bounds hold for
// everybody.
//
// The first byte tells: frames begin with their length (RFC 4571 §2), and an ICE
// agent's first message is shorter than 512 bytes, so that the byte is 0 or 1;
// it is 22 in TLS, and a letter in HTTP.
//
// Closing the first listener closes l. Closing the second one sends what is for
// it away.
func Split(l net.Listener) (web, media net.Listener) {
	m := &mediaListener{address: l.Addr(), waiting: make(chan net.Conn, maxWaiting), done: make(chan struct{})}
	return &webListener{l, m}, m
}

// mediaListener accepts what a webListener hands over.
type mediaListener struct {
	address net.Addr
	done    chan struct{} // closed with the listener

	mu      sync.Mutex // guards sending to waiting, and closed
	waiting chan net.Conn
	closed  bool
}

func (m *mediaListener) Accept() (net.Conn, error) {
	select {
	case c := <-m.waiting:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

func (m *mediaListener) Addr() net.Addr { return m.address }

func (m *mediaListener) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return net.ErrClosed
	}
	m.closed = true
	close(m.done)
	for {
		select {
		case c := <-m.waiting:
			_ = c.Close()
		default:
			return nil
		}
	}
}

// offer hands a connection over, or closes it.
func (m *mediaListener) offer(c net.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		select {
		case m.waiting <- c:
			return
		default:
		}
	}
	_ = c.Close()
}

type webListener struct {
	net.Listener
	media *mediaListener
}

func (l *webListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &webConn{Conn: c, media: l.media}, nil
}

// webConn is a connection that may turn out to be for media.
type webConn struct {
	net.Conn
	media *mediaListener

	begun bool // owned by the reader: something has been read
	gone  atomic.Bool
}

// Read reads. It ends if the connection is for media.
func (c *webConn) Read(b []byte) (int, error) {
	if c.gone.Load() {
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Read(b)
	if n == 0 || c.begun {
		return n, err
	}
	c.begun = true
	if b[0] > 1 {
		return n, err
	}
	c.gone.Store(true)
	if err := c.Conn.SetDeadline(time.Time{}); err != nil {
		_ = c.Conn.Close()
		return 0, net.ErrClosed
	}
	c.media.offer(&mediaConn{Conn: c.Conn, begin: slices.Clone(b[:n])})
	return 0, net.ErrClosed
}

func (c *webConn) Write(b []byte) (int, error) {
	if c.gone.Load() {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// Close closes the connection unless it is somebody else's now.
func (c *webConn) Close() error {
	if c.gone.Load() {
		return nil
	}
	return c.Conn.Close()
}

func (c *webConn) SetDeadline(t time.Time) error     { return c.unlessGone(c.Conn.SetDeadline, t) }
func (c *webConn) SetReadDeadline(t time.Time) error { return c.unlessGone(c.Conn.SetReadDeadline, t) }

func (c *webConn) SetWriteDeadline(t time.Time) error {
	return c.unlessGone(c.Conn.SetWriteDeadline, t)
}

func (c *webConn) unlessGone(set func(time.Time) error, t time.Time) error {
	if c.gone.Load() {
		return net.ErrClosed
	}
	return set(t)
}

// mediaConn is a connection whose beginning has been read.
type mediaConn struct {
	net.Conn
	begin []byte // owned by the reader
}

func (c *mediaConn) Read(b []byte) (int, error) {
	if len(c.begin) > 0 {
		n := copy(b, c.begin)
		c.begin = c.begin[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}
