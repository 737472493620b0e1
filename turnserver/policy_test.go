package turnserver

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"galene/config"
)

func peersOf(t *testing.T, list ...string) []config.Peers {
	t.Helper()
	var peers []config.Peers
	for _, s := range list {
		p, err := config.ParsePeers(s)
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, p)
	}
	return peers
}

// testPolicy is that of a machine with a public, a private and a link-local
// address, and one that a NAT maps to it, whose media is on port 5000.
func testPolicy(loopback bool, peers ...config.Peers) *policy {
	local := func() ([]netip.Addr, error) {
		var addresses []netip.Addr
		for _, s := range []string{
			"127.0.0.1", "::1", "8.8.8.8", "192.168.1.2", "2600::2", "fd00::2", "fe80::2", "169.254.3.3",
		} {
			addresses = append(addresses, netip.MustParseAddr(s))
		}
		return addresses, nil
	}
	p := newPolicy(Media{Min: 5000, Max: 5009, Loopback: loopback}, Reach{Public: []netip.Addr{netip.MustParseAddr("9.9.9.9")}, Peers: peers}, local)
	p.addRelay(netip.MustParseAddrPort("9.9.9.9:6000"), netip.MustParseAddrPort("192.168.1.2:6000"))
	return p
}

func TestPolicyForEachKindOfPeer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		class, peer string
		allowed     bool // by default
		configured  bool // if an administrator allows networks of that kind
		permitted   bool // some port of the address is allowed by default
	}{
		// The server's own media, wherever it is.
		{"own public address, media", "8.8.8.8:5000", true, true, true},
		{"own public address, last media port", "8.8.8.8:5009", true, true, true},
		{"own private address, media", "192.168.1.2:5000", true, true, true},
		{"own IPv6 address, media", "[2600::2]:5000", true, true, true},
		{"own unique local address, media", "[fd00::2]:5000", true, true, true},
		{"own mapped address, media", "9.9.9.9:5000", true, true, true},
		// Every other port of the server, also if its network is allowed.
		{"own public address, ssh", "8.8.8.8:22", false, false, true},
		{"own public address, next to media", "8.8.8.8:5010", false, false, true},
		{"own public address, before media", "8.8.8.8:4999", false, false, true},
		{"own private address, another port", "192.168.1.2:8443", false, false, true},
		{"own IPv6 address, another port", "[2600::2]:1194", false, false, true},
		{"own mapped address, another port", "9.9.9.9:443", false, false, true},
		{"own link-local address, media", "169.254.3.3:5000", false, false, false},
		// Each other's relayed addresses.
		{"relayed address", "9.9.9.9:6000", true, true, true},
		{"relayed address inside", "192.168.1.2:6000", true, true, true},
		{"the same port elsewhere", "8.8.8.8:6000", false, false, true},
		// Others.
		{"public", "1.2.3.4:22", true, true, true},
		{"public IPv6", "[2a00::1]:22", true, true, true},
		{"private", "192.168.1.3:5000", false, true, false},
		{"private", "10.0.0.1:5000", false, true, false},
		{"private", "172.16.0.1:80", false, true, false},
		{"shared", "100.64.0.1:80", false, true, false},
		{"unique local", "[fd00::3]:80", false, true, false},
		{"link-local", "169.254.1.1:80", false, true, false},
		{"link-local IPv6", "[fe80::1]:80", false, true, false},
		{"metadata", "169.254.169.254:80", false, true, false},
		{"metadata IPv6", "[fd00:ec2::254]:80", false, true, false},
		{"documentation", "192.0.2.1:80", false, true, false},
		{"loopback, media", "127.0.0.1:5000", false, false, false},
		{"loopback", "127.0.0.1:80", false, false, false},
		{"another loopback address", "127.9.9.9:5000", false, false, false},
		{"loopback IPv6", "[::1]:5000", false, false, false},
		{"NAT64", "[64:ff9b::7f00:1]:80", false, true, false},
		{"6to4", "[2002:7f00:1::]:80", false, true, false},
		{"broadcast", "255.255.255.255:80", false, true, false},
		// What is nobody's address is never allowed.
		{"unspecified", "0.0.0.0:5000", false, false, false},
		{"unspecified IPv6", "[::]:5000", false, false, false},
		{"multicast", "224.0.0.251:5353", false, false, false},
		{"multicast IPv6", "[ff02::fb]:5353", false, false, false},
		{"port 0", "1.2.3.4:0", false, false, true},
	}
	everything := peersOf(t, "0.0.0.0/0", "::/0")
	now := time.Now()
	for _, tt := range tests {
		peer := netip.MustParseAddrPort(tt.peer)
		if got := testPolicy(false).allows(peer, now); got != tt.allowed {
			t.Errorf("%s: allows(%s) = %v, want %v", tt.class, tt.peer, got, tt.allowed)
		}
		if got := testPolicy(false, everything...).allows(peer, now); got != tt.configured {
			t.Errorf("%s, configured: allows(%s) = %v, want %v", tt.class, tt.peer, got, tt.configured)
		}
		if got := testPolicy(false).permits(peer.Addr(), now); got != tt.permitted {
			t.Errorf("%s: permits(%s) = %v, want %v", tt.class, tt.peer, got, tt.permitted)
		}
	}
}

func TestConfiguredPeers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		peers, peer string
		want        bool
	}{
		{"10.1.0.0/16", "10.1.2.3:80", true},
		{"10.1.0.0/16", "10.2.2.3:80", false},
		{"10.1.2.3", "10.1.2.3:80", true},
		{"10.1.2.3", "10.1.2.4:80", false},
		{"10.1.2.3:80", "10.1.2.3:80", true},
		{"10.1.2.3:80", "10.1.2.3:81", false},
		{"10.0.0.0/8:80", "10.1.2.3:80", true},
		{"[fd00::/8]:80", "[fd00::3]:80", true},
		{"[fd00::/8]:80", "[fd00::3]:81", false},
		{"192.168.1.2", "192.168.1.2:22", false},   // a network does not open this machine
		{"192.168.1.2:22", "192.168.1.2:22", true}, // but a port does
		{"192.168.1.2:22", "192.168.1.2:23", false},
		{"127.0.0.1:80", "127.0.0.1:80", true},
		{"127.0.0.0/8", "127.0.0.1:80", false},
	}
	for _, tt := range tests {
		peer := netip.MustParseAddrPort(tt.peer)
		p := testPolicy(false, peersOf(t, tt.peers)...)
		if got := p.allows(peer, time.Now()); got != tt.want {
			t.Errorf("with %s: allows(%s) = %v, want %v", tt.peers, tt.peer, got, tt.want)
		}
		if tt.want && !p.permits(peer.Addr(), time.Now()) {
			t.Errorf("with %s: permits(%s) = false, want true", tt.peers, peer.Addr())
		}
	}
}

func TestMediaOnLoopbackIsAPeerIfItIsOfferedThere(t *testing.T) {
	t.Parallel()
	p := testPolicy(true)
	for peer, want := range map[string]bool{
		"127.0.0.1:5000": true, "[::1]:5000": true, "127.0.0.1:80": false, "169.254.3.3:5000": false,
	} {
		if got := p.allows(netip.MustParseAddrPort(peer), time.Now()); got != want {
			t.Errorf("allows(%s) = %v, want %v", peer, got, want)
		}
	}
	if !p.permits(netip.MustParseAddr("127.0.0.1"), time.Now()) {
		t.Error("permits(127.0.0.1) = false, want true")
	}
}

func TestRelayedAddressIsNoPeerOnceItIsGone(t *testing.T) {
	t.Parallel()
	p := testPolicy(false)
	relayed, socket := netip.MustParseAddrPort("9.9.9.9:6000"), netip.MustParseAddrPort("192.168.1.2:6000")
	if got := p.inward(relayed); got != socket {
		t.Errorf("inward(%v) = %v, want %v", relayed, got, socket)
	}
	if got := p.outward(socket); got != relayed {
		t.Errorf("outward(%v) = %v, want %v", socket, got, relayed)
	}
	p.removeRelay(relayed, socket)
	for _, peer := range []netip.AddrPort{relayed, socket} {
		if p.allows(peer, time.Now()) {
			t.Errorf("allows(%v) = true after the relay has gone", peer)
		}
	}
}

func TestPolicyNoticesNewAddressesAndKeepsThemIfItCannotList(t *testing.T) {
	t.Parallel()
	var local []netip.Addr
	var failure error
	p := newPolicy(Media{Min: 5000, Max: 5000}, Reach{}, func() ([]netip.Addr, error) { return local, failure })
	peer := netip.MustParseAddrPort("8.8.8.8:22")
	now := time.Now()
	if !p.allows(peer, now) {
		t.Errorf("allows(%v) = false while it is somebody else's", peer)
	}
	local = []netip.Addr{peer.Addr()}
	now = now.Add(2 * ownAge)
	if p.allows(peer, now) {
		t.Errorf("allows(%v) = true when it has become ours", peer)
	}
	local, failure = nil, errors.New("no list")
	if now = now.Add(2 * ownAge); p.allows(peer, now) {
		t.Errorf("allows(%v) = true when addresses cannot be listed", peer)
	}
}
