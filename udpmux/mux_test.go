package udpmux

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"galene/udpsocket"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

func listen(tb testing.TB) *Mux {
	tb.Helper()
	m, err := Listen(Options{Loopback: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := m.Close(); err != nil {
			tb.Errorf("Close() error = %v", err)
		}
	})
	return m
}

// candidate returns a connection of the agent ufrag for a local IP address.
func candidate(tb testing.TB, m *Mux, ufrag, ip string) *packetConn {
	tb.Helper()
	c, err := m.GetConn(ufrag, &net.UDPAddr{IP: net.ParseIP(ip), Port: m.Port()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		tb.Fatal(err)
	}
	return c.(*packetConn)
}

// peer is a socket outside the mux.
type peer struct {
	*net.UDPConn
	addr netip.AddrPort
}

func newPeer(tb testing.TB, ip string) peer {
	tb.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 0)))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		tb.Fatal(err)
	}
	return peer{c, udpsocket.Canonical(c.LocalAddr().(*net.UDPAddr).AddrPort())}
}

func (p peer) send(tb testing.TB, b []byte, c *packetConn) {
	tb.Helper()
	if _, err := p.WriteToUDPAddrPort(b, c.local); err != nil {
		tb.Fatal(err)
	}
}

// expect reads one datagram and checks its payload; it returns the source.
func expect(tb testing.TB, c interface {
	ReadFrom(b []byte) (int, net.Addr, error)
}, want []byte,
) netip.AddrPort {
	tb.Helper()
	b := make([]byte, udpsocket.MaxDatagram)
	n, from, err := c.ReadFrom(b)
	if err != nil || !bytes.Equal(b[:n], want) {
		tb.Fatalf("ReadFrom() = %x, %v, want %x", b[:n], err, want)
	}
	return udpsocket.Canonical(from.(*net.UDPAddr).AddrPort())
}

func write(tb testing.TB, c *packetConn, b []byte, to netip.AddrPort) {
	tb.Helper()
	if n, err := c.WriteTo(b, net.UDPAddrFromAddrPort(to)); n != len(b) || err != nil {
		tb.Fatalf("WriteTo(%v) = %d, %v, want %d, nil", to, n, err, len(b))
	}
}

// eventually waits for a condition that other goroutines bring about.
func eventually(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("still not: %s", what)
		}
	}
}

func TestChecksGoByUserNameAndTheRestByAddress(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"127.0.0.1", "::1"} {
		t.Run(ip, func(t *testing.T) {
			t.Parallel()
			m := listen(t)
			if m.socketFor(netip.MustParseAddr(ip)) == nil {
				t.Skip("no such address family")
			}
			a, b := candidate(t, m, "a", ip), candidate(t, m, "b", ip)
			pa, pb := newPeer(t, ip), newPeer(t, ip)

			checkA, checkB := bindingRequest(t, "a:x"), bindingRequest(t, "b:x")
			pa.send(t, checkA, a)
			pb.send(t, checkB, b)
			if got := expect(t, a, checkA); got != pa.addr {
				t.Errorf("check from %v, want %v", got, pa.addr)
			}
			expect(t, b, checkB)
			write(t, a, []byte("to a"), pa.addr)
			write(t, b, []byte("to b"), pb.addr)
			if got := expect(t, pa, []byte("to a")); got != a.local {
				t.Errorf("answer from %v, want %v", got, a.local)
			}
			expect(t, pb, []byte("to b"))

			pa.send(t, []byte("media a"), a)
			pb.send(t, []byte("media b"), b)
			expect(t, a, []byte("media a"))
			expect(t, b, []byte("media b"))
		})
	}
}

func TestUnknownSourcesAreDroppedAndCounted(t *testing.T) {
	t.Parallel()
	m := listen(t)
	c, p := candidate(t, m, "a", "127.0.0.1"), newPeer(t, "127.0.0.1")
	p.send(t, []byte("media of nobody"), c)
	p.send(t, bindingRequest(t, "nobody:x"), c)
	p.send(t, make([]byte, udpsocket.MaxDatagram+1), c)
	eventually(t, "three datagrams received", func() bool { return m.Stats().Received == 3 })
	check := bindingRequest(t, "a:x")
	p.send(t, check, c)
	expect(t, c, check) // nothing came before it
	got := m.Stats()
	want := Stats{Received: 4, UnknownSource: 2, Truncated: 1}
	if got != want {
		t.Errorf("Stats() = %+v, want %+v", got, want)
	}
}

func TestAnUnansweredCheckGivesNoAddressAway(t *testing.T) {
	t.Parallel()
	m := listen(t)
	c, p := candidate(t, m, "a", "127.0.0.1"), newPeer(t, "127.0.0.1")
	check := bindingRequest(t, "a:x")
	p.send(t, check, c)
	expect(t, c, check)
	p.send(t, []byte("media"), c)
	eventually(t, "media dropped", func() bool { return m.Stats().UnknownSource == 1 })
}

func TestAnAddressIsTakenOverOnlyAfterACheckFromIt(t *testing.T) {
	t.Parallel()
	m := listen(t)
	old, next := candidate(t, m, "old", "127.0.0.1"), candidate(t, m, "next", "127.0.0.1")
	p := newPeer(t, "127.0.0.1")
	write(t, old, []byte("first"), p.addr)

	write(t, next, []byte("no check came"), p.addr)
	p.send(t, []byte("one"), old)
	expect(t, old, []byte("one"))

	check := bindingRequest(t, "next:x")
	p.send(t, check, next)
	expect(t, next, check)
	p.send(t, []byte("two"), old)
	expect(t, old, []byte("two")) // the check has not been answered

	write(t, next, []byte("answer"), p.addr)
	p.send(t, []byte("three"), next)
	expect(t, next, []byte("three"))

	// The loser writes on, which changes nothing, and closes.
	write(t, old, []byte("late"), p.addr)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	p.send(t, []byte("four"), next)
	expect(t, next, []byte("four"))
}

func TestRepliesLeaveFromTheAddressTheyWereSentTo(t *testing.T) {
	t.Parallel()
	m := listen(t)
	p := newPeer(t, "127.0.0.1")
	one, err := m.GetConn("a", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: m.Port()})
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	c := one.(*packetConn)
	if _, err := c.WriteTo([]byte("probe"), net.UDPAddrFromAddrPort(p.addr)); err != nil {
		t.Skip("only one loopback address here:", err)
	}
	if got := expect(t, p, []byte("probe")); got != c.local {
		t.Fatalf("datagram from %v, want %v", got, c.local)
	}
	other := candidate(t, m, "a", "127.0.0.3")
	p.send(t, []byte("to 2"), c)
	p.send(t, []byte("to 3"), other)
	expect(t, c, []byte("to 2"))
	expect(t, other, []byte("to 3"))
	write(t, other, []byte("from 3"), p.addr)
	if got := expect(t, p, []byte("from 3")); got != other.local {
		t.Errorf("datagram from %v, want %v", got, other.local)
	}
	// An address that is no candidate of the agent.
	if _, err := p.WriteToUDPAddrPort([]byte("to 4"), netip.AddrPortFrom(netip.MustParseAddr("127.0.0.4"), c.local.Port())); err != nil {
		t.Fatal(err)
	}
	eventually(t, "datagram to a foreign address counted", func() bool { return m.Stats().UnknownDestination == 1 })
}

// outside returns an address of this machine that is no loopback address, and
// that m serves.
func outside(tb testing.TB, m *Mux, v6 bool) netip.Addr {
	tb.Helper()
	local, err := localAddresses(false)
	if err != nil {
		tb.Fatal(err)
	}
	for _, ip := range local {
		if ip.Is6() == v6 && m.socketFor(ip) != nil {
			return ip
		}
	}
	tb.Skip("no such address here")
	return netip.Addr{}
}

func TestALoopbackAddressSendsToLoopbackAddressesOnly(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"127.0.0.1", "::1"} {
		t.Run(ip, func(t *testing.T) {
			t.Parallel()
			m := listen(t)
			out := outside(t, m, netip.MustParseAddr(ip).Is6())
			in := candidate(t, m, "a", ip)
			p := newPeer(t, out.String())
			if n, err := in.WriteTo([]byte("no"), net.UDPAddrFromAddrPort(p.addr)); n != 0 || !errors.Is(err, ErrAddress) {
				t.Errorf("WriteTo(%v) from %v = %d, %v, want 0, %v", p.addr, in.local, n, err, ErrAddress)
			}
			c := candidate(t, m, "a", out.String())
			write(t, c, []byte("yes"), p.addr)
			if got := expect(t, p, []byte("yes")); got != c.local {
				t.Errorf("datagram from %v, want %v", got, c.local)
			}
		})
	}
}

func TestAddressesGoAwayWithTheirAgent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		end  func(m *Mux, c *packetConn)
	}{
		{"closed", func(_ *Mux, c *packetConn) { _ = c.Close() }},
		{"removed", func(m *Mux, _ *packetConn) { m.RemoveConnByUfrag("a") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := listen(t)
			c := candidate(t, m, "a", "127.0.0.1")
			p := newPeer(t, "127.0.0.1")
			write(t, c, []byte("hello"), p.addr)
			if m.addresses.get(p.addr) == nil {
				t.Fatal("address not learned")
			}
			tt.end(m, c)
			if m.addresses.get(p.addr) != nil || m.find([]byte("a")) != nil {
				t.Error("address or agent still known")
			}
			_, _ = c.WriteTo([]byte("again"), net.UDPAddrFromAddrPort(p.addr))
			if m.addresses.get(p.addr) != nil {
				t.Error("address learned by an agent that is gone")
			}
		})
	}
}

func TestAnAgentOwnsABoundedNumberOfAddresses(t *testing.T) {
	t.Parallel()
	m := listen(t)
	c := candidate(t, m, "a", "127.0.0.1")
	addr := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), uint16(i+1))
	}
	for i := range maxAddresses + 10 {
		c.agent.own(addr(i))
	}
	known := 0
	for i := range maxAddresses + 10 {
		if m.addresses.get(addr(i)) != nil {
			known++
		}
	}
	if known != maxAddresses {
		t.Errorf("%d addresses known, want %d", known, maxAddresses)
	}
	if m.addresses.get(addr(maxAddresses+9)) != c.agent {
		t.Error("the newest address is not known")
	}
	for i := range maxClaims + 3 {
		c.agent.claim(addr(1000 + i))
	}
	if got := len(c.agent.claims); got != maxClaims {
		t.Errorf("%d claims, want %d", got, maxClaims)
	}
}

func TestASlowAgentLosesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	m := listen(t)
	slow, quick := candidate(t, m, "slow", "127.0.0.1"), candidate(t, m, "quick", "127.0.0.1")
	p, q := newPeer(t, "127.0.0.1"), newPeer(t, "127.0.0.1")
	write(t, slow, nil, p.addr)
	write(t, quick, nil, q.addr)
	for i := range maxQueue + 5 {
		p.send(t, []byte{byte(i >> 8), byte(i)}, slow)
		q.send(t, []byte("tick"), quick)
		expect(t, quick, []byte("tick")) // both have been dispatched: one socket
	}
	if got := m.Stats().QueueDrops; got != 5 {
		t.Errorf("%d datagrams dropped, want 5", got)
	}
	for i := 5; i < maxQueue+5; i++ {
		expect(t, slow, []byte{byte(i >> 8), byte(i)})
	}
}

func TestCloseEndsReadsAndWrites(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		close func(m *Mux, c *packetConn) error
	}{
		{"connection", func(_ *Mux, c *packetConn) error { return c.Close() }},
		{"mux", func(m *Mux, _ *packetConn) error { return m.Close() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := listen(t)
			c := candidate(t, m, "a", "127.0.0.1")
			p := newPeer(t, "127.0.0.1")
			var readers sync.WaitGroup
			for range 4 {
				readers.Go(func() {
					if _, _, err := c.ReadFrom(make([]byte, 10)); !errors.Is(err, net.ErrClosed) {
						t.Errorf("ReadFrom() error = %v, want net.ErrClosed", err)
					}
				})
			}
			for range 2 {
				if err := tt.close(m, c); err != nil {
					t.Errorf("Close() error = %v", err)
				}
			}
			readers.Wait()
			if _, err := c.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(p.addr)); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("WriteTo() error = %v, want io.ErrClosedPipe", err)
			}
			if err := c.SetDeadline(time.Now()); err != nil {
				t.Errorf("SetDeadline() error = %v", err)
			}
		})
	}
}

func TestAPassedDeadlineEndsReadsAndWrites(t *testing.T) {
	t.Parallel()
	m := listen(t)
	c, p := candidate(t, m, "a", "127.0.0.1"), newPeer(t, "127.0.0.1")
	if err := c.SetDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.ReadFrom(nil); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("ReadFrom() error = %v, want os.ErrDeadlineExceeded", err)
	}
	if _, err := c.WriteToAddrPort([]byte("x"), p.addr); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("WriteToAddrPort() error = %v, want os.ErrDeadlineExceeded", err)
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	write(t, c, []byte("x"), p.addr)
	expect(t, p, []byte("x"))
}

func TestASecondConnectionTakesOverWhenTheFirstCloses(t *testing.T) {
	t.Parallel()
	m := listen(t)
	first, second := candidate(t, m, "a", "127.0.0.1"), candidate(t, m, "a", "127.0.0.1")
	p := newPeer(t, "127.0.0.1")
	write(t, second, []byte("hello"), p.addr)
	p.send(t, []byte("one"), first)
	expect(t, first, []byte("one"))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	p.send(t, []byte("two"), second)
	expect(t, second, []byte("two"))
}

func TestGetConnRefusesForeignAddresses(t *testing.T) {
	t.Parallel()
	m := listen(t)
	for _, addr := range []net.Addr{
		&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: m.Port()},
		&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: m.Port() + 1},
		&net.UDPAddr{IP: net.IPv4zero, Port: m.Port()},
		&net.UDPAddr{IP: net.IPv6zero, Port: m.Port()},
		&net.UDPAddr{IP: net.IPv4(224, 0, 0, 1), Port: m.Port()},
		&net.UDPAddr{Port: m.Port()},
	} {
		if _, err := m.GetConn("a", addr); !errors.Is(err, ErrAddress) {
			t.Errorf("GetConn(%v) error = %v, want ErrAddress", addr, err)
		}
	}
	if m.find([]byte("a")) != nil {
		t.Error("a refused connection left its agent behind")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.GetConn("a", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: m.Port()}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("GetConn after Close: error = %v, want net.ErrClosed", err)
	}
}

func TestListenAddressesAreConcrete(t *testing.T) {
	t.Parallel()
	m := listen(t)
	quiet, err := Listen(Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	all := m.GetListenAddresses()
	if !slices.ContainsFunc(all, func(a net.Addr) bool { return a.String() == fmt.Sprintf("127.0.0.1:%d", m.Port()) }) {
		t.Errorf("GetListenAddresses() = %v, lacks the loopback address", all)
	}
	for _, a := range all {
		ip := a.(*net.UDPAddr).IP
		if ip.IsUnspecified() || ip.IsLinkLocalUnicast() || ip.IsMulticast() {
			t.Errorf("GetListenAddresses() names %v", a)
		}
	}
	for _, a := range quiet.GetListenAddresses() {
		if a.(*net.UDPAddr).IP.IsLoopback() {
			t.Errorf("GetListenAddresses() names %v without Loopback", a)
		}
	}
}

func TestOnlyReachableAddressesAreUsable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		ip              string
		plain, loopback bool
	}{
		{"192.0.2.1", true, true},
		{"10.1.2.3", true, true},
		{"2001:db8::1", true, true},
		{"fd00::1", true, true},
		{"127.0.0.1", false, true},
		{"::1", false, true},
		{"169.254.1.1", false, false},
		{"fe80::1", false, false},
		{"0.0.0.0", false, false},
		{"::", false, false},
		{"224.0.0.1", false, false},
		{"ff02::1", false, false},
		{"255.255.255.255", false, false},
	}
	for _, tt := range tests {
		ip := netip.MustParseAddr(tt.ip)
		if got := usable(ip, false); got != tt.plain {
			t.Errorf("usable(%v, false) = %v, want %v", ip, got, tt.plain)
		}
		if got := usable(ip, true); got != tt.loopback {
			t.Errorf("usable(%v, true) = %v, want %v", ip, got, tt.loopback)
		}
	}
}

func TestLocalAddressesAreAskedForAgainAfterAWhile(t *testing.T) {
	t.Parallel()
	var l localList
	now := time.Unix(1000, 0)
	if _, err := l.get(now, true); err != nil {
		t.Fatal(err)
	}
	l.addrs = nil // what the system would say now differs
	if got, err := l.get(now.Add(localAge-1), true); err != nil || got != nil {
		t.Errorf("get() = %v, %v soon after, want what was remembered", got, err)
	}
	if got, err := l.get(now.Add(localAge), true); err != nil || got == nil {
		t.Errorf("get() = %v, %v later, want what is there", got, err)
	}
}

func TestATakenPortIsAnError(t *testing.T) {
	t.Parallel()
	m := listen(t)
	other, err := Listen(Options{Port: m.Port(), Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		_ = other.Close()
		t.Fatal("two muxes listen on one port")
	}
}

func TestAnAgentHearsFromABoundedNumberOfAddresses(t *testing.T) {
	t.Parallel()
	c := candidate(t, listen(t), "abcd", "127.0.0.1")
	from := func(port int) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(port))
	}
	heard := 0
	for port := range 10 * maxHeard {
		if c.agent.claim(from(port)) {
			heard++
		}
	}
	if heard != maxHeard {
		t.Errorf("binding requests from %d addresses reach the agent, want %d", heard, maxHeard)
	}
	if !c.agent.claim(from(0)) {
		t.Error("an address that was heard before is not heard any more")
	}
}
