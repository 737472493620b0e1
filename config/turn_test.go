package config

import (
	"net/netip"
	"testing"
)

func TestParseTURN(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddr
	tests := []struct {
		text string
		want TURN
		ok   bool
	}{
		{"", TURN{}, true},
		{"auto", TURN{Auto: true, Port: 1194}, true},
		{":3478", TURN{Port: 3478}, true},
		{"0.0.0.0:3478", TURN{Address: addr("0.0.0.0"), Port: 3478}, true},
		{"192.0.2.1:3478", TURN{Address: addr("192.0.2.1"), Port: 3478}, true},
		{"[2001:db8::1]:3478", TURN{Address: addr("2001:db8::1"), Port: 3478}, true},
		{"127.0.0.1:3478", TURN{Address: addr("127.0.0.1"), Port: 3478}, true},
		{"automatic", TURN{}, false},
		{"192.0.2.1", TURN{}, false},
		{"192.0.2.1:", TURN{}, false},
		{"192.0.2.1:0", TURN{}, false},
		{"192.0.2.1:70000", TURN{}, false},
		{":0", TURN{}, false},
		{":x", TURN{}, false},
		{"turn.example.org:3478", TURN{}, false},
		{"2001:db8::1:3478", TURN{}, false},
		{"[fe80::1%eth0]:3478", TURN{}, false},
		{"224.0.0.1:3478", TURN{}, false},
	}
	for _, tt := range tests {
		got, err := ParseTURN(tt.text)
		if (err == nil) != tt.ok || tt.ok && got != tt.want {
			t.Errorf("ParseTURN(%q) = %+v, %v, want %+v, ok %v", tt.text, got, err, tt.want, tt.ok)
		}
		if tt.ok && got.String() != tt.text {
			t.Errorf("ParseTURN(%q).String() = %q", tt.text, got.String())
		}
		if tt.ok && got.Enabled() != (tt.text != "") {
			t.Errorf("ParseTURN(%q).Enabled() = %v", tt.text, got.Enabled())
		}
	}
}

func TestParsePublicAddresses(t *testing.T) {
	t.Parallel()
	four, six := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	tests := []struct {
		addresses []string
		want      PublicAddresses
		ok        bool
	}{
		{nil, PublicAddresses{}, true},
		{[]string{"192.0.2.1"}, PublicAddresses{IPv4: four}, true},
		{[]string{"2001:db8::1", " ::ffff:192.0.2.1"}, PublicAddresses{IPv4: four, IPv6: six}, true},
		{[]string{"192.0.2.1", "192.0.2.2"}, PublicAddresses{}, false},
		{[]string{"meet.example.org"}, PublicAddresses{}, false},
		{[]string{""}, PublicAddresses{}, false},
		{[]string{"0.0.0.0"}, PublicAddresses{}, false},
		{[]string{"127.0.0.1"}, PublicAddresses{}, false},
		{[]string{"fe80::1"}, PublicAddresses{}, false},
	}
	for _, tt := range tests {
		got, err := ParsePublicAddresses(tt.addresses)
		if (err == nil) != tt.ok || got != tt.want {
			t.Errorf("ParsePublicAddresses(%q) = %v, %v, want %v, ok %v", tt.addresses, got, err, tt.want, tt.ok)
		}
	}
	if got := (PublicAddresses{IPv6: six}).List(); len(got) != 1 || got[0] != six {
		t.Errorf("List() = %v, want %v alone", got, six)
	}
}

func TestParsePeers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, prefix string
		port         uint16
		ok           bool
	}{
		{"192.0.2.1", "192.0.2.1/32", 0, true},
		{"192.0.2.1:80", "192.0.2.1/32", 80, true},
		{"10.1.2.3/8", "10.0.0.0/8", 0, true},
		{"10.0.0.0/8:443", "10.0.0.0/8", 443, true},
		{"2001:db8::1", "2001:db8::1/128", 0, true},
		{"[2001:db8::1]:80", "2001:db8::1/128", 80, true},
		{"2001:db8::/32", "2001:db8::/32", 0, true},
		{"[2001:db8::/32]:80", "2001:db8::/32", 80, true},
		{"", "", 0, false},
		{"host", "", 0, false},
		{"host:80", "", 0, false},
		{"192.0.2.1:", "", 0, false},
		{"192.0.2.1:0", "", 0, false},
		{"192.0.2.1/33", "", 0, false},
		{"[2001:db8::1]", "", 0, false},
		{"[2001:db8::1", "", 0, false},
		{"::ffff:10.0.0.1", "", 0, false},
		{"fe80::1%eth0", "", 0, false},
	}
	for _, tt := range tests {
		got, err := ParsePeers(tt.text)
		if (err == nil) != tt.ok {
			t.Errorf("ParsePeers(%q) error = %v, want ok %v", tt.text, err, tt.ok)
		}
		if tt.ok && got != (Peers{netip.MustParsePrefix(tt.prefix), tt.port}) {
			t.Errorf("ParsePeers(%q) = %v, want %s port %d", tt.text, got, tt.prefix, tt.port)
		}
	}
}
