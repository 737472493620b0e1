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
	m.SetReceiver("fragment5", new(forwarder))
	burstOf6 := mediaBurst(conns[5], remotes[5])
	tests := []struct {
		name string
		f    func() error
	}{
		{"media", func() error { return dispatchOne(in, conns[3], remotes[3], media, b) }},
		{"check", func() error { return dispatchOne(in, conns[3], remotes[3], check, b) }},
		{"send", func() error { _, err := conns[0].WriteToAddrPort(media, p.addr); return err }},
		{"receiver", func() error { passOn(in, burstOf6...); return nil }},
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

// forwarder is a receiver that reads every packet's number, and forwards nothing.
type forwarder struct{ sum, bursts uint64 }

func (f *forwarder) ReceiveRTP(b []byte, _ *udpsocket.Batch) bool {
	f.sum += uint64(b[3])
	return true
}

func (f *forwarder) EndBurst(*udpsocket.Batch) { f.bursts++ }

// mediaBurst returns 6 packets that come at once from one peer.
func mediaBurst(c *packetConn, from netip.AddrPort) []udpsocket.Datagram {
	ds := make([]udpsocket.Datagram, 6)
	for i := range ds {
		data := make([]byte, 1150)
		copy(data, rtp(96, byte(i)))
		ds[i] = udpsocket.Datagram{Data: data, From: from, To: c.local.Addr()}
	}
	return ds
}

func BenchmarkReceiver(b *testing.B) {
	for _, agents := range []int{1, 100, 10000} {
		b.Run(fmt.Sprintf("agents=%d", agents), func(b *testing.B) {
			m := listen(b)
			in := newBurst(m)
			conns, remotes := populate(b, m, agents)
			f := new(forwarder)
			for _, c := range conns {
				m.SetReceiver(c.agent.ufrag, f)
			}
			ds := mediaBurst(conns[0], remotes[0])
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if i++; i == agents {
					i = 0
				}
				for j := range ds {
					ds[j].From = remotes[i]
				}
				passOn(in, ds...)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ds)), "ns/datagram")
		})
	}
}

// counter is a receiver that tells when it has got so many packets.
type counter struct {
	got, want int
	done      chan struct{}
}

func (c *counter) ReceiveRTP([]byte, *udpsocket.Batch) bool {
	c.got++
	return true
}

func (c *counter) EndBurst(*udpsocket.Batch) {
	if c.got >= c.want {
		c.got = 0
		c.done <- struct{}{}
	}
}

// BenchmarkSocketToReceiver measures what it takes from a peer's system call to
// the receiver, wake-ups included.
func BenchmarkSocketToReceiver(b *testing.B) {
	for _, run := range []int{1, 6, 30} {
		b.Run(fmt.Sprintf("burst=%d", run), func(b *testing.B) {
			m := listen(b)
			c := candidate(b, m, "a", "127.0.0.1")
			sockets, port, err := udpsocket.Open(udpsocket.Options{})
			if err != nil {
				b.Fatal(err)
			}
			from := sockets[0]
			for _, s := range sockets {
				defer s.Close()
			}
			d, err := from.Destination(c.local.Addr(), c.local)
			if err != nil {
				b.Fatal(err)
			}
			r := &counter{want: run, done: make(chan struct{}, 1)}
			m.SetReceiver("a", r)
			c.agent.own(netip.AddrPortFrom(c.local.Addr(), uint16(port)))
			batch, data := udpsocket.NewBatch(), make([]byte, 1150)
			copy(data, rtp(96, 1))
			b.ReportAllocs()
			for b.Loop() {
				for range run {
					batch.Commit(copy(batch.Reserve(d, len(data)), data))
				}
				batch.Flush()
				<-r.done
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*run), "ns/datagram")
		})
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
