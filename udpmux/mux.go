package udpmux

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/ice/v4"

	"galene/udpsocket"
)

var _ ice.UDPMux = (*Mux)(nil)

// ErrAddress is returned by [Mux.GetConn] for an address that the mux does not
// serve.
var ErrAddress = errors.New("udpmux: not an address of this mux")

// Options configure a [Mux]. The zero value is valid.
type Options struct {
	Port     int          // UDP port; 0 lets the system choose
	Shards   int          // sockets per address family, each with a reader of its own; 0 is 1
	Loopback bool         // offer loopback addresses too
	Log      *slog.Logger // slog.Default() if nil
}

// Mux carries all connections over one UDP port. It implements [ice.UDPMux].
// Its methods may be called from any goroutine.
type Mux struct {
	// Immutable after Listen.
	port     int
	loopback bool
	log      *slog.Logger
	sockets  []*udpsocket.Socket
	done     chan struct{}
	readers  sync.WaitGroup

	// Any goroutine.
	stats     counters
	local     localList
	addresses table
	buffers   sync.Pool // of *datagram, between readers and candidates

	// mu guards the fields below, handler.agents, and against writers agent.conns
	// and agent.handler.
	mu       sync.RWMutex
	agents   map[string]*agent // by local user name fragment; those with candidates or a receiver
	handlers map[Receiver]*handler
	closed   bool
}

// Listen opens the sockets and starts reading. It is an error if neither family
// can be had, or if a family's port is taken.
func Listen(o Options) (*Mux, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	sockets, port, err := udpsocket.Open(udpsocket.Options{Port: o.Port, Shards: o.Shards, Log: o.Log})
	if err != nil {
		return nil, fmt.Errorf("udpmux: %w", err)
	}
	m := &Mux{
		port:     port,
		loopback: o.Loopback,
		log:      o.Log,
		sockets:  sockets,
		done:     make(chan struct{}),
		agents:   make(map[string]*agent),
		handlers: make(map[Receiver]*handler),
	}
	for _, s := range sockets {
		m.readers.Go(func() { m.read(s) })
	}
	return m, nil
}

// Port is the UDP port, the same for both families.
func (m *Mux) Port() int { return m.port }

// GetListenAddresses returns a [net.UDPAddr] for each local address that
// candidates may name: the unicast addresses of interfaces that are up, as they
// were a second ago at most, without link-local ones.
func (m *Mux) GetListenAddresses() []net.Addr {
	local, err := m.local.get(time.Now(), m.loopback)
	if err != nil {
		m.log.Warn("cannot list local addresses", "error", err)
		return nil
	}
	var addrs []net.Addr
	for _, a := range local {
		if m.socketFor(a) != nil {
			addrs = append(addrs, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, m.portNumber())))
		}
	}
	return addrs
}

// GetConn returns a connection for one candidate of the agent with the given
// local user name fragment. addr is the candidate's base, one of
// [Mux.GetListenAddresses]. The caller closes the connection. A second one for
// the same fragment and address may send, and receives once the first is closed.
func (m *Mux) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return nil, fmt.Errorf("%w: %v", ErrAddress, addr)
	}
	local := udpsocket.Canonical(udp.AddrPort())
	ip := local.Addr()
	s := m.socketFor(ip)
	if s == nil || local.Port() != m.portNumber() || ip.IsUnspecified() || ip.IsMulticast() {
		return nil, fmt.Errorf("%w: %v", ErrAddress, addr)
	}

	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, net.ErrClosed
	}
	a := m.agent(ufrag)
	c := newPacketConn(a, s, local)
	a.setConns(append(slices.Clone(a.list()), c))
	return c, nil
}

// RemoveConnByUfrag takes its candidates from an agent: their connections receive
// nothing more and remain to be closed. An agent without a receiver is forgotten,
// with the addresses it owns.
func (m *Mux) RemoveConnByUfrag(ufrag string) {
	m.mu.Lock()
	a := m.agents[ufrag]
	idle := false
	if a != nil {
		a.setConns(nil)
		idle = m.retire(a)
	}
	m.mu.Unlock()
	if idle {
		a.forget()
	}
}

// Close closes all connections and the sockets, and awaits the readers. It is
// idempotent.
func (m *Mux) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		m.readers.Wait()
		return nil
	}
	m.closed = true
	agents := m.agents
	m.agents = nil
	m.mu.Unlock()

	close(m.done)
	var errs []error
	for _, s := range m.sockets {
		errs = append(errs, s.Close())
	}
	m.readers.Wait()
	for _, a := range agents {
		a.forget()
		for _, c := range a.list() {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

// find returns the agent with a local user name fragment, or nil.
func (m *Mux) find(ufrag []byte) *agent {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.agents[string(ufrag)]
}

// agent returns the agent with a local user name fragment, which it makes if
// need be. The caller holds m.mu.
func (m *Mux) agent(ufrag string) *agent {
	a := m.agents[ufrag]
	if a == nil {
		a = &agent{mux: m, ufrag: ufrag}
		m.agents[ufrag] = a
	}
	return a
}

// retire reports whether an agent has neither candidates nor a receiver, and takes
// it from the list if so: the caller, who holds m.mu, forgets it after releasing
// that.
func (m *Mux) retire(a *agent) (idle bool) {
	if len(a.list()) > 0 || a.handler.Load() != nil {
		return false
	}
	if m.agents[a.ufrag] == a {
		delete(m.agents, a.ufrag)
	}
	return true
}

// drop removes a closed connection, and with the last one an agent that has no
// receiver.
func (m *Mux) drop(c *packetConn) {
	a := c.agent
	m.mu.Lock()
	a.setConns(slices.DeleteFunc(slices.Clone(a.list()), func(o *packetConn) bool { return o == c }))
	idle := m.retire(a)
	m.mu.Unlock()
	if idle {
		a.forget()
	}
}

// socketFor returns the socket that sends to addr's family, or nil.
func (m *Mux) socketFor(addr netip.Addr) *udpsocket.Socket {
	for _, s := range m.sockets {
		if addr.IsValid() && s.IPv6() == addr.Is6() {
			return s
		}
	}
	return nil
}

// sendsFrom tells whether local is an address of ours, a candidate of a or else
// one that candidates may name, from which datagrams may go to remote.
func (m *Mux) sendsFrom(a *agent, local, remote netip.Addr) bool {
	if !local.IsValid() || !reaches(local, remote) {
		return false
	}
	if slices.ContainsFunc(a.list(), func(c *packetConn) bool { return c.local.Addr() == local }) {
		return true
	}
	addrs, err := m.local.get(time.Now(), m.loopback)
	return err == nil && slices.Contains(addrs, local)
}

func (m *Mux) portNumber() uint16 { return uint16(m.port) }
