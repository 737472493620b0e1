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
)

var _ ice.UDPMux = (*Mux)(nil)

// ErrAddress is returned by [Mux.GetConn] for an address that the mux does not
// serve.
var ErrAddress = errors.New("udpmux: not an address of this mux")

// Options configure a [Mux]. The zero value is valid.
type Options struct {
	Port     int          // UDP port; 0 lets the system choose
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
	sockets  []*socket // at most one per family
	done     chan struct{}
	readers  sync.WaitGroup

	// Any goroutine.
	stats     counters
	local     localList
	addresses table
	buffers   sync.Pool // of *datagram, between readers and candidates

	mu     sync.RWMutex      // guards the fields below, and agent.conns against writers
	agents map[string]*agent // by local user name fragment
	closed bool
}

// Listen opens the sockets and starts reading. It is an error if neither family
// can be had, or if a family's port is taken.
func Listen(o Options) (*Mux, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	sockets, port, err := openSockets(o.Port, o.Log)
	if err != nil {
		return nil, err
	}
	m := &Mux{
		port:     port,
		loopback: o.Loopback,
		log:      o.Log,
		sockets:  sockets,
		done:     make(chan struct{}),
		agents:   make(map[string]*agent),
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
	local := canonical(udp.AddrPort())
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
	a := m.agents[ufrag]
	if a == nil {
		a = &agent{mux: m, ufrag: ufrag}
		m.agents[ufrag] = a
	}
	c := newPacketConn(a, s, local)
	a.setConns(append(slices.Clone(a.list()), c))
	return c, nil
}

// RemoveConnByUfrag forgets an agent and the addresses it owns. Its connections
// receive nothing more and remain to be closed by their candidates.
func (m *Mux) RemoveConnByUfrag(ufrag string) {
	m.mu.Lock()
	a := m.agents[ufrag]
	delete(m.agents, ufrag)
	m.mu.Unlock()
	if a != nil {
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
		errs = append(errs, s.close())
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

// drop removes a closed connection, and its agent with the last one.
func (m *Mux) drop(c *packetConn) {
	a := c.agent
	m.mu.Lock()
	rest := slices.DeleteFunc(slices.Clone(a.list()), func(o *packetConn) bool { return o == c })
	a.setConns(rest)
	last := len(rest) == 0
	if last && m.agents[a.ufrag] == a {
		delete(m.agents, a.ufrag)
	}
	m.mu.Unlock()
	if last {
		a.forget()
	}
}

// socketFor returns the socket of addr's family, or nil.
func (m *Mux) socketFor(addr netip.Addr) *socket {
	for _, s := range m.sockets {
		if addr.IsValid() && s.v6 == addr.Is6() {
			return s
		}
	}
	return nil
}

func (m *Mux) portNumber() uint16 { return uint16(m.port) }

// canonical gives every transport address one form: IPv4 never mapped into
// IPv6, zones only where they tell interfaces apart.
func canonical(a netip.AddrPort) netip.AddrPort {
	ip := a.Addr().Unmap()
	if !ip.IsLinkLocalUnicast() {
		ip = ip.WithZone("")
	}
	return netip.AddrPortFrom(ip, a.Port())
}
