package signalling

import (
	"net/netip"
	"sync"

	"galene/netaddr"
)

// addresses counts the connections from each address. Any goroutine.
type addresses struct {
	mu    sync.Mutex // guards count
	count map[netip.Addr]int
}

// whence is what connections from an address, as net/http writes it, are counted
// under; ok is false if they are not counted. A reverse proxy on this machine is
// the address of everybody behind it.
func whence(address string) (source netip.Addr, ok bool) {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Addr{}, false // of a Unix socket
	}
	if ap.Addr().Unmap().IsLoopback() {
		return netip.Addr{}, false
	}
	return netaddr.Source(ap.Addr()), true
}

// enter counts a connection unless there are limit already. If it reports true,
// the caller calls leave when the connection has ended.
func (a *addresses) enter(address string, limit int) bool {
	from, counted := whence(address)
	if !counted {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.count[from] >= limit {
		return false
	}
	if a.count == nil {
		a.count = make(map[netip.Addr]int)
	}
	a.count[from]++
	return true
}

func (a *addresses) leave(address string) {
	from, counted := whence(address)
	if !counted {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.count[from]--; a.count[from] <= 0 {
		delete(a.count, from)
	}
}
