package turnserver

import (
	"errors"
	"net/netip"
	"slices"

	"galene/config"
	"galene/netaddr"
)

var errNoPublicAddress = errors.New(
	"this machine has no public address: -public-address says what it is reached by, -turn where to listen")

// site is where clients reach the server.
type site struct {
	bind       netip.Addr // an address of this machine
	advertised netip.Addr // the same, or what a NAT maps to it
}

// plan says where to listen, given the addresses of this machine. Nowhere is an
// error.
func plan(t config.TURN, public []netip.Addr, local []netip.Addr) ([]site, error) {
	var sites []site
	if t.Address.IsValid() && !t.Address.IsUnspecified() {
		sites = planFor(t.Address, local)
	} else {
		sites = planAll(t.Address, public, local)
	}
	if len(sites) == 0 {
		return nil, errNoPublicAddress
	}
	return sites[:min(len(sites), maxSites)], nil
}

// planFor plans to be reached by one address: if this machine does not have it,
// somebody forwards it to one that it has.
func planFor(address netip.Addr, local []netip.Addr) []site {
	if slices.Contains(local, address) {
		return []site{{address, address}}
	}
	var sites []site
	for _, a := range local {
		usable := a.IsGlobalUnicast() || a.IsLoopback() && address.IsLoopback()
		if usable && a.Is4() == address.Is4() {
			sites = append(sites, site{a, address})
		}
	}
	return sites
}

// planAll plans to be reached by all public addresses of the family, or of both
// if it is not valid.
func planAll(family netip.Addr, public, local []netip.Addr) []site {
	var sites []site
	for _, a := range local {
		if family.IsValid() && a.Is4() != family.Is4() {
			continue
		}
		mapped := slices.IndexFunc(public, func(p netip.Addr) bool { return p.Is4() == a.Is4() })
		switch {
		case slices.Contains(public, a) || netaddr.Public(a):
			sites = append(sites, site{a, a})
		case mapped >= 0 && a.IsGlobalUnicast():
			sites = append(sites, site{a, public[mapped]})
		}
	}
	return sites
}
