package turnserver

import (
	"net/netip"
	"sync"
)

// Quota bounds the allocations.
type Quota struct {
	Client int // of one client
	Source int // from one source, as of [netaddr.Source]
	Total  int
}

// withDefaults replaces zeros.
func (q Quota) withDefaults() Quota {
	for _, d := range []struct {
		limit *int
		value int
	}{
		{&q.Client, maxAllocationsPerClient},
		{&q.Source, maxAllocationsPerSource},
		{&q.Total, maxAllocations},
	} {
		if *d.limit == 0 {
			*d.limit = d.value
		}
	}
	return q
}

// accounts counts the allocations that there are. Any goroutine may use it.
type accounts struct {
	quota Quota

	mu      sync.Mutex // guards the fields below
	total   int
	clients map[string]int
	sources map[netip.Addr]int
}

func newAccounts(q Quota) *accounts {
	return &accounts{quota: q.withDefaults(), clients: make(map[string]int), sources: make(map[netip.Addr]int)}
}

// room reports whether u may have one more.
func (a *accounts) room(u user) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.roomLocked(u)
}

func (a *accounts) roomLocked(u user) bool {
	if a.total >= a.quota.Total {
		return false
	}
	// The server itself has as many connections as all clients together.
	return u.id == serverID || a.clients[u.id] < a.quota.Client && a.sources[u.source] < a.quota.Source
}

// take counts one more for u, if it may have one.
func (a *accounts) take(u user) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.roomLocked(u) {
		return false
	}
	a.total++
	if u.id != serverID {
		a.clients[u.id]++
		a.sources[u.source]++
	}
	return true
}

// giveBack counts one less for u.
func (a *accounts) giveBack(u user) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total--
	if u.id == serverID {
		return
	}
	if a.clients[u.id]--; a.clients[u.id] == 0 {
		delete(a.clients, u.id)
	}
	if a.sources[u.source]--; a.sources[u.source] == 0 {
		delete(a.sources, u.source)
	}
}

// count is how many there are.
func (a *accounts) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.total
}
