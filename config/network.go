package config

import (
	"fmt"
	"net/netip"
	"slices"
)

// unixNetwork stands for Unix sockets in a list of networks.
const unixNetwork = "unix"

// Network is a set of addresses: a prefix such as "192.0.2.0/24", a single
// address, or "unix" for whoever connects to a Unix socket. The zero value is
// empty.
type Network struct {
	prefix netip.Prefix
	unix   bool
}

// UnmarshalText reads a network.
func (n *Network) UnmarshalText(text []byte) error {
	if string(text) == unixNetwork {
		*n = Network{unix: true}
		return nil
	}
	prefix, err := netip.ParsePrefix(string(text))
	if err != nil {
		var address netip.Addr
		if address, err = netip.ParseAddr(string(text)); err == nil {
			prefix, err = address.Unmap().Prefix(address.Unmap().BitLen())
		}
	}
	if err != nil {
		return fmt.Errorf("%q is neither an address, nor a network such as \"192.0.2.0/24\", nor %q", text, unixNetwork)
	}
	*n = Network{prefix: prefix.Masked()}
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (n Network) MarshalText() ([]byte, error) {
	if n.unix {
		return []byte(unixNetwork), nil
	}
	return n.prefix.MarshalText()
}

// Trusts reports whether a peer is one of the proxies. The address of a peer on
// a Unix socket is the zero one.
func (s *Settings) Trusts(peer netip.Addr) bool {
	peer = peer.Unmap().WithZone("")
	return slices.ContainsFunc(s.TrustedProxies, func(n Network) bool {
		return n.unix && !peer.IsValid() || n.prefix.Contains(peer)
	})
}
