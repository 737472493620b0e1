// Package netaddr tells classes of IP addresses apart, says which of them count as
// one, and lists those of this machine.
//
// # Ownership
//
// All functions may be called from any goroutine and keep nothing.
//
// # Specifications
//
//   - RFC 6890 and the IANA registries of special-purpose addresses
//   - RFC 6598 (shared addresses), RFC 5737 and RFC 3849 (documentation)
package netaddr

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// maxLocal bounds the list of this machine's addresses.
const maxLocal = 1024

// special4 are the IPv4 networks that are not on the public Internet.
var special4 = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),        // this network
	netip.MustParsePrefix("10.0.0.0/8"),       // private
	netip.MustParsePrefix("100.64.0.0/10"),    // shared, behind a provider's NAT
	netip.MustParsePrefix("127.0.0.0/8"),      // loopback
	netip.MustParsePrefix("168.63.129.16/32"), // a cloud's metadata service
	netip.MustParsePrefix("169.254.0.0/16"),   // link-local, and metadata services
	netip.MustParsePrefix("172.16.0.0/12"),    // private
	netip.MustParsePrefix("192.0.0.0/24"),     // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),     // documentation
	netip.MustParsePrefix("192.88.99.0/24"),   // 6to4 relays
	netip.MustParsePrefix("192.168.0.0/16"),   // private
	netip.MustParsePrefix("198.18.0.0/15"),    // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"),  // documentation
	netip.MustParsePrefix("203.0.113.0/24"),   // documentation
	netip.MustParsePrefix("224.0.0.0/4"),      // multicast
	netip.MustParsePrefix("240.0.0.0/4"),      // reserved, and broadcast
}

// public6 holds the public IPv6 addresses, except for special6.
var public6 = netip.MustParsePrefix("2000::/3")

var special6 = [...]netip.Prefix{
	netip.MustParsePrefix("2001::/23"),     // protocol assignments, such as Teredo
	netip.MustParsePrefix("2001:db8::/32"), // documentation
	netip.MustParsePrefix("2002::/16"),     // 6to4, which holds any IPv4 address
	netip.MustParsePrefix("3fff::/20"),     // documentation
}

// Public reports whether a is a unicast address on the public Internet. IPv4
// addresses may be written as IPv6 ones.
func Public(a netip.Addr) bool {
	a = a.Unmap()
	if a.Is4() {
		return !contains(special4[:], a)
	}
	return public6.Contains(a) && !contains(special6[:], a)
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// sourceBits is how much of an IPv6 address tells one customer's from another's:
// the rest is up to the customer.
const sourceBits = 64

// Source is what all that comes from one address is counted as: an IPv4 address,
// or the network that an IPv6 address is in, since a whole network is what one
// customer usually has. It is invalid if a is.
func Source(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a
	}
	network, _ := a.Prefix(sourceBits) // the length is in range
	return network.Addr()
}

// Local returns the addresses of the interfaces that are up, loopback ones
// included, without zones, each once.
func Local() ([]netip.Addr, error) {
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
			ip, ok := netip.AddrFromSlice(n.IP)
			if ip = ip.Unmap(); ok && len(local) < maxLocal && !slices.Contains(local, ip) {
				local = append(local, ip)
			}
		}
	}
	return local, nil
}
