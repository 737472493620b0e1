package netaddr

import (
	"net/netip"
	"slices"
	"testing"
)

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		class, address string
		want           bool
	}{
		{"public", "8.8.8.8", true},
		{"public", "100.63.255.255", true},
		{"public", "100.128.0.1", true},
		{"public", "172.32.0.1", true},
		{"public", "192.0.1.1", true},
		{"public IPv6", "2606:4700::1111", true},
		{"public IPv6", "2001:4860:4860::8888", true},
		{"public, written as IPv6", "::ffff:8.8.8.8", true},
		{"unspecified", "0.0.0.0", false},
		{"unspecified IPv6", "::", false},
		{"this network", "0.1.2.3", false},
		{"private", "10.1.2.3", false},
		{"private", "172.16.0.1", false},
		{"private", "172.31.255.255", false},
		{"private", "192.168.1.1", false},
		{"private, written as IPv6", "::ffff:192.168.1.1", false},
		{"shared", "100.64.0.1", false},
		{"shared", "100.127.255.255", false},
		{"loopback", "127.0.0.1", false},
		{"loopback", "127.255.255.254", false},
		{"loopback IPv6", "::1", false},
		{"loopback, written as IPv6", "::ffff:127.0.0.1", false},
		{"IPv4-compatible", "::127.0.0.1", false},
		{"link-local", "169.254.1.1", false},
		{"link-local IPv6", "fe80::1", false},
		{"link-local IPv6 with a zone", "fe80::1%eth0", false},
		{"site-local", "fec0::1", false},
		{"unique local", "fd00::1", false},
		{"metadata", "169.254.169.254", false},
		{"metadata", "168.63.129.16", false},
		{"metadata behind shared addresses", "100.100.100.200", false},
		{"metadata IPv6", "fd00:ec2::254", false},
		{"documentation", "192.0.2.1", false},
		{"documentation", "198.51.100.1", false},
		{"documentation", "203.0.113.1", false},
		{"documentation IPv6", "2001:db8::1", false},
		{"documentation IPv6", "3fff::1", false},
		{"benchmarks", "198.19.0.1", false},
		{"protocol assignments", "192.0.0.8", false},
		{"multicast", "224.0.0.1", false},
		{"multicast IPv6", "ff02::1", false},
		{"reserved", "240.0.0.1", false},
		{"broadcast", "255.255.255.255", false},
		{"NAT64", "64:ff9b::a00:1", false},
		{"6to4", "2002:a00:1::1", false},
		{"Teredo", "2001:0:1::1", false},
	}
	for _, tt := range tests {
		if got := Public(netip.MustParseAddr(tt.address)); got != tt.want {
			t.Errorf("Public(%s), %s, = %v, want %v", tt.address, tt.class, got, tt.want)
		}
	}
	if Public(netip.Addr{}) {
		t.Error("no address at all is public")
	}
}

func TestSourceIsAnAddressOrANetwork(t *testing.T) {
	t.Parallel()
	tests := []struct{ address, want string }{
		{"192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
		{"fe80::1%eth0", "fe80::"},
	}
	for _, tt := range tests {
		if got := Source(netip.MustParseAddr(tt.address)); got != netip.MustParseAddr(tt.want) {
			t.Errorf("Source(%s) = %v, want %s", tt.address, got, tt.want)
		}
	}
	if got := Source(netip.Addr{}); got.IsValid() {
		t.Errorf("Source of no address = %v, want none", got)
	}
}

func TestLocalAddressesIncludeLoopback(t *testing.T) {
	t.Parallel()
	local, err := Local()
	if err != nil || !slices.Contains(local, netip.MustParseAddr("127.0.0.1")) {
		t.Errorf("Local() = %v, %v, want 127.0.0.1 in it", local, err)
	}
	sorted := slices.SortedFunc(slices.Values(local), netip.Addr.Compare)
	if compact := slices.Compact(slices.Clone(sorted)); len(compact) != len(local) {
		t.Errorf("Local() = %v, want each address once", local)
	}
}
