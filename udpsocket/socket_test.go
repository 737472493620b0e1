package udpsocket

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
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

func TestABatchArrivesInOrderAtEveryDestination(t *testing.T) {
	t.Parallel()
	sockets := open(t, Options{})
	b := NewBatch()
	var peers []peer
	for _, ip := range []string{"127.0.0.1", "::1", "127.0.0.1"} {
		p := newPeer(t, ip)
		peers = append(peers, p)
		d := destination(t, socketOf(t, sockets, ip), ip, p.addr)
		for i := range 6 {
			put(b, d, payload(1150, byte(i)))
		}
		put(b, d, payload(300, 6))
	}
	b.Flush()
	for i, p := range peers {
		for j := range 6 {
			p.expect(t, payload(1150, byte(j)))
		}
		if from := p.expect(t, payload(300, 6)); from.Addr() != p.addr.Addr() {
			t.Errorf("peer %d: from %v, want from %v", i, from, p.addr.Addr())
		}
	}
	if s := sockets[0].Stats(); s.Sent != 14 || s.SendErrors != 0 || s.Dropped != 0 {
		t.Errorf("Stats() = %+v, want 14 sent", s)
	}
}

func TestReadTellsAddressesAndPayload(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"127.0.0.1", "127.0.0.2", "::1"} {
		t.Run(ip, func(t *testing.T) {
			t.Parallel()
			s := socketOf(t, open(t, Options{}), ip)
			p := newPeer(t, ip)
			r := s.NewReader()
			to := netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(s.port()))
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
