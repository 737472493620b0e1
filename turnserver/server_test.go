package turnserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"galene/config"
)

// newCertificate makes a certificate for the names, by an authority of its own.
func newCertificate(t *testing.T, serial int64, names ...string) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "server"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestMediaIsRelayedOverEachTransportAndFamily(t *testing.T) {
	t.Parallel()
	certificate := newCertificate(t, 2, "turn.example")
	secure := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }}
	for _, host := range []string{"127.0.0.1", "::1"} {
		for _, transport := range []string{"udp", "tcp", "tls"} {
			t.Run(host+" "+transport, func(t *testing.T) {
				t.Parallel()
				freePort(t, host) // skips if there is no such address
				media, other := echo(t, host), echo(t, host)
				s := serve(t, host, Options{Media: portMedia(media), TLS: secure})
				conn := allocate(t, s, transport, "ada")
				exchange(t, conn, media)
				silent(t, conn, other)
				if s.Stats().Denied == 0 {
					t.Error("what was denied is not counted")
				}
			})
		}
	}
}

func TestClientsReachEachOthersRelayedAddresses(t *testing.T) {
	t.Parallel()
	for _, advertised := range []string{"127.0.0.1", "127.0.0.9"} {
		t.Run("as "+advertised, func(t *testing.T) {
			t.Parallel()
			// Nothing comes back that is sent to 127.0.0.9 by way of the network: the
			// sockets are on 127.0.0.1, as behind a NAT.
			port := freePort(t, "127.0.0.1")
			o := Options{Listen: config.TURN{Address: netip.MustParseAddr(advertised), Port: port}, Log: discard()}
			local := func() ([]netip.Addr, error) { return addresses("127.0.0.1"), nil }
			s := newServer(o, local)
			t.Cleanup(s.Stop)
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			if want := []string{
				fmt.Sprintf("turn:%s:%d", advertised, port), fmt.Sprintf("turn:%s:%d?transport=tcp", advertised, port),
			}; !slices.Equal(s.URLs(), want) {
				t.Errorf("URLs() = %v, want %v", s.URLs(), want)
			}
			s.options.Listen.Address = netip.MustParseAddr("127.0.0.1") // where clients of the test connect
			ada, bob := allocate(t, s, "udp", "ada"), allocate(t, s, "tcp", "bob")
			adaAt := unmap(ada.LocalAddr().(*net.UDPAddr).AddrPort())
			bobAt := unmap(bob.LocalAddr().(*net.UDPAddr).AddrPort())
			if adaAt.Addr() != netip.MustParseAddr(advertised) {
				t.Errorf("relayed address %v, want one of %s", adaAt, advertised)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				b := make([]byte, 2048)
				for {
					n, from, err := bob.ReadFrom(b)
					if err != nil {
						return
					}
					_, _ = bob.WriteTo(b[:n], from)
				}
			}()
			// A permission is needed to receive, too.
			if _, err := bob.WriteTo([]byte("hello"), net.UDPAddrFromAddrPort(adaAt)); err != nil {
				t.Fatal(err)
			}
			exchangeSkipping(t, ada, bobAt, "hello")
			_ = bob.Close()
			<-done
		})
	}
}

// exchangeSkipping is exchange, after a first packet that may have come.
func exchangeSkipping(t *testing.T, conn net.PacketConn, to netip.AddrPort, first string) {
	t.Helper()
	b := make([]byte, 2048)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, err := conn.WriteTo([]byte("some media"), net.UDPAddrFromAddrPort(to)); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		n, from, err := conn.ReadFrom(b)
		if err != nil || string(b[:n]) == first {
			continue
		}
		if got := unmap(from.(*net.UDPAddr).AddrPort()); got != to || string(b[:n]) != "some media" {
			t.Fatalf("got %q from %v, want some media from %v", b[:n], got, to)
		}
		return
	}
	t.Fatalf("nothing comes back from %v", to)
}

func TestWrongCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.0.1", Options{})
	username, password := s.Credentials("ada", time.Now())
	expired, expiredPassword := s.Credentials("ada", time.Now().Add(-credentialLifetime-time.Second))
	later := strings.Replace(expired, expired[:10], username[:10], 1)
	tests := []struct{ name, username, password string }{
		{"a wrong password", username, "wrong"},
		{"an unknown user", "ada", password},
		{"expired", expired, expiredPassword},
		{"an expiry that was put off", later, expiredPassword},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if conn, err := connect(t, s, "udp", tt.username, tt.password).Allocate(); err == nil {
				t.Errorf("%s, %s: allocation %v, want an error", tt.username, tt.password, conn.LocalAddr())
			}
		})
	}
}

func TestCertificateIsTakenAnewForEachClient(t *testing.T) {
	t.Parallel()
	var current atomic.Pointer[tls.Certificate]
	current.Store(newCertificate(t, 2, "one.example"))
	s := serve(t, "127.0.0.1", Options{TLS: &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return current.Load(), nil },
	}})
	serial := func() int64 {
		conn, err := tls.Dial("tcp", s.address(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	secureURL := func() string { return s.URLs()[len(s.URLs())-1] }
	if got := serial(); got != 2 {
		t.Errorf("certificate %d, want 2", got)
	}
	if want := fmt.Sprintf("turns:one.example:%d?transport=tcp", s.options.Listen.Port); secureURL() != want {
		t.Errorf("URL %s, want %s", secureURL(), want)
	}
	current.Store(newCertificate(t, 3, "two.example"))
	if got := serial(); got != 3 {
		t.Errorf("certificate %d, want 3", got)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("turns:two.example:%d?transport=tcp", s.options.Listen.Port); secureURL() != want {
		t.Errorf("URL %s, want %s", secureURL(), want)
	}
}

func TestSecureNameIsOneThatTheCertificateIsFor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		host  string
		names []string
		want  string
	}{
		{"", []string{"meet.example"}, "meet.example"},
		{"turn.example", []string{"meet.example", "turn.example"}, "turn.example"},
		{"a.meet.example", []string{"*.meet.example"}, "a.meet.example"},
		{"other.example", []string{"meet.example"}, "meet.example"},
		{"", []string{"*.meet.example"}, ""},
		{"", []string{"localhost"}, ""},
		{"", nil, ""},
	}
	for _, tt := range tests {
		leaf, err := x509.ParseCertificate(newCertificate(t, 2, tt.names...).Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := certifiedName(leaf, tt.host); got != tt.want {
			t.Errorf("certifiedName(%v, %q) = %q, want %q", tt.names, tt.host, got, tt.want)
		}
	}
	selfSigned := &x509.Certificate{DNSNames: []string{"meet.example"}}
	if got := certifiedName(selfSigned, ""); got != "" {
		t.Errorf("the name of a self-signed certificate is %q, want none", got)
	}
}

func TestAllocationsCannotGrowWithoutBounds(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.0.1", Options{})
	username, password := s.Credentials("ada", time.Now())
	c := connect(t, s, "udp", username, password)
	conn, err := c.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	peer := func(i int) net.Addr { return &net.UDPAddr{IP: net.IPv4(8, 8, byte(i>>8), byte(i)), Port: 9} }
	for i := range maxPermissions {
		if err := c.CreatePermission(peer(i)); err != nil {
			t.Fatalf("permission %d: %v", i, err)
		}
	}
	if err := c.CreatePermission(peer(maxPermissions)); err == nil {
		t.Errorf("permission %d is granted", maxPermissions)
	}
	if err := c.CreatePermission(peer(0)); err != nil {
		t.Errorf("a permission cannot be refreshed: %v", err)
	}
}

func TestClientsWithManyChannelsGetNoMore(t *testing.T) {
	t.Parallel()
	s := New(Options{Listen: config.TURN{Port: 1194}, Log: discard()})
	g := &guard{server: s, clients: make(map[string]*usage)}
	username, _ := s.Credentials("ada", time.Now())
	ask := func(client net.Addr, method stun.Method) bool {
		_, _, ok := g.authenticate(&turn.RequestAttributes{Username: username, Realm: realm, SrcAddr: client, Method: method})
		return ok
	}
	ada, bob := &net.UDPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 1}, &net.UDPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 2}
	events := g.config().EventHandler
	for _, client := range []net.Addr{ada, bob} {
		events.OnAllocationCreated(client, nil, "", "", "", nil, 0)
	}
	for i := range maxChannels {
		if !ask(ada, stun.MethodChannelBind) {
			t.Fatalf("channel %d is refused", i)
		}
		events.OnChannelCreated(ada, nil, "", "", "", nil, nil, 0)
	}
	if ask(ada, stun.MethodChannelBind) {
		t.Errorf("channel %d is granted", maxChannels)
	}
	if !ask(ada, stun.MethodRefresh) || !ask(bob, stun.MethodChannelBind) {
		t.Error("other requests, or other clients, suffer")
	}
	events.OnChannelDeleted(ada, nil, "", "", "", nil, nil, 0)
	if !ask(ada, stun.MethodChannelBind) {
		t.Error("a channel that was given back cannot be had")
	}
	for _, client := range []net.Addr{ada, bob} {
		events.OnAllocationDeleted(client, nil, "", "", "")
	}
	if len(g.clients) != 0 {
		t.Errorf("%d allocations are remembered, want none", len(g.clients))
	}
}

func TestPermissionsForForbiddenAddressesAreRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.0.1", Options{Media: Media{Min: 5000, Max: 5000}})
	username, password := s.Credentials("ada", time.Now())
	c := connect(t, s, "tcp", username, password)
	conn, err := c.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, address := range []string{"10.0.0.1", "169.254.169.254", "192.168.1.1", "0.0.0.0", "224.0.0.1"} {
		if err := c.CreatePermission(&net.UDPAddr{IP: net.ParseIP(address), Port: 80}); err == nil {
			t.Errorf("a permission for %s is granted", address)
		}
	}
}

func TestServerStartsAndStopsAgain(t *testing.T) {
	t.Parallel()
	media := echo(t, "127.0.0.1")
	s := serve(t, "127.0.0.1", Options{Media: portMedia(media)})
	for range 3 {
		if err := s.Start(); err != nil { // it runs already
			t.Fatal(err)
		}
		exchange(t, allocate(t, s, "udp", "ada"), media)
		allocate(t, s, "tcp", "bob")
		idle, err := net.Dial("tcp", s.address())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		s.Stop()
		if took := time.Since(start); took >= stopTimeout {
			t.Errorf("stopping took %v", took)
		}
		if got := s.Stats().Allocations; got != 0 {
			t.Errorf("%d allocations after Stop, want 0", got)
		}
		if got := s.URLs(); len(got) != 0 {
			t.Errorf("URLs() = %v after Stop, want none", got)
		}
		_ = idle.Close()
		eventually(t, "the server starts again", func() bool { return s.Start() == nil })
	}
	if got := s.URLs(); !slices.Equal(got, []string{urlOf(s, "turn:%s"), urlOf(s, "turn:%s?transport=tcp")}) {
		t.Errorf("URLs() = %v", got)
	}
}

func TestBusyPortIsReportedAndTriedAgain(t *testing.T) {
	t.Parallel()
	busy, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := busy.LocalAddr().(*net.UDPAddr).AddrPort()
	s := New(Options{Listen: config.TURN{Address: address.Addr(), Port: address.Port()}, Log: discard()})
	t.Cleanup(s.Stop)
	if err := s.Start(); err == nil || !strings.Contains(err.Error(), address.String()) {
		t.Errorf("Start() error = %v, want one that names %v", err, address)
	}
	if got, want := s.URLs(), []string{fmt.Sprintf("turn:%v?transport=tcp", address)}; !slices.Equal(got, want) {
		t.Errorf("URLs() = %v, want %v: TCP works", got, want)
	}
	_ = busy.Close()
	eventually(t, "the port is free", func() bool { return s.Start() == nil })
	if got := len(s.URLs()); got != 2 {
		t.Errorf("%d URLs, want 2", got)
	}
}

func TestServerFollowsTheMachinesAddresses(t *testing.T) {
	t.Parallel()
	port := freePort(t, "127.0.0.1")
	var local atomic.Value
	local.Store("127.0.0.1 127.0.0.2")
	s := newServer(Options{Listen: config.TURN{Port: port}, Reach: Reach{Public: addresses("127.0.0.1 127.0.0.2")}, Log: discard()},
		func() ([]netip.Addr, error) { return addresses(local.Load().(string)), nil })
	t.Cleanup(s.Stop)
	if err := s.Start(); err != nil || len(s.URLs()) != 4 {
		t.Fatalf("Start() = %v, URLs %v, want four", err, s.URLs())
	}
	local.Store("127.0.0.2")
	if err := s.Start(); err != nil || len(s.URLs()) != 2 || !strings.Contains(s.URLs()[0], "127.0.0.2") {
		t.Errorf("Start() = %v, URLs %v, want those of the address that is left", err, s.URLs())
	}
	local.Store("")
	if err := s.Start(); err == nil || len(s.URLs()) != 0 {
		t.Errorf("Start() = %v, URLs %v without any address, want an error and none", err, s.URLs())
	}
}

func TestServerFollowsTheConfiguration(t *testing.T) {
	t.Parallel()
	port := freePort(t, "127.0.0.1")
	s := newServer(Options{Listen: config.TURN{Port: port}, Reach: Reach{Public: addresses("127.0.0.1")}, Log: discard()},
		func() ([]netip.Addr, error) { return addresses("127.0.0.1 127.0.0.2"), nil })
	t.Cleanup(s.Stop)
	peer, own := netip.MustParseAddrPort("10.1.2.3:80"), netip.MustParseAddrPort("9.9.9.9:22")
	check := func(when, host string, peerAllowed, ownAllowed bool) {
		t.Helper()
		if err := s.Start(); err != nil || len(s.URLs()) != 2 || !strings.Contains(s.URLs()[0], host) {
			t.Errorf("%s: Start() = %v, URLs %v, want those of %s", when, err, s.URLs(), host)
		}
		if got := s.policy.allows(peer, time.Now()); got != peerAllowed {
			t.Errorf("%s: allows(%v) = %v, want %v", when, peer, got, peerAllowed)
		}
		if got := s.policy.allows(own, time.Now()); got != ownAllowed {
			t.Errorf("%s: allows(%v) = %v, want %v", when, own, got, ownAllowed)
		}
	}
	check("at first", "127.0.0.1", false, true)
	configured, err := config.ParsePeers("10.1.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	s.Follow(Reach{Public: addresses("127.0.0.2 9.9.9.9"), Peers: []config.Peers{configured}})
	check("afterwards", "127.0.0.2", true, false)
	s.Follow(Reach{Public: addresses("127.0.0.1")})
	check("as before", "127.0.0.1", false, true)
}
