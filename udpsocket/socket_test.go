package udpsocket

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// open returns the sockets of one port.
func open(tb testing.TB, o Options) []*Socket {
	tb.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	sockets, _, err := Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { closeAll(sockets) })
	return sockets
}

// socketOf returns the first socket of an address's family.
func socketOf(tb testing.TB, sockets []*Socket, ip string) *Socket {
	tb.Helper()
	for _, s := range sockets {
		if s.IPv6() == netip.MustParseAddr(ip).Is6() {
			return s
		}
	}
	tb.Skip("no such address family:", ip)
	return nil
}

// peer is a socket of the standard library.
type peer struct {
	*net.UDPConn
	addr netip.AddrPort
}

func newPeer(tb testing.TB, ip string) peer {
	tb.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		tb.Skip("no such address here:", err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	_ = c.SetReadBuffer(socketBuffer)
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		tb.Fatal(err)
	}
	return peer{c, Canonical(c.LocalAddr().(*net.UDPAddr).AddrPort())}
}

func (p peer) expect(tb testing.TB, want []byte) netip.AddrPort {
	tb.Helper()
	b := make([]byte, 65536)
	n, from, err := p.ReadFromUDPAddrPort(b)
	if err != nil || !bytes.Equal(b[:n], want) {
		tb.Fatalf("read %d octets %.20x, %v, want %d octets %.20x", n, b[:n], err, len(want), want)
	}
	return Canonical(from)
}

// newAddr returns a transport address.
func newAddr(ip string, port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(port))
}

func destination(tb testing.TB, s *Socket, local string, remote netip.AddrPort) *Destination {
	tb.Helper()
	ip, _ := netip.ParseAddr(local)
	d, err := s.Destination(ip, remote)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// put appends one datagram to a batch.
func put(b *Batch, d *Destination, data []byte) {
	b.Commit(copy(b.Reserve(d, len(data)), data))
}

// payload returns n octets that tell datagrams apart.
func payload(n int, id byte) []byte {
	b := bytes.Repeat([]byte{id}, n)
	for i := range b {
		b[i] += byte(i)
	}
	return b
}

func TestReadTellsAddressesAndPayload(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"127.0.0.1", "127.0.0.2", "::1"} {
		t.Run(ip, func(t *testing.T) {
			t.Parallel()
			s := socketOf(t, open(t, Options{}), ip)
			p := newPeer(t, ip)
			r := s.NewReader()
			to := netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(s.port))
			for i := range 3 {
				if _, err := p.WriteToUDPAddrPort(payload(100+i, byte(i)), to); err != nil {
					t.Fatal(err)
				}
			}
			for i := 0; i < 3; {
				ds, err := r.Read()
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range ds {
					if want := payload(100+i, byte(i)); !bytes.Equal(d.Data, want) || d.From != p.addr || d.To != to.Addr() || d.Truncated {
						t.Errorf("datagram %d = %+v, want %x from %v to %v", i, d, want, p.addr, to.Addr())
					}
					i++
				}
			}
		})
	}
}

func TestDatagramsLeaveFromTheAddressAskedFor(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3", "::1"} {
		s := socketOf(t, open(t, Options{}), ip)
		p := newPeer(t, ip)
		d := destination(t, s, ip, p.addr)
		if d.Local() != newAddr(ip, 1).Addr() || d.Remote() != p.addr {
			t.Errorf("destination from %v to %v, want from %v to %v", d.Local(), d.Remote(), ip, p.addr)
		}
		b := NewBatch()
		for range 3 {
			put(b, d, []byte("run"))
		}
		b.Flush()
		if err := d.Send([]byte("single")); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"run", "run", "run", "single"} {
			if from := p.expect(t, []byte(want)); from != newAddr(ip, s.port) {
				t.Errorf("%q from %v, want %v", want, from, newAddr(ip, s.port))
			}
		}
	}
}

func TestDestinationRefusesWhatCannotBeSentTo(t *testing.T) {
	t.Parallel()
	sockets := open(t, Options{})
	v4 := socketOf(t, sockets, "127.0.0.1")
	tests := []struct {
		local, remote string
	}{
		{"", "[::1]:1"},
		{"", "127.0.0.1:0"},
		{"::1", "127.0.0.1:1"},
	}
	for _, tt := range tests {
		local, _ := netip.ParseAddr(tt.local)
		if _, err := v4.Destination(local, netip.MustParseAddrPort(tt.remote)); !errors.Is(err, ErrAddress) {
			t.Errorf("Destination(%q, %q) error = %v, want ErrAddress", tt.local, tt.remote, err)
		}
	}
	if _, err := v4.Destination(netip.Addr{}, netip.AddrPort{}); !errors.Is(err, ErrAddress) {
		t.Errorf("Destination of nothing: error = %v, want ErrAddress", err)
	}
	if _, err := v4.Destination(netip.Addr{}, netip.MustParseAddrPort("[::ffff:127.0.0.1]:9")); err != nil {
		t.Errorf("Destination of a mapped address: error = %v", err)
	}
	v6 := socketOf(t, sockets, "::1")
	if _, err := v6.Destination(netip.Addr{}, netip.MustParseAddrPort("[fe80::1%no-such-interface]:9")); runtime.GOOS == "linux" && !errors.Is(err, ErrAddress) {
		t.Errorf("Destination of an unknown zone: error = %v, want ErrAddress", err)
	}
}

func TestWhatIsTooLongIsTruncated(t *testing.T) {
	t.Parallel()
	for _, n := range []int{MaxDatagram, MaxDatagram + 1, 9000, 65507} {
		s := socketOf(t, open(t, Options{}), "127.0.0.1")
		p := newPeer(t, "127.0.0.1")
		if _, err := p.WriteToUDPAddrPort(payload(n, 1), newAddr("127.0.0.1", s.port)); err != nil {
			t.Skip("the system does not send so much:", err)
		}
		ds, err := s.NewReader().Read()
		if err != nil || len(ds) != 1 {
			t.Fatalf("Read() = %d datagrams, %v, want one", len(ds), err)
		}
		if want := payload(min(n, MaxDatagram), 1); ds[0].Truncated != (n > MaxDatagram) || !bytes.Equal(ds[0].Data, want) {
			t.Errorf("%d octets: got %d, truncated = %v", n, len(ds[0].Data), ds[0].Truncated)
		}
	}
}

func TestSendSaysWhatIsTooLong(t *testing.T) {
	t.Parallel()
	s := socketOf(t, open(t, Options{}), "127.0.0.1")
	d := destination(t, s, "", newPeer(t, "127.0.0.1").addr)
	if err := d.Send(make([]byte, 70000)); err == nil {
		t.Error("Send() of more than a datagram can be succeeds")
	}
	if st := s.Stats(); st.SendErrors != 1 || st.Sent != 0 {
		t.Errorf("Stats() = %+v, want one error", st)
	}
}

func TestCloseEndsRead(t *testing.T) {
	t.Parallel()
	for _, s := range open(t, Options{}) {
		result := make(chan error, 1)
		go func() {
			_, err := s.NewReader().Read()
			result <- err
		}()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-result; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read() error = %v, want net.ErrClosed", err)
		}
	}
}

func TestATakenPortIsAnError(t *testing.T) {
	t.Parallel()
	for _, shards := range []int{1, 2} {
		sockets := open(t, Options{Shards: shards})
		for _, o := range []Options{{Shards: 1}, {Shards: 2}} {
			o.Port, o.Log = sockets[0].port, slog.New(slog.DiscardHandler)
			others, _, err := Open(o)
			if err == nil {
				closeAll(others)
				t.Errorf("a port with %d sockets is opened again, with %d", shards, o.Shards)
			}
		}
	}
}

func TestBothFamiliesHaveOnePort(t *testing.T) {
	t.Parallel()
	sockets, port, err := Open(Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(sockets)
	seen := map[bool]bool{}
	for _, s := range sockets {
		if s.port != port || seen[s.IPv6()] {
			t.Errorf("socket with port %d, IPv6 %v, want one of each family on port %d", s.port, s.IPv6(), port)
		}
		seen[s.IPv6()] = true
	}
}
