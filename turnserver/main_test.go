package turnserver

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/turn/v5"
	"go.uber.org/goleak"

	"galene/config"
	"galene/pionlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to happen.
const patience = 30 * time.Second

// absence is how long a test waits for what must not happen.
const absence = 300 * time.Millisecond

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// freePort returns a port that nobody used a moment ago.
func freePort(t *testing.T, host string) uint16 {
	t.Helper()
	for range 100 {
		tcp, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Skipf("no such address: %v", err)
		}
		port := tcp.Addr().(*net.TCPAddr).AddrPort().Port()
		udp, err := net.ListenPacket("udp", netip.AddrPortFrom(netip.MustParseAddr(host), port).String())
		_ = tcp.Close()
		if err == nil {
			_ = udp.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// serve starts a server on host, which a port is chosen for.
func serve(t *testing.T, host string, o Options) *Server {
	t.Helper()
	o.Log = discard()
	for range 10 {
		o.Listen = config.TURN{Address: netip.MustParseAddr(host), Port: freePort(t, host)}
		s := New(o)
		t.Cleanup(s.Stop)
		err := s.Start()
		if err == nil {
			return s
		}
		t.Logf("start again: %v", err)
		s.Stop()
	}
	t.Fatal("the server does not start")
	return nil
}

func (s *Server) address() string {
	return netip.AddrPortFrom(s.options.Listen.Address, s.options.Listen.Port).String()
}

// client is a TURN client with what it was made of.
type client struct {
	*turn.Client
	closers []func()
	once    sync.Once
}

// Close closes the client.
func (c *client) Close() {
	c.once.Do(func() {
		c.Client.Close()
		for _, f := range c.closers {
			f()
		}
	})
}

// transport is how a client reaches the server: "udp", "tcp" or "tls".
func connect(t *testing.T, s *Server, transport, username, password string) *client {
	t.Helper()
	c := &client{}
	var packets net.PacketConn
	switch transport {
	case "udp":
		conn, err := net.ListenPacket("udp", net.JoinHostPort(s.options.Listen.Address.String(), "0"))
		if err != nil {
			t.Fatal(err)
		}
		packets = conn
	default:
		conn, err := net.DialTimeout("tcp", s.address(), patience)
		if err != nil {
			t.Fatal(err)
		}
		if transport == "tls" {
			conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // it is self-signed
		}
		packets = turn.NewSTUNConn(conn)
	}
	inner, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: s.address(), TURNServerAddr: s.address(), Conn: packets,
		Username: username, Password: password, Realm: realm, RTO: time.Second,
		LoggerFactory: pionlog.New(discard()),
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Client = inner
	c.closers = append(c.closers, func() { _ = packets.Close() })
	t.Cleanup(c.Close)
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	return c
}

// allocate makes an allocation with good credentials.
func allocate(t *testing.T, s *Server, transport, name string) net.PacketConn {
	t.Helper()
	username, password := s.Credentials(name, time.Now())
	c := connect(t, s, transport, username, password)
	conn, err := c.Allocate()
	if err != nil {
		t.Fatalf("allocate over %s: %v", transport, err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// echo answers what it receives until the test ends.
func echo(t *testing.T, host string) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(b[:n], from)
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// exchange sends packets from one relayed address until one comes back from to.
func exchange(t *testing.T, conn net.PacketConn, to netip.AddrPort) {
	t.Helper()
	b := make([]byte, 2048)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		want := []byte("some media")
		if _, err := conn.WriteTo(want, net.UDPAddrFromAddrPort(to)); err != nil {
			t.Fatalf("send to %v: %v", to, err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		n, from, err := conn.ReadFrom(b)
		if err != nil {
			continue // it was lost
		}
		if got := unmap(from.(*net.UDPAddr).AddrPort()); got != to || !bytes.Equal(b[:n], want) {
			t.Fatalf("got %q from %v, want %q from %v", b[:n], got, want, to)
		}
		return
	}
	t.Fatalf("nothing comes back from %v", to)
}

// silent checks that nothing comes back from to.
func silent(t *testing.T, conn net.PacketConn, to netip.AddrPort) {
	t.Helper()
	_, err := conn.WriteTo([]byte("secret"), net.UDPAddrFromAddrPort(to))
	if err != nil {
		return // the permission was refused
	}
	_ = conn.SetReadDeadline(time.Now().Add(absence))
	n, from, err := conn.ReadFrom(make([]byte, 2048))
	if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
		t.Errorf("%d bytes from %v, %v after sending to %v, want nothing", n, from, err, to)
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not: %s", what)
		}
	}
}

func portMedia(a netip.AddrPort) Media { return Media{Min: a.Port(), Max: a.Port(), Loopback: true} }

func urlOf(s *Server, format string) string { return fmt.Sprintf(format, s.address()) }
