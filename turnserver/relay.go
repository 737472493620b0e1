package turnserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/turn/v5"
)

var (
	errQuota     = errors.New("no more allocations")
	errFamily    = errors.New("no address of this family to relay from")
	errNoTCP     = errors.New("TCP is not relayed")
	errNotOurs   = errors.New("not a user of this server")
	errNoAddress = errors.New("no address")
)

// generator makes the relayed addresses of the clients of one site. It
// implements turn.RelayAddressGenerator.
type generator struct {
	server *Server
	site   site
}

// Validate implements turn.RelayAddressGenerator.
func (*generator) Validate() error { return nil }

// AllocatePacketConn opens the socket of a relayed address. Pion calls it
// without a user to find a free port; it closes that socket at once.
func (g *generator) AllocatePacketConn(c turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	if c.UserID == "" { // always for IPv4, whatever family is meant
		conn, err := listenRelay(g.site.bind, c.RequestedPort)
		if err != nil {
			return nil, nil, err
		}
		return conn, conn.LocalAddr(), nil
	}
	from, ok := g.server.relaySite(g.site, c.Network)
	if !ok {
		return nil, nil, errFamily
	}
	u, ok := parseUser(c.UserID)
	if !ok {
		return nil, nil, errNotOurs
	}
	if !g.server.accounts.take(u) {
		return nil, nil, errQuota
	}
	conn, err := listenRelay(from.bind, c.RequestedPort)
	if err != nil {
		g.server.accounts.giveBack(u)
		return nil, nil, err
	}
	r := newRelay(g.server, conn, u, from)
	return r, net.UDPAddrFromAddrPort(r.relayed), nil
}

func listenRelay(bind netip.Addr, port int) (*net.UDPConn, error) {
	var config net.ListenConfig
	address := netip.AddrPortFrom(bind, uint16(port))
	conn, err := config.ListenPacket(context.Background(), "udp", address.String())
	if err != nil {
		return nil, fmt.Errorf("relayed address: %w", err)
	}
	return conn.(*net.UDPConn), nil
}

// AllocateListener refuses to relay TCP.
func (*generator) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errNoTCP
}

// AllocateConn refuses to relay TCP.
func (*generator) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) { return nil, errNoTCP }

// routeAge is how long a decision about a peer holds.
const routeAge = time.Second

// route is what was decided about a peer. It is immutable.
type route struct {
	peer  netip.AddrPort
	other netip.AddrPort // the peer's address on the other side of our NAT
	allow bool
	until time.Time
}

// relay is the socket of one relayed address, which packets of peers that are
// not allowed neither leave nor enter.
type relay struct {
	*net.UDPConn
	// Immutable.
	server          *Server
	user            user
	relayed, socket netip.AddrPort

	out, in   atomic.Pointer[route] // the latest decisions
	closing   sync.Once
	endedRead sync.Once
}

func newRelay(s *Server, conn *net.UDPConn, u user, from site) *relay {
	socket := unmap(conn.LocalAddr().(*net.UDPAddr).AddrPort())
	r := &relay{
		UDPConn: conn, server: s, user: u,
		relayed: netip.AddrPortFrom(from.advertised, socket.Port()), socket: socket,
	}
	s.policy.addRelay(r.relayed, r.socket)
	s.running.Add(1)
	return r
}

// WriteTo sends to a peer. What is not allowed disappears, as if in a network.
func (r *relay) WriteTo(b []byte, address net.Addr) (int, error) {
	udp, ok := address.(*net.UDPAddr)
	if !ok {
		return 0, errNoAddress
	}
	to := r.route(&r.out, unmap(udp.AddrPort()), r.server.policy.inward)
	if !to.allow {
		r.server.denied.Add(1)
		return len(b), nil
	}
	return r.WriteToUDPAddrPort(b, to.other)
}

// ReadFrom receives from a peer. Only Pion's reader of this relay calls it, until
// there is an error.
func (r *relay) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, source, err := r.ReadFromUDPAddrPort(b)
		if err != nil && !retry(err) {
			r.endedRead.Do(r.server.running.Done)
			return n, nil, err
		}
		if err != nil {
			continue
		}
		from := r.route(&r.in, unmap(source), r.server.policy.outward)
		// Ports of this machine are known by the addresses outside.
		if from.allow {
			return n, net.UDPAddrFromAddrPort(from.other), nil
		}
		r.server.denied.Add(1)
	}
}

// route decides about peer, or remembers.
func (r *relay) route(last *atomic.Pointer[route], peer netip.AddrPort, other func(netip.AddrPort) netip.AddrPort) *route {
	now := time.Now()
	if known := last.Load(); known != nil && known.peer == peer && now.Before(known.until) {
		return known
	}
	decided := &route{
		peer: peer, other: other(peer), allow: r.server.policy.allows(peer, now), until: now.Add(routeAge),
	}
	last.Store(decided)
	return decided
}

// Close gives the relayed address back.
func (r *relay) Close() error {
	r.closing.Do(func() {
		r.server.policy.removeRelay(r.relayed, r.socket)
		r.server.accounts.giveBack(r.user)
		_ = r.UDPConn.Close()
	})
	return nil
}

// unmap makes IPv4 addresses be such, and forgets zones.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}
