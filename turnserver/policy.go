package turnserver

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"galene/netaddr"
)

// ownAge is how long the list of this machine's addresses is used.
const ownAge = 10 * time.Second

// Media is where the server's media connections are.
type Media struct {
	Min, Max uint16 // ports, inclusive
	Loopback bool   // they are on loopback addresses too
}

// policy says whom clients may send to and receive from. Its methods may be
// called from any goroutine.
type policy struct {
	// Immutable.
	media Media
	local func() ([]netip.Addr, error)

	reach   atomic.Pointer[Reach]
	own     atomic.Pointer[ownAddresses]
	listing sync.Mutex // held by whoever lists the addresses

	mu     sync.RWMutex                      // guards the fields below
	relays map[netip.AddrPort]netip.AddrPort // relayed addresses in use, to the sockets' addresses
	inside map[netip.AddrPort]netip.AddrPort // the inverse
}

// ownAddresses are the addresses of this machine at some time.
type ownAddresses struct {
	set map[netip.Addr]struct{}
	at  time.Time
}

func newPolicy(media Media, reach Reach, local func() ([]netip.Addr, error)) *policy {
	p := &policy{
		media: media, local: local,
		relays: make(map[netip.AddrPort]netip.AddrPort),
		inside: make(map[netip.AddrPort]netip.AddrPort),
	}
	p.own.Store(&ownAddresses{})
	p.follow(&reach)
	return p
}

// follow makes the rules those of r, which nobody changes any more.
func (p *policy) follow(r *Reach) {
	p.reach.Store(r)
	p.listing.Lock()
	defer p.listing.Unlock()
	p.list(time.Now())
}

// isOwn reports whether a is an address of this machine.
func (p *policy) isOwn(a netip.Addr, now time.Time) bool {
	if a.IsLoopback() {
		return true
	}
	own := p.own.Load()
	if now.Sub(own.at).Abs() >= ownAge && p.listing.TryLock() {
		own = p.list(now)
		p.listing.Unlock()
	}
	_, ok := own.set[a]
	return ok
}

// list lists the addresses anew. If that is not possible the previous list
// stays in use.
func (p *policy) list(now time.Time) *ownAddresses {
	local, err := p.local()
	public := p.reach.Load().Public
	own := &ownAddresses{set: p.own.Load().set, at: now}
	if err == nil {
		own.set = make(map[netip.Addr]struct{}, len(local)+len(public))
		for _, a := range slices.Concat(local, public) {
			own.set[a] = struct{}{}
		}
	}
	p.own.Store(own)
	return own
}

// allows reports whether peer may be sent to and received from at now.
func (p *policy) allows(peer netip.AddrPort, now time.Time) bool {
	a := peer.Addr()
	if peer.Port() == 0 || a.IsUnspecified() || a.IsMulticast() || !a.IsValid() {
		return false
	}
	own := p.isOwn(a, now)
	switch {
	case p.isConfigured(peer, own):
		return true
	case own:
		return p.isMedia(peer) || p.isRelay(peer)
	default:
		return netaddr.Public(a)
	}
}

// permits reports whether there is a port of a that is allowed at now.
func (p *policy) permits(a netip.Addr, now time.Time) bool {
	if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
		return false
	}
	for _, peers := range p.reach.Load().Peers {
		if peers.Prefix.Contains(a) {
			return true // which port is for allows to say
		}
	}
	if p.isOwn(a, now) {
		return !a.IsLinkLocalUnicast() && (!a.IsLoopback() || p.media.Loopback) || p.hasRelay(a)
	}
	return netaddr.Public(a)
}

// isConfigured reports whether the administrator allows peer. A network does not
// open the ports of this machine in it: that needs a port.
func (p *policy) isConfigured(peer netip.AddrPort, own bool) bool {
	for _, peers := range p.reach.Load().Peers {
		if peers.Prefix.Contains(peer.Addr()) && (peers.Port == peer.Port() || peers.Port == 0 && !own) {
			return true
		}
	}
	return false
}

// isMedia reports whether media arrives at peer, which has an address of this
// machine.
func (p *policy) isMedia(peer netip.AddrPort) bool {
	if peer.Addr().IsLoopback() && !p.media.Loopback || peer.Addr().IsLinkLocalUnicast() {
		return false
	}
	return p.media.Min != 0 && p.media.Min <= peer.Port() && peer.Port() <= p.media.Max
}

func (p *policy) isRelay(peer netip.AddrPort) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if _, ok := p.relays[peer]; ok {
		return true
	}
	_, ok := p.inside[peer]
	return ok
}

func (p *policy) hasRelay(a netip.Addr) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for relay := range p.relays {
		if relay.Addr() == a {
			return true
		}
	}
	return false
}

// addRelay notes that relayed is in use, by a socket that is bound to socket.
func (p *policy) addRelay(relayed, socket netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.relays[relayed], p.inside[socket] = socket, relayed
}

func (p *policy) removeRelay(relayed, socket netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.relays, relayed)
	delete(p.inside, socket)
}

// inward returns where peer is to be reached from this machine: behind a NAT,
// what is sent to our own public address may not come back.
func (p *policy) inward(peer netip.AddrPort) netip.AddrPort {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if socket, ok := p.relays[peer]; ok {
		return socket
	}
	return peer
}

// outward is the inverse of inward.
func (p *policy) outward(peer netip.AddrPort) netip.AddrPort {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if relayed, ok := p.inside[peer]; ok {
		return relayed
	}
	return peer
}
