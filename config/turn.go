package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// autoTURNPort is where the built-in TURN server listens if nobody says
// otherwise.
const autoTURNPort = 1194

// maxTURNPeers bounds the list that each relayed packet is compared with.
const maxTURNPeers = 64

// TURN says whether and where the built-in TURN server runs. The zero value
// means nowhere.
type TURN struct {
	// Auto means only while there is no file ice-servers.json.
	Auto bool
	// Address is advertised to clients, and what the server relays as. If it is
	// unspecified, those of its family are that the machine has, and if there is
	// none, those of both families.
	Address netip.Addr
	Port    uint16 // for UDP and TCP; not 0, except in the zero value
}

// Enabled reports whether the server is to run at all.
func (t TURN) Enabled() bool { return t.Port != 0 }

// String returns what ParseTURN reads.
func (t TURN) String() string {
	switch {
	case !t.Enabled():
		return ""
	case t.Auto:
		return "auto"
	case !t.Address.IsValid():
		return fmt.Sprintf(":%d", t.Port)
	default:
		return netip.AddrPortFrom(t.Address, t.Port).String()
	}
}

// ParseTURN reads "", "auto", ":port" or "address:port".
func ParseTURN(s string) (TURN, error) {
	switch s {
	case "":
		return TURN{}, nil
	case "auto":
		return TURN{Auto: true, Port: autoTURNPort}, nil
	}
	if port, ok := strings.CutPrefix(s, ":"); ok {
		n, err := parsePort(port)
		return TURN{Port: n}, err
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return TURN{}, fmt.Errorf("%q is neither \"auto\" nor address:port nor :port", s)
	}
	ip := a.Addr().Unmap()
	switch {
	case a.Port() == 0:
		return TURN{}, errors.New("port 0")
	case ip.Zone() != "" || ip.IsMulticast() || ip.IsLinkLocalUnicast():
		return TURN{}, fmt.Errorf("%v is not an address that clients can reach", ip)
	}
	return TURN{Address: ip, Port: a.Port()}, nil
}

// PublicAddresses are the addresses under which clients reach a server behind a
// NAT that maps them one to one, or forwards ports: at most one of each family.
// They are not valid if there is none.
type PublicAddresses struct {
	IPv4, IPv6 netip.Addr
}

// List returns the addresses that there are.
func (p PublicAddresses) List() []netip.Addr {
	var list []netip.Addr
	for _, a := range []netip.Addr{p.IPv4, p.IPv6} {
		if a.IsValid() {
			list = append(list, a)
		}
	}
	return list
}

// ParsePublicAddresses reads addresses, of which there may be one of each family.
func ParsePublicAddresses(addresses []string) (PublicAddresses, error) {
	var p PublicAddresses
	for _, s := range addresses {
		a, err := netip.ParseAddr(strings.TrimSpace(s))
		if err != nil {
			return PublicAddresses{}, fmt.Errorf("%q is not an IP address", s)
		}
		a = a.Unmap()
		if a.Zone() != "" || !a.IsGlobalUnicast() {
			return PublicAddresses{}, fmt.Errorf("%v is not an address that clients can reach", a)
		}
		family := &p.IPv4
		if a.Is6() {
			family = &p.IPv6
		}
		if family.IsValid() {
			return PublicAddresses{}, fmt.Errorf("%v and %v are of the same family", *family, a)
		}
		*family = a
	}
	return p, nil
}

// Peers are hosts that clients of the TURN server may send to, in addition to
// those that they always may.
type Peers struct {
	// Prefix holds the hosts' addresses.
	Prefix netip.Prefix
	// Port is the only port that they may be sent to; 0 for all ports. Ports of
	// the server itself have to be named.
	Port uint16
}

// ParsePeers reads "address", "address/bits", or either of them with a port, as
// in "192.0.2.1:80", "[2001:db8::1]:80", "192.0.2.0/24:80" and "[2001:db8::/32]:80".
func ParsePeers(s string) (Peers, error) {
	bad := fmt.Errorf("%q is neither an address nor a network, with or without a port", s)
	host, rest := s, ""
	if inner, ok := strings.CutPrefix(s, "["); ok {
		host, rest, ok = strings.Cut(inner, "]")
		if !ok || rest == "" {
			return Peers{}, bad
		}
	} else if i := strings.LastIndexByte(s, ':'); strings.Count(s, ":") == 1 {
		host, rest = s[:i], s[i:]
	}
	var p Peers
	var err error
	if rest != "" {
		if p.Port, err = parsePort(strings.TrimPrefix(rest, ":")); err != nil {
			return Peers{}, err
		}
	}
	if strings.Contains(host, "/") {
		p.Prefix, err = netip.ParsePrefix(host)
	} else {
		var a netip.Addr
		a, err = netip.ParseAddr(host)
		p.Prefix = netip.PrefixFrom(a, a.BitLen())
	}
	if err != nil || strings.Contains(host, "%") || p.Prefix.Addr().Is4In6() {
		return Peers{}, bad
	}
	p.Prefix = p.Prefix.Masked()
	return p, nil
}
