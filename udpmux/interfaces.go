package udpmux

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
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
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var local []netip.Addr
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // gone since it was listed
		}
		for _, a := range addrs {
			n, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			ip, _ := netip.AddrFromSlice(n.IP)
			ip = ip.Unmap()
			if usable(ip, loopback) && !slices.Contains(local, ip) {
				local = append(local, ip)
			}
		}
	}
	return local, nil
}

// usable reports whether a candidate may name ip.
func usable(ip netip.Addr, loopback bool) bool {
	return ip.IsGlobalUnicast() || loopback && ip.IsLoopback()
}
