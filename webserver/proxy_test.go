package webserver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"galene/config"
	"galene/group"
)

// trusting returns settings with these proxies, a JSON array.
func trusting(tb testing.TB, proxies string) *config.Settings {
	tb.Helper()
	s := new(config.Settings)
	if err := json.Unmarshal([]byte(proxies), &s.TrustedProxies); err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, proxies, peer string
		forwarded           []string
		want                string
	}{
		{"nobody is trusted", `[]`, "10.0.0.1:5000", []string{"192.0.2.1"}, "10.0.0.1:5000"},
		{"the peer is no proxy", `["10.0.0.1"]`, "10.0.0.2:5000", []string{"192.0.2.1"}, "10.0.0.2:5000"},
		{"one proxy", `["10.0.0.1"]`, "10.0.0.1:5000", []string{"192.0.2.1"}, "192.0.2.1"},
		{"a client that lies", `["10.0.0.1"]`, "10.0.0.1:5000", []string{"127.0.0.1, 192.0.2.1"}, "192.0.2.1"},
		{"two proxies", `["10.0.0.0/8"]`, "10.0.0.1:5000", []string{"192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		{"two headers", `["10.0.0.0/8"]`, "10.0.0.1:5000", []string{"192.0.2.1", "10.0.0.2"}, "192.0.2.1"},
		{"nobody but proxies", `["10.0.0.0/8"]`, "10.0.0.1:5000", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"with a port", `["10.0.0.1"]`, "10.0.0.1:5000", []string{"192.0.2.1:1234"}, "192.0.2.1"},
		{"IPv6", `["::1"]`, "[::1]:5000", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv6 in brackets", `["::1"]`, "[::1]:5000", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"IPv6 with a port", `["::1"]`, "[::1]:5000", []string{"[2001:db8::1]:1234"}, "2001:db8::1"},
		{"IPv4 in IPv6", `["10.0.0.1"]`, "[::ffff:10.0.0.1]:5000", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"rubbish", `["10.0.0.1"]`, "10.0.0.1:5000", []string{"unknown"}, "10.0.0.1:5000"},
		{"rubbish before a proxy", `["10.0.0.0/8"]`, "10.0.0.1:5000", []string{"\n192.0.2.1x, 10.0.0.2"}, "10.0.0.2"},
		{"nothing", `["10.0.0.1"]`, "10.0.0.1:5000", []string{""}, "10.0.0.1:5000"},
		{"a Unix socket", `["unix"]`, "@", []string{"192.0.2.1"}, "192.0.2.1"},
		{"a Unix socket that is not trusted", `["10.0.0.1"]`, "@", []string{"192.0.2.1"}, "@"},
		{"endless", `["10.0.0.1"]`, "10.0.0.1:5000", []string{"192.0.2.1" + strings.Repeat(",10.0.0.1", maxHops)}, "10.0.0.1"},
	}
	for _, tt := range tests {
		if got := clientAddress(tt.peer, tt.forwarded, trusting(t, tt.proxies)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Whatever X-Forwarded-For says, the address is the peer's, or one that can be
// read; and who is not trusted is never believed.
func FuzzClientAddress(f *testing.F) {
	f.Add("10.0.0.1:5000", "192.0.2.1, [::1]:7")
	settings := trusting(f, `["10.0.0.0/8", "unix"]`)
	nobody := trusting(f, `[]`)
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		if got := clientAddress(peer, []string{forwarded}, nobody); got != peer {
			t.Errorf("untrusted %q became %q", peer, got)
		}
		if got := clientAddress(peer, []string{forwarded}, settings); got != peer && !group.ParseAddress(got).IsValid() {
			t.Errorf("clientAddress(%q, %q) = %q", peer, forwarded, got)
		}
	})
}

// block is a header of version 2.
func block(command, family byte, data string) string {
	return proxySignature + string([]byte{command, family, byte(len(data) >> 8), byte(len(data))}) + data
}

func TestReadProxyHeader(t *testing.T) {
	t.Parallel()
	const (
		four = "\xc0\x00\x02\x01\xc0\x00\x02\x02\x12\x34\x01\xbb"
		six  = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
			"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x12\x34\x01\xbb"
	)
	tests := []struct {
		name, input string
		want        string // "none" for no address, empty for an error
	}{
		{"TCP4", "PROXY TCP4 192.0.2.1 192.0.2.2 4660 443\r\n", "192.0.2.1:4660"},
		{"TCP6", "PROXY TCP6 2001:db8::1 2001:db8::2 4660 443\r\n", "[2001:db8::1]:4660"},
		{"unknown", "PROXY UNKNOWN\r\n", "none"},
		{"unknown with more", "PROXY UNKNOWN ffff:: ffff:: 1 2\r\n", "none"},
		{"families that do not fit", "PROXY TCP4 2001:db8::1 2001:db8::2 4660 443\r\n", ""},
		{"bad port", "PROXY TCP4 192.0.2.1 192.0.2.2 66000 443\r\n", ""},
		{"bad address", "PROXY TCP4 localhost 192.0.2.2 4660 443\r\n", ""},
		{"too few words", "PROXY TCP4 192.0.2.1\r\n", ""},
		{"no words", "PROXY \r\n", ""},
		{"too long", "PROXY UNKNOWN " + strings.Repeat("x", 200) + "\r\n", ""},
		{"no header", "GET / HTTP/1.1\r\n\r\n", ""},
		{"TLS", "\x16\x03\x01\x02\x00", ""},
		{"nothing", "", ""},
		{"cut", "PROXY TCP4 192.0", ""},
		{"version 2, IPv4", block(0x21, 0x11, four), "192.0.2.1:4660"},
		{"version 2, IPv6", block(0x21, 0x21, six), "[2001:db8::1]:4660"},
		{"version 2, with more", block(0x21, 0x11, four+"\x04\x00\x01x"), "192.0.2.1:4660"},
		{"version 2, the proxy itself", block(0x20, 0x00, ""), "none"},
		{"version 2, a Unix socket", block(0x21, 0x31, strings.Repeat("x", 216)), "none"},
		{"version 2, cut addresses", block(0x21, 0x11, four[:8]), ""},
		{"version 2, unknown command", block(0x22, 0x11, four), ""},
		{"version 3", block(0x31, 0x11, four), ""},
		{"version 2, too long", block(0x21, 0x11, strings.Repeat("x", maxProxyBlock+1)), ""},
		{"version 2, cut", block(0x21, 0x11, four)[:20], ""},
		{"another signature", "\r\n\r\nGET /", ""},
	}
	for _, tt := range tests {
		reader := bufio.NewReader(strings.NewReader(tt.input + "rest"))
		client, err := readProxyHeader(reader)
		got := client.String()
		switch {
		case err != nil:
			got = ""
		case !client.IsValid():
			got = "none"
		}
		if got != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
		if rest, _ := io.ReadAll(reader); err == nil && string(rest) != "rest" {
			t.Errorf("%s: %q is left", tt.name, rest)
		}
	}
}

// Whatever comes, reading a header ends, takes no more than the bound, and an
// address that is found can be one.
func FuzzReadProxyHeader(f *testing.F) {
	f.Add("PROXY TCP4 192.0.2.1 192.0.2.2 4660 443\r\nGET / HTTP/1.1\r\n")
	f.Add(block(0x21, 0x11, "\xc0\x00\x02\x01\xc0\x00\x02\x02\x12\x34\x01\xbb"))
	f.Fuzz(func(t *testing.T, input string) {
		reader := bufio.NewReader(strings.NewReader(input))
		client, err := readProxyHeader(reader)
		if err != nil && client.IsValid() {
			t.Errorf("%q: %v and an error", input, client)
		}
		rest, _ := io.ReadAll(reader)
		if taken := len(input) - len(rest); taken > len(proxySignature)+4+maxProxyBlock {
			t.Errorf("%d bytes taken", taken)
		}
		if again, err := netip.ParseAddrPort(client.String()); client.IsValid() && (err != nil || again != client) {
			t.Errorf("%q: %v", input, client)
		}
	})
}

func TestConnectionsWithProxyProtocol(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, proxies, header string
		address               string // what the server takes for the client's; empty if it refuses
	}{
		{"a trusted proxy", `["127.0.0.1"]`, "PROXY TCP4 192.0.2.1 192.0.2.2 4660 443\r\n", "192.0.2.1:4660"},
		{"a trusted proxy by itself", `["127.0.0.1"]`, "PROXY UNKNOWN\r\n", "127.0.0.1"},
		{"a trusted proxy without header", `["127.0.0.1"]`, "", ""},
		{"somebody else", `["192.0.2.77"]`, "", "127.0.0.1"},
		{"somebody else with a header", `["192.0.2.77"]`, "PROXY TCP4 192.0.2.1 192.0.2.2 4660 443\r\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.settings = *trusting(t, tt.proxies)
			f.settings.ProxyProtocol = true
			f.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = fmt.Fprint(w, r.RemoteAddr)
			})
			connection, err := net.Dial("tcp", f.serve(t))
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			request := tt.header + "GET / HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n"
			if _, err := connection.Write([]byte(request)); err != nil {
				t.Fatal(err)
			}
			reply, _ := io.ReadAll(connection) // it may be reset
			ok := strings.HasPrefix(string(reply), "HTTP/1.1 200 ")
			if ok != (tt.address != "") || !strings.Contains(string(reply), tt.address) {
				t.Errorf("reply %q, want one for %q", reply, tt.address)
			}
		})
	}
}
