package udpmux

import (
	"fmt"
	"net/netip"
	"testing"

	"galene/udpsocket"
)

// populate gives m agents with one candidate and one remote address each.
func populate(tb testing.TB, m *Mux, agents int) ([]*packetConn, []netip.AddrPort) {
	tb.Helper()
	conns, remotes := make([]*packetConn, agents), make([]netip.AddrPort, agents)
	for i := range agents {
		conns[i] = candidate(tb, m, fmt.Sprintf("fragment%d", i), "127.0.0.1")
		ip := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		remotes[i] = netip.AddrPortFrom(ip, uint16(40000+i))
		conns[i].agent.own(remotes[i])
	}
	return conns, remotes
}

// dispatchOne passes one datagram from reader to candidate.
func dispatchOne(in *burst, c *packetConn, from netip.AddrPort, payload, b []byte) error {
	in.dispatch(&udpsocket.Datagram{Data: payload, From: from, To: c.local.Addr()})
	in.end()
	_, _, err := c.ReadFromAddrPort(b)
	return err
}

// newBurst returns what a reader of m passes datagrams on with.
func newBurst(m *Mux) *burst { return &burst{mux: m, batch: udpsocket.NewBatch()} }

func TestReceivingAndSendingDoNotAllocate(t *testing.T) { // not parallel: it counts
	m := listen(t)
	conns, remotes := populate(t, m, 10)
	media, check, b := make([]byte, 1200), bindingRequest(t, "fragment3:x"), make([]byte, 1500)
	in, p := newBurst(m), newPeer(t, "127.0.0.1")
	write(t, conns[0], media, p.addr)
	tests := []struct {
		name string
		f    func() error
	}{
		{"media", func() error { return dispatchOne(in, conns[3], remotes[3], media, b) }},
		{"check", func() error { return dispatchOne(in, conns[3], remotes[3], check, b) }},
		{"send", func() error { _, err := conns[0].WriteToAddrPort(media, p.addr); return err }},
		{"round trip", func() error {
			if _, err := p.WriteToUDPAddrPort(media, conns[0].local); err != nil {
				return err
			}
			_, _, err := conns[0].ReadFromAddrPort(b)
			return err
		}},
	}
	for _, tt := range tests {
		got := testing.AllocsPerRun(1000, func() {
			if err := tt.f(); err != nil {
				t.Fatal(err)
			}
		})
		if got != 0 {
			t.Errorf("%s: %v allocations, want 0", tt.name, got)
		}
	}
}

func BenchmarkDispatch(b *testing.B) {
	for _, agents := range []int{1, 100, 10000} {
		for _, kind := range []string{"media", "check"} {
			b.Run(fmt.Sprintf("%s/agents=%d", kind, agents), func(b *testing.B) {
				m := listen(b)
				in := newBurst(m)
				conns, remotes := populate(b, m, agents)
				payload, out := make([]byte, 1200), make([]byte, 1500)
				if kind == "check" {
					payload = bindingRequest(b, "fragment0:x")
				}
				b.ReportAllocs()
				b.SetBytes(int64(len(payload)))
				i := 0
				for b.Loop() {
					if kind == "media" {
						if i++; i == agents {
							i = 0
						}
					}
					if err := dispatchOne(in, conns[i], remotes[i], payload, out); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkSend(b *testing.B) {
	m := listen(b)
	c, p := candidate(b, m, "a", "127.0.0.1"), newPeer(b, "127.0.0.1")
	payload := make([]byte, 1200)
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		if _, err := c.WriteToAddrPort(payload, p.addr); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRegister(b *testing.B) {
	m := listen(b)
	conns, _ := populate(b, m, 10000)
	remote := netip.AddrPortFrom(netip.MustParseAddr("198.51.100.1"), 5000)
	b.ReportAllocs()
	for b.Loop() {
		m.addresses.put(remote, conns[0].agent, false)
		m.addresses.remove(remote, conns[0].agent)
	}
}

func BenchmarkListenAddresses(b *testing.B) {
	m := listen(b)
	for b.Loop() {
		if len(m.GetListenAddresses()) == 0 {
			b.Fatal("no addresses")
		}
	}
}
