package turnserver

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"galene/config"
)

func TestPlanListensWhereClientsReachIt(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, listen, public, local string
		want                        string // "bind>advertised", or an address that is both
	}{
		{"a public server", ":1194", "", "127.0.0.1 8.8.8.8 10.0.0.1", "8.8.8.8"},
		{"automatically", "auto", "", "127.0.0.1 8.8.8.8", "8.8.8.8"},
		{"both families", ":1194", "", "8.8.8.8 2600::1 fe80::1 ::1", "8.8.8.8 2600::1"},
		{"IPv4 only", "0.0.0.0:1194", "", "8.8.8.8 2600::1", "8.8.8.8"},
		{"IPv6 only", "[::]:1194", "", "8.8.8.8 2600::1", "2600::1"},
		{"several", ":1194", "", "8.8.8.8 9.9.9.9", "8.8.8.8 9.9.9.9"},
		{"none that is public", ":1194", "", "127.0.0.1 10.0.0.1 100.64.0.1 192.0.2.1 169.254.1.1 fd00::1 2001:db8::1", ""},
		{"behind a NAT", ":1194", "8.8.8.8", "127.0.0.1 10.0.0.1", "10.0.0.1>8.8.8.8"},
		{"behind a NAT in one family", "auto", "8.8.8.8", "10.0.0.1 2600::1 fd00::1", "10.0.0.1>8.8.8.8 2600::1"},
		{"the public address is here", ":1194", "8.8.8.8", "8.8.8.8", "8.8.8.8"},
		{"a public address that is documentation", ":1194", "192.0.2.1", "192.0.2.1", "192.0.2.1"},
		{"a local address", "10.0.0.1:1194", "", "127.0.0.1 10.0.0.1 8.8.8.8", "10.0.0.1"},
		{"loopback", "127.0.0.1:1194", "", "127.0.0.1 8.8.8.8", "127.0.0.1"},
		{"a forwarded address", "8.8.8.8:1194", "", "127.0.0.1 10.0.0.1 10.0.0.2 2600::1", "10.0.0.1>8.8.8.8 10.0.0.2>8.8.8.8"},
		{"a forwarded IPv6 address", "[2600::1]:1194", "", "10.0.0.1 fd00::1 fe80::1", "fd00::1>2600::1"},
	}
	for _, tt := range tests {
		listen, err := config.ParseTURN(tt.listen)
		if err != nil {
			t.Fatal(err)
		}
		sites, err := plan(listen, addresses(tt.public), addresses(tt.local))
		var got []string
		for _, s := range sites {
			text := s.bind.String()
			if s.bind != s.advertised {
				text += ">" + s.advertised.String()
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: plan(%s, %s, %s) = %v, want %s", tt.name, tt.listen, tt.public, tt.local, got, tt.want)
		}
		if wantErr := tt.want == ""; errors.Is(err, errNoPublicAddress) != wantErr {
			t.Errorf("%s: error %v, want one: %v", tt.name, err, wantErr)
		}
	}
}

func TestPlanIsBounded(t *testing.T) {
	t.Parallel()
	var local []netip.Addr
	for i := range 2 * maxSites {
		local = append(local, netip.MustParseAddr(fmt.Sprintf("8.8.8.%d", i+1)))
	}
	sites, err := plan(config.TURN{Port: 1194}, nil, local)
	if err != nil || len(sites) != maxSites {
		t.Errorf("%d sites, %v, want %d", len(sites), err, maxSites)
	}
}

func addresses(s string) []netip.Addr {
	var list []netip.Addr
	for field := range strings.FieldsSeq(s) {
		list = append(list, netip.MustParseAddr(field))
	}
	return list
}
