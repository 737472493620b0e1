package udpmux

import (
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"
)

// shards divides the table so that a change copies a small part of it.
const shards = 256

// table says which agent owns a remote address. It is read for every datagram,
// in either direction, and changes when connections come and go: reading takes
// no lock, changing copies one shard. The zero value is empty.
type table [shards]shard

type shard struct {
	owners atomic.Pointer[map[netip.AddrPort]*owner] // never changed, only replaced

	mu sync.Mutex // serialises replacements
}

// owner is the ownership of one remote address.
type owner struct {
	agent *agent // immutable

	// local is the address that the last datagram from there came to; nil before
	// the first. It is what everybody reads and seldom anybody writes.
	local atomic.Pointer[netip.Addr]
}

// cameTo notes the local address of a datagram, if the system told it.
func (o *owner) cameTo(local netip.Addr) {
	if known := o.local.Load(); local.IsValid() && (known == nil || *known != local) {
		o.setLocal(local)
	}
}

// setLocal is apart because it makes its argument escape.
func (o *owner) setLocal(local netip.Addr) { o.local.Store(&local) }

// lastLocal returns the local address of the last datagram, invalid if unknown.
func (o *owner) lastLocal() netip.Addr {
	if known := o.local.Load(); known != nil {
		return *known
	}
	return netip.Addr{}
}

// owner returns the ownership of a canonical address, or nil.
func (t *table) owner(remote netip.AddrPort) *owner {
	p := t.shard(remote).owners.Load()
	if p == nil {
		return nil
	}
	return (*p)[remote]
}

// get returns the agent that owns a canonical address, or nil.
func (t *table) get(remote netip.AddrPort) *agent {
	if o := t.owner(remote); o != nil {
		return o.agent
	}
	return nil
}

// put makes a the owner of an address that nobody owns, or an agent with the same
// receiver, or, if take is set, anybody. It reports whether a owns it now.
func (t *table) put(remote netip.AddrPort, a *agent, take bool) bool {
	s := t.shard(remote)
	s.mu.Lock()
	defer s.mu.Unlock()
	next := &owner{agent: a}
	if old := t.owner(remote); old != nil {
		if old.agent == a || !take && !old.agent.sharesReceiver(a) {
			return old.agent == a
		}
		next.local.Store(old.local.Load())
	}
	owners := s.clone()
	owners[remote] = next
	s.owners.Store(&owners)
	return true
}

// remove takes an address from a, if a still owns it.
func (t *table) remove(remote netip.AddrPort, a *agent) {
	s := t.shard(remote)
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.get(remote) != a {
		return
	}
	owners := s.clone()
	delete(owners, remote)
	s.owners.Store(&owners)
}

// clone returns a copy of the shard's map; the caller holds s.mu.
func (s *shard) clone() map[netip.AddrPort]*owner {
	next := make(map[netip.AddrPort]*owner)
	if p := s.owners.Load(); p != nil {
		maps.Copy(next, *p)
	}
	return next
}

// shard picks by port and the end of the address, where peers differ. A peer
// that chooses its ports can make one shard large; that costs copying, as
// without shards, and no more.
func (t *table) shard(remote netip.AddrPort) *shard {
	ip := remote.Addr().As16()
	port := remote.Port()
	return &t[byte(port)^byte(port>>8)^ip[15]^ip[14]]
}
