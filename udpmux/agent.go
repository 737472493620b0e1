package udpmux

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
)

const (
	// maxAddresses bounds the remote addresses that one agent owns. Beyond it
	// the one it has owned longest is forgotten; writing to it brings it back.
	maxAddresses = 64
	// maxClaims bounds the addresses that an agent may take from others: those
	// from which it got binding requests that it has not answered yet.
	maxClaims = 8
	// maxHeard bounds the addresses from which an agent hears binding requests
	// before it owns them: it makes a candidate of each, and checks it.
	maxHeard = 256
)

// agent is what the mux knows of one ICE agent, or rather of one generation of
// it: an ICE restart changes the user name fragment.
type agent struct {
	// Immutable.
	mux   *Mux
	ufrag string

	// conns has one element per local candidate. Any goroutine may read the
	// slice, which is replaced, never changed; Mux.mu guards its replacement.
	conns atomic.Pointer[[]*packetConn]
	// handler takes its RTP packets; nil if there is none. Any goroutine may read
	// it; Mux.mu guards its replacement.
	handler atomic.Pointer[handler]

	mu        sync.Mutex                  // guards the fields below
	addresses []netip.AddrPort            // remote addresses this agent owns or did own, oldest first
	claims    []netip.AddrPort            // others' addresses a binding request came from, oldest first
	heard     map[netip.AddrPort]struct{} // addresses a binding request came from
	forgotten bool                        // may own nothing more
}

func (a *agent) list() []*packetConn {
	if p := a.conns.Load(); p != nil {
		return *p
	}
	return nil
}

func (a *agent) setConns(conns []*packetConn) { a.conns.Store(&conns) }

// conn returns the connection of the candidate with the local address that a
// datagram from remote came to, or nil. Where the system does not tell the local
// address, it is the first of the remote's family.
func (a *agent) conn(local netip.Addr, remote netip.AddrPort) *packetConn {
	for _, c := range a.list() {
		if c.local.Addr() == local || !local.IsValid() && c.socket.IPv6() == remote.Addr().Is6() {
			return c
		}
	}
	return nil
}

// claim notes that a binding request for this agent came from an address that
// it does not own. It reports whether the agent is to hear of it.
func (a *agent) claim(remote netip.AddrPort) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.forgotten {
		return false
	}
	if _, ok := a.heard[remote]; !ok {
		if len(a.heard) >= maxHeard {
			return false
		}
		if a.heard == nil {
			a.heard = make(map[netip.AddrPort]struct{})
		}
		a.heard[remote] = struct{}{}
	}
	if slices.Contains(a.claims, remote) {
		return true
	}
	if len(a.claims) == maxClaims {
		a.claims = slices.Delete(a.claims, 0, 1)
	}
	a.claims = append(a.claims, remote)
	return true
}

// sharesReceiver tells whether a and b are generations of one connection.
func (a *agent) sharesReceiver(b *agent) bool {
	h := a.handler.Load()
	return h != nil && h == b.handler.Load()
}

// own makes the agent the owner of remote if nobody is, if it has a claim, or if
// the owner has the same receiver.
func (a *agent) own(remote netip.AddrPort) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.forgotten {
		return
	}
	claim := slices.Index(a.claims, remote)
	if !a.mux.addresses.put(remote, a, claim >= 0) {
		return
	}
	if claim >= 0 {
		a.claims = slices.Delete(a.claims, claim, claim+1)
	}
	if slices.Contains(a.addresses, remote) {
		return // lost in the meantime and now regained
	}
	if len(a.addresses) == maxAddresses {
		a.mux.addresses.remove(a.addresses[0], a)
		a.addresses = slices.Delete(a.addresses, 0, 1)
	}
	a.addresses = append(a.addresses, remote)
}

// zoned returns a link-local address without zone as the agent owns it: with the
// zone from which datagrams came. Any other address it returns as it is.
func (a *agent) zoned(remote netip.AddrPort) netip.AddrPort {
	if ip := remote.Addr(); !ip.Is6() || !ip.IsLinkLocalUnicast() || ip.Zone() != "" {
		return remote
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, known := range slices.Backward(a.addresses) {
		if known.Port() == remote.Port() && known.Addr().WithZone("") == remote.Addr() {
			return known
		}
	}
	return remote
}

// forget takes all addresses from the agent, for good.
func (a *agent) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgotten = true
	for _, remote := range a.addresses {
		a.mux.addresses.remove(remote, a)
	}
	a.addresses, a.claims, a.heard = nil, nil, nil
}
