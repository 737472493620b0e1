package main

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"galene/config"
	"galene/internal/testkit"
	"galene/netaddr"
)

// freePort returns a port that was free for UDP and TCP a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		tcp, err := net.Listen("tcp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		port := tcp.Addr().(*net.TCPAddr).Port
		udp, err := net.ListenUDP("udp", &net.UDPAddr{Port: port})
		_ = tcp.Close()
		if err == nil {
			_ = udp.Close()
			return strconv.Itoa(port)
		}
	}
	t.Fatal("no free port")
	return ""
}

// otherAddress returns an IPv4 address of this machine that is not on loopback,
// such as a private one.
func otherAddress(t *testing.T) string {
	t.Helper()
	local, err := netaddr.Local()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(local, func(a netip.Addr) bool { return a.Is4() && a.IsGlobalUnicast() })
	if i < 0 {
		t.Skip("this machine has loopback addresses only")
	}
	return local[i].String()
}

// meetOver checks that media gets from one client to another, which both use a
// network, as testkit has it.
func meetOver(t *testing.T, network string, args ...string) {
	t.Helper()
	server := testkit.StartServer(t, run, testkit.ServerOptions{Args: args})
	m := (&meeting{server: server}).within(t)
	o := testkit.ClientOptions{Network: network, Trickle: true}
	publisher, subscriber := m.join("room", "ada", o), m.watch("room", "bob", o)
	source := testkit.NewSource(testkit.SourceOptions{Codec: testkit.VP8})
	p := m.publish(publisher, testkit.StreamOptions{Sources: []*testkit.Source{source}})
	stop := m.play(p)
	// Which packets come first depends on how long connecting takes.
	_, err := m.tracks(m.stream(subscriber), 1)[0].WaitPackets(m.ctx, func(packets []testkit.Packet) bool {
		return len(packets) >= 100
	})
	if err != nil {
		t.Errorf("no media over %s: %v", network, err)
	}
	stop()
	publisher.Close()
	subscriber.Close()
	if err := server.Stop(shutdownLimit); err != nil {
		t.Error(err)
	}
}

func TestMediaGoesThroughTheRelayAlone(t *testing.T) {
	t.Parallel()
	t.Run("to loopback", func(t *testing.T) {
		t.Parallel()
		meetOver(t, "relay", "-turn", "127.0.0.1:"+freePort(t))
	})
	t.Run("to an address of an interface", func(t *testing.T) {
		t.Parallel()
		meetOver(t, "relay", "-loopback=false", "-turn", otherAddress(t)+":"+freePort(t))
	})
	t.Run("to a range of ports", func(t *testing.T) {
		t.Parallel()
		meetOver(t, "relay", "-udp-range", "40000-41000", "-turn", "127.0.0.1:"+freePort(t))
	})
	t.Run("to a server that is relayed too", func(t *testing.T) {
		t.Parallel()
		meetOver(t, "relay", "-relay-only", "-turn", "127.0.0.1:"+freePort(t))
	})
}

func TestMediaGoesOverTCPAlone(t *testing.T) {
	t.Parallel()
	t.Run("on a port of its own", func(t *testing.T) {
		t.Parallel()
		meetOver(t, "tcp")
	})
	t.Run("on the web's port", func(t *testing.T) {
		t.Parallel()
		port := freePort(t)
		meetOver(t, "tcp", "-http", "127.0.0.1:"+port, "-udp-range", port)
	})
	t.Run("beside a range of ports", func(t *testing.T) {
		t.Parallel()
		port := freePort(t)
		meetOver(t, "tcp", "-udp-range", port+"-65535")
	})
}

func TestClientsAreToldOfServersOfTheirOwn(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	server := testkit.StartServer(t, run, testkit.ServerOptions{Args: []string{"-turn", "127.0.0.1:" + port, "-relay-only"}})
	m := (&meeting{server: server}).within(t)
	seen := make(map[string]bool)
	for _, name := range []string{"ada", "ada"} { // a name may be taken twice
		c := joinMessage(m, name).Servers
		if c == nil || len(c.ICEServers) != 1 || c.ICETransportPolicy != "relay" {
			t.Fatalf("rtcConfiguration = %+v, want one server, relayed only", c)
		}
		got := c.ICEServers[0]
		want := []string{"turn:127.0.0.1:" + port, "turn:127.0.0.1:" + port + "?transport=tcp"}
		if !slices.Equal(got.URLs, want) {
			t.Errorf("urls %v, want %v", got.URLs, want)
		}
		if seen[got.Username] || got.Username == "" || got.Credential == "" || strings.Contains(got.Username, name) {
			t.Errorf("user name %q, credential %v, want ones that are the client's alone and do not tell its name",
				got.Username, got.Credential)
		}
		seen[got.Username] = true
	}
}

func TestServersOfTheFileGoToClientsInstead(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	servers := `[{"urls":"stun:stun.example.org"}]`
	if err := os.WriteFile(filepath.Join(directory, "ice-servers.json"), []byte(servers), 0o600); err != nil {
		t.Fatal(err)
	}
	server := testkit.StartServer(t, run, testkit.ServerOptions{Args: []string{"-data", directory}})
	m := (&meeting{server: server}).within(t)
	joined := joinMessage(m, "ada")
	if c := joined.Servers; c == nil || len(c.ICEServers) != 1 || c.ICEServers[0].URLs[0] != "stun:stun.example.org" {
		t.Errorf("rtcConfiguration = %+v, want the server of the file", joined.Servers)
	}
	if strings.Contains(server.Log(), "TURN server is running") {
		t.Errorf("the TURN server runs beside the file:\n%s", server.Log())
	}
}

// joinMessage joins and returns what the server says.
func joinMessage(m *meeting, name string) testkit.Message {
	m.t.Helper()
	c, err := testkit.Dial(m.ctx, m.server.Endpoint(), testkit.ClientOptions{})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(c.Close)
	joined, err := c.Join(m.ctx, "room", name, "")
	if err != nil {
		m.t.Fatal(err)
	}
	return joined
}

func TestRelayTestIsLogged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ turn, want string }{
		{"127.0.0.1:" + freePort(t), "relay test successful"},
		{"", "no TURN server is configured"},
	} {
		server := testkit.StartServer(t, run, testkit.ServerOptions{Args: []string{"-turn", tt.turn}})
		for end := time.Now().Add(patience); !strings.Contains(server.Log(), tt.want); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("with -turn %q the log lacks %q:\n%s", tt.turn, tt.want, server.Log())
			}
		}
		if err := server.Stop(shutdownLimit); err != nil {
			t.Error(err)
		}
	}
}

func TestTURNAndWebHaveTheSameCertificate(t *testing.T) {
	t.Parallel()
	directory, turn := t.TempDir(), "127.0.0.1:"+freePort(t)
	p := launch(t, "-http", "127.0.0.1:0", "-data", directory, "-groups", directory, "-turn", turn)
	web := p.address(t)
	var certificates [2][]byte
	for i, address := range []string{web, turn} {
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // it is self-signed
		if err != nil {
			t.Fatalf("TLS on %s: %v", address, err)
		}
		certificates[i] = conn.ConnectionState().PeerCertificates[0].Raw
		_ = conn.Close()
	}
	if !slices.Equal(certificates[0], certificates[1]) {
		t.Error("the TURN server has another certificate than the web server")
	}
	p.stop(t)
}

func TestImpossibleTURNAddressEndsTheServer(t *testing.T) {
	t.Parallel()
	p := launch(t, "-turn", "turn.example.org")
	p.wait(t, statusFailed)
	if !strings.Contains(p.stderr.String(), "-turn") {
		t.Errorf("the log does not name the flag:\n%s", p.stderr)
	}
}

// What clients of the web send is not mistaken for media on a shared port, and
// the other way round.
func TestSharedPortServesTheWeb(t *testing.T) {
	t.Parallel()
	port, directory := freePort(t), t.TempDir()
	p := launch(t, "-http", "127.0.0.1:"+port, "-udp-range", port, "-data", directory, "-groups", directory, "-turn=")
	address := p.address(t)
	if status, _ := get(t, newClient(t), "https://"+address+"/"); status != 200 {
		t.Errorf("status %d, want 200", status)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write([]byte{0, 4, 1, 2, 3, 4}); err != nil { // a frame, but not of an ICE agent
		t.Fatal(err)
	}
	n, err := conn.Read(make([]byte, 100))
	if timeout, ok := errors.AsType[net.Error](err); n != 0 || ok && timeout.Timeout() {
		t.Errorf("read %d bytes, %v, want the end of the connection without an answer", n, err)
	}
	p.stop(t)
}

func TestReachFollowsTheConfiguration(t *testing.T) {
	t.Parallel()
	otherAddress(t)
	flags, err := config.ParseFlags([]string{"-turn", ":" + freePort(t), "-insecure", "-data", t.TempDir()}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	settings := &config.Settings{PublicAddresses: []string{"203.0.113.7"}}
	m, err := openMedia(flags, func() *config.Settings { return settings }, listener, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	defer m.relay.Stop()
	for _, address := range []string{"203.0.113.7", "203.0.113.8"} {
		settings = &config.Settings{PublicAddresses: []string{address}, TURNPeers: []string{"10.1.0.0/16"}}
		m.servers.Refresh()
		if urls := m.relay.URLs(); !slices.ContainsFunc(urls, func(url string) bool { return strings.HasPrefix(url, "turn:"+address+":") }) {
			t.Errorf("with the public address %s the relay is at %v", address, urls)
		}
		if r := m.reach.Load(); len(r.peers) != 1 || r.public.IPv4.String() != address {
			t.Errorf("with the public address %s the reach is %+v", address, r)
		}
	}
	settings = &config.Settings{PublicAddresses: []string{"nonsense"}}
	m.servers.Refresh()
	if r := m.reach.Load(); r.public.IPv4.String() != "203.0.113.8" {
		t.Errorf("a mistake changes the reach to %+v", r)
	}
}

func TestMediaArrivesWhereAddressesAreHidden(t *testing.T) {
	t.Parallel()
	meetOver(t, "", "-mdns", "-public-address", "203.0.113.7", "-turn=")
}
