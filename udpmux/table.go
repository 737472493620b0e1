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
	agents atomic.Pointer[map[netip.AddrPort]*agent] // never changed, only replaced

	mu sync.Mutex // serialises replacements
}

// get returns the owner of a canonical address, or nil.
func (t *table) get(remote netip.AddrPort) *agent {
	p := t.shard(remote).agents.Load()
	if p == nil {
		return nil
	}
	return (*p)[remote]
}

// put makes a the owner of an address that nobody owns, or, if take is set,
// of any address. It reports whether a owns it now.
func (t *table) put(remote netip.AddrPort, a *agent, take bool) bool {
	s := t.shard(remote)
	s.mu.Lock()
	defer s.mu.Unlock()
	if owner := t.get(remote); owner == a || owner != nil && !take {
		return owner == a
	}
	next := s.clone()
	next[remote] = a
	s.agents.Store(&next)
	return true
}

// remove takes an address from a, if a still owns it.
func (t *table) remove(remote netip.AddrPort, a *agent) {
	s := t.shard(remote)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.agents.Load(); p == nil || (*p)[remote] != a {
		return
	}
	next := s.clone()
	delete(next, remote)
	s.agents.Store(&next)
}

// clone returns a copy of the shard's map; the caller holds s.mu.
func (s *shard) clone() map[netip.AddrPort]*agent {
	next := make(map[netip.AddrPort]*agent)
	if p := s.agents.Load(); p != nil {
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
