// Package netlimit bounds how many connections a listener accepts, altogether
// and from one network address.
//
// # Ownership
//
// A [Listener] owns the listener that it was made of, and closes the connections
// that it has accepted when it is closed. All methods may be called from any
// goroutine.
package netlimit

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"galene/netaddr"
)

// Limits are how many connections may be open at a time.
type Limits struct {
	Total  int
	Source int // from one source, as of [netaddr.Source]
	// Of, unless nil, is called for each connection, and says instead of Source how
	// many may come from where this one comes from. It is not called for Unix
	// sockets, of which only Total bounds the connections.
	Of func(netip.Addr) int
}

// Listener is a listener with limits. Connections beyond them are closed at
// once.
type Listener struct {
	// Immutable.
	listener net.Listener
	limits   Limits

	open sync.WaitGroup // the connections that their users have not closed

	mu      sync.Mutex // guards the fields below
	conns   map[*conn]struct{}
	sources map[netip.Addr]int
	closed  bool
}

// New returns a listener that bounds what l accepts.
func New(l net.Listener, limits Limits) *Listener {
	return &Listener{
		listener: l,
		limits:   limits,
		conns:    make(map[*conn]struct{}),
		sources:  make(map[netip.Addr]int),
	}
}

// acceptPause is how long a listener rests that has failed.
const acceptPause = 100 * time.Millisecond

// Accept waits for a connection within the limits. It fails only when the
// listener has been closed: what else goes wrong, such as that no more files may
// be open, may pass.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil {
			time.Sleep(acceptPause)
			continue
		}
		if limited, ok := l.admit(c); ok {
			return limited, nil
		}
		_ = c.Close()
	}
}

// admit counts a connection, unless there are enough.
func (l *Listener) admit(c net.Conn) (*conn, bool) {
	var source netip.Addr
	most := l.limits.Source
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		address := tcp.AddrPort().Addr()
		source = netaddr.Source(address)
		if l.limits.Of != nil {
			most = l.limits.Of(address)
		}
	} else if l.limits.Of != nil {
		most = l.limits.Total
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.conns) >= l.limits.Total || l.sources[source] >= most {
		return nil, false
	}
	limited := &conn{Conn: c, listener: l, source: source}
	l.conns[limited] = struct{}{}
	l.sources[source]++
	l.open.Add(1)
	return limited, true
}

// Addr is the address that the listener listens on.
func (l *Listener) Addr() net.Addr { return l.listener.Addr() }

// Close stops listening and cuts all connections. Their users notice when they
// read or write, and have to close them as ever.
func (l *Listener) Close() error {
	l.mu.Lock()
	l.closed = true
	for c := range l.conns {
		_ = c.Conn.Close()
	}
	l.mu.Unlock()
	return l.listener.Close()
}

// Wait waits until all connections have been closed by their users.
func (l *Listener) Wait() { l.open.Wait() }

// conn is a connection that is counted until it is closed.
type conn struct {
	net.Conn
	listener *Listener
	source   netip.Addr
	once     sync.Once
}

// Close closes the connection.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		l := c.listener
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.conns, c)
		if l.sources[c.source]--; l.sources[c.source] == 0 {
			delete(l.sources, c.source)
		}
		l.open.Done()
	})
	return err
}
