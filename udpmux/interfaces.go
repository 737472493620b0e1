package udpmux

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"galene/netaddr"
)

// localAge is how old a list of local addresses may be. Asking the system costs
// about as much as everything else that a new connection needs of the mux.
const localAge = time.Second

// localList remembers the local addresses for a while. The zero value is empty.
type localList struct {
	mu    sync.Mutex // guards the fields below
	addrs []netip.Addr
	at    time.Time // when addrs was true; zero if it never was
}

// get returns the local addresses, which the caller must not change.
func (l *localList) get(now time.Time, loopback bool) ([]netip.Addr, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.at.IsZero() && now.Sub(l.at) < localAge {
		return l.addrs, nil
	}
	addrs, err := localAddresses(loopback)
	if err != nil {
		return nil, err
	}
	l.addrs, l.at = addrs, now
	return addrs, nil
}

// localAddresses lists the addresses of the interfaces that are up: global and
// private unicast, and the loopback ones if asked for. Link-local ones are
// left out, as peers cannot reach them without knowing an interface.
func localAddresses(loopback bool) ([]netip.Addr, error) {
	local, err := netaddr.Local()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(local, func(ip netip.Addr) bool { return !usable(ip, loopback) }), nil
}

// usable reports whether a candidate may name ip.
func usable(ip netip.Addr, loopback bool) bool {
	return ip.IsGlobalUnicast() || loopback && ip.IsLoopback()
}
