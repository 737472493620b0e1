package udpmux

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"galene/udpsocket"
)

// recorder is a receiver that keeps what it is given.
type recorder struct {
	decline func(b []byte) bool                            // leaves it to the agent; nil for none
	answer  func(b []byte, burst *udpsocket.Batch)         // may be nil
	ended   func(packets [][]byte, burst *udpsocket.Batch) // at the end of a burst; may be nil

	mu      sync.Mutex // guards the fields below
	packets [][]byte
	open    [][]byte // those of the present burst
	bursts  int
	faults  []string
	batch   *udpsocket.Batch // of the present burst
}

func (r *recorder) ReceiveRTP(b []byte, burst *udpsocket.Batch) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.batch != nil && r.batch != burst {
		r.faults = append(r.faults, "the batch changed within a burst")
	}
	r.batch = burst
	if r.decline != nil && r.decline(b) {
		return false
	}
	r.packets = append(r.packets, bytes.Clone(b))
	r.open = append(r.open, bytes.Clone(b))
	if r.answer != nil {
		r.answer(b, burst)
	}
	clear(b) // it is the receiver's to change
	return true
}

func (r *recorder) EndBurst(burst *udpsocket.Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.batch != burst {
		r.faults = append(r.faults, "a burst ended that was not begun")
	}
	r.batch = nil
	r.bursts++
	if r.ended != nil {
		r.ended(r.open, burst)
	}
	r.open = nil
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.packets)
}

// check fails if the receiver was called as it should not be.
func (r *recorder) check(tb testing.TB) {
	tb.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.faults {
		tb.Error(f)
	}
}

// packet returns packet i.
func (r *recorder) packet(i int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.packets[i]
}

// wait waits until the receiver has n packets.
func (r *recorder) wait(tb testing.TB, n int) {
	tb.Helper()
	eventually(tb, fmt.Sprintf("%d packets received", n), func() bool { return r.count() >= n })
	r.check(tb)
}

// rtp returns an RTP packet.
func rtp(payloadType, seq byte) []byte {
	return []byte{0x80, payloadType, 0, seq, 0, 0, 0, 0, 0, 0, 0, 1, 'm', 'e', 'd', 'i', 'a'}
}

func TestAReceiverGetsRTPAndTheAgentTheRest(t *testing.T) {
	t.Parallel()
	m := listen(t)
	c, p := candidate(t, m, "a", "127.0.0.1"), newPeer(t, "127.0.0.1")
	var r recorder
	m.SetReceiver("a", &r)
	write(t, c, []byte("hello"), p.addr)
	tests := []struct {
		name string
		b    []byte
		rtp  bool
	}{
		{"RTP", rtp(96, 1), true},
		{"RTP with marker", rtp(96|128, 2), true},
		{"RTP, payload type 63, marker", rtp(63|128, 3), true},
		{"RTP, payload type 96, marker", rtp(224, 4), true},
		{"RTP with padding, extension and sources", append([]byte{0xbf}, rtp(96, 5)[1:]...), true},
		{"RTP, no payload", rtp(96, 6)[:12], true},
		{"too short for RTP", rtp(96, 7)[:11], false},
		{"RTCP SR", rtp(200, 8), false},
		{"RTCP RR", rtp(201, 9), false},
		{"RTCP, first type", rtp(192, 10), false},
		{"RTCP, last type", rtp(223, 11), false},
		{"DTLS", append([]byte{22, 254, 253}, make([]byte, 20)...), false},
		{"TURN channel", append([]byte{0x40, 0}, make([]byte, 20)...), false},
		{"first octet too small", append([]byte{127}, rtp(96, 12)[1:]...), false},
		{"first octet too great", append([]byte{192}, rtp(96, 13)[1:]...), false},
		{"STUN", bindingRequest(t, "a:x"), false},
		{"empty", nil, false},
	}
	taken := 0
	for _, tt := range tests {
		p.send(t, tt.b, c)
		if tt.rtp {
			taken++
			r.wait(t, taken)
			if got := r.packet(taken - 1); !bytes.Equal(got, tt.b) {
				t.Errorf("%s: receiver got %x, want %x", tt.name, got, tt.b)
			}
			continue
		}
		expect(t, c, tt.b)
	}
	if got := r.count(); got != taken {
		t.Errorf("receiver got %d packets, want %d", got, taken)
	}
	if st := m.Stats(); st.Taken != uint64(taken) || st.QueueDrops != 0 {
		t.Errorf("Stats() = %+v, want %d taken", st, taken)
	}
	if st := m.SocketStats(); st.Received != uint64(len(tests)) || st.Sent != 1 {
		t.Errorf("SocketStats() = %+v, want %d received, 1 sent", st, len(tests))
	}
}

func TestWhatAReceiverDeclinesGoesToTheAgent(t *testing.T) {
	t.Parallel()
	m := listen(t)
	c, p := candidate(t, m, "a", "127.0.0.1"), newPeer(t, "127.0.0.1")
	r := recorder{decline: func(b []byte) bool { return b[3]%2 == 1 }}
	m.SetReceiver("a", &r)
	write(t, c, nil, p.addr)
	for i := range byte(10) {
		p.send(t, rtp(96, i), c)
	}
	for i := byte(1); i < 10; i += 2 {
		expect(t, c, rtp(96, i))
	}
	r.wait(t, 5)
}

func TestWithoutOwnershipNoReceiverIsCalled(t *testing.T) {
	t.Parallel()
	m := listen(t)
	c, p := candidate(t, m, "a", "127.0.0.1"), newPeer(t, "127.0.0.1")
	var r recorder
	m.SetReceiver("a", &r)
	p.send(t, rtp(96, 1), c)
	eventually(t, "datagram dropped", func() bool { return m.Stats().UnknownSource == 1 })
	if r.count() != 0 {
		t.Error("a receiver got a packet from an address that its agent does not own")
	}
}

// passOn gives datagrams to m as if they had been read at once.
func passOn(in *burst, ds ...udpsocket.Datagram) {
	for i := range ds {
		in.dispatch(&ds[i])
	}
	in.end()
}

func TestABurstEndsOnceForEachReceiverThatWasCalled(t *testing.T) {
	t.Parallel()
	m := listen(t)
	conns, remotes := populate(t, m, 3)
	rs := make([]recorder, 3)
	for i := range rs {
		m.SetReceiver(fmt.Sprintf("fragment%d", i), &rs[i])
	}
	in := newBurst(m)
	from := func(i int, seq byte) udpsocket.Datagram {
		return udpsocket.Datagram{Data: rtp(96, seq), From: remotes[i], To: conns[i].local.Addr()}
	}
	passOn(in, from(0, 0), from(1, 0), from(0, 1), from(0, 2), from(1, 1))
	passOn(in, from(1, 2))
	passOn(in)
	for i, want := range []struct{ packets, bursts int }{{3, 1}, {3, 2}, {0, 0}} {
		r := &rs[i]
		r.check(t)
		if len(r.packets) != want.packets || r.bursts != want.bursts || r.open != nil {
			t.Errorf("receiver %d: %d packets in %d bursts, want %d in %d", i, len(r.packets), r.bursts, want.packets, want.bursts)
		}
		for j, b := range r.packets {
			if b[3] != byte(j) {
				t.Errorf("receiver %d: packet %d has number %d", i, j, b[3])
			}
		}
	}
}

func TestABurstIsAnsweredWhenItEnds(t *testing.T) {
	t.Parallel()
	m := listen(t)
	c, p, q := candidate(t, m, "a", "127.0.0.1"), newPeer(t, "127.0.0.1"), newPeer(t, "127.0.0.1")
	write(t, c, []byte("hello"), p.addr)
	write(t, c, []byte("hello"), q.addr)
	expect(t, q, []byte("hello"))
	to, ok := m.Route("a", c.local.Addr(), q.addr)
	if !ok {
		t.Fatal("no route")
	}
	put := func(b []byte, burst *udpsocket.Batch) { burst.Commit(copy(burst.Reserve(to, len(b)), b)) }
	r := recorder{answer: put, ended: func(_ [][]byte, burst *udpsocket.Batch) { put([]byte("end"), burst) }}
	m.SetReceiver("a", &r)
	for i := range byte(3) {
		p.send(t, rtp(96, i), c)
		expect(t, q, rtp(96, i))
		if from := expect(t, q, []byte("end")); from != c.local {
			t.Errorf("answer from %v, want %v", from, c.local)
		}
	}
}

func TestAddressesOutliveCandidatesWhileThereIsAReceiver(t *testing.T) {
	t.Parallel()
	for _, removed := range []bool{false, true} {
		t.Run(fmt.Sprintf("removed=%v", removed), func(t *testing.T) {
			t.Parallel()
			m := listen(t)
			c, p := candidate(t, m, "old", "127.0.0.1"), newPeer(t, "127.0.0.1")
			var r recorder
			m.SetReceiver("old", &r)
			write(t, c, []byte("hello"), p.addr)
			expect(t, p, []byte("hello"))
			if removed {
				m.RemoveConnByUfrag("old")
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			p.send(t, rtp(96, 1), c)
			r.wait(t, 1)

			// The way out is still open, too.
			d, ok := m.Route("old", c.local.Addr(), p.addr)
			if !ok {
				t.Fatal("no route after the candidate closed")
			}
			if err := d.Send([]byte("out")); err != nil {
				t.Fatal(err)
			}
			if from := expect(t, p, []byte("out")); from != c.local {
				t.Errorf("datagram from %v, want %v", from, c.local)
			}

			// Nobody takes the address without a check from there.
			next := candidate(t, m, "next", "127.0.0.1")
			write(t, next, []byte("x"), p.addr)
			expect(t, p, []byte("x"))
			p.send(t, rtp(96, 2), c)
			r.wait(t, 2)
			check := bindingRequest(t, "next:x")
			p.send(t, check, next)
			expect(t, next, check)
			write(t, next, []byte("y"), p.addr)
			p.send(t, rtp(96, 3), next)
			expect(t, next, rtp(96, 3))
			if _, ok := m.Route("old", c.local.Addr(), p.addr); ok {
				t.Error("there is a route to an address of another agent")
			}
			if r.count() != 2 {
				t.Errorf("receiver got %d packets, want 2", r.count())
			}
		})
	}
}

func TestRemovingAReceiverFreesWhatItKept(t *testing.T) {
	t.Parallel()
	m := listen(t)
	c, p := candidate(t, m, "a", "127.0.0.1"), newPeer(t, "127.0.0.1")
	var r recorder
	m.SetReceiver("a", &r)
	m.SetReceiver("later", &r)
	write(t, c, nil, p.addr)
	_ = c.Close()
	if m.find([]byte("a")) == nil || m.find([]byte("later")) == nil || m.addresses.get(p.addr) == nil {
		t.Fatal("an agent with a receiver is forgotten")
	}
	m.RemoveReceiver(&r)
	m.RemoveReceiver(&r) // once is enough
	if m.find([]byte("a")) != nil || m.find([]byte("later")) != nil || m.addresses.get(p.addr) != nil || len(m.handlers) != 0 {
		t.Error("something is kept after its receiver was removed")
	}

	// An agent with candidates stays, without the receiver.
	c = candidate(t, m, "b", "127.0.0.1")
	m.SetReceiver("b", &r)
	write(t, c, nil, p.addr)
	m.RemoveReceiver(&r)
	p.send(t, rtp(96, 1), c)
	expect(t, c, rtp(96, 1))
	if r.count() != 0 {
		t.Error("a receiver was called after it was removed")
	}
}

func TestARestartedConnectionTakesItsAddressesAlong(t *testing.T) {
	t.Parallel()
	m := listen(t)
	old, p := candidate(t, m, "old", "127.0.0.1"), newPeer(t, "127.0.0.1")
	var r, stranger recorder
	m.SetReceiver("old", &r)
	m.SetReceiver("new", &r) // before there is such an agent
	m.SetReceiver("other", &stranger)
	write(t, old, []byte("x"), p.addr)

	other := candidate(t, m, "other", "127.0.0.1")
	write(t, other, []byte("x"), p.addr)
	if got := m.addresses.get(p.addr); got != old.agent {
		t.Fatal("an agent took an address of another connection")
	}
	next := candidate(t, m, "new", "127.0.0.1")
	write(t, next, []byte("x"), p.addr)
	if got := m.addresses.get(p.addr); got != next.agent {
		t.Fatal("a new generation does not own an address that it wrote to")
	}
	_ = old.Close()
	p.send(t, rtp(96, 1), next)
	r.wait(t, 1)
	p.send(t, []byte("not media"), next)
	expect(t, next, []byte("not media"))
}

func TestAReceiverMayBeReplaced(t *testing.T) {
	t.Parallel()
	m := listen(t)
	c, p := candidate(t, m, "a", "127.0.0.1"), newPeer(t, "127.0.0.1")
	var first, second recorder
	m.SetReceiver("a", &first)
	m.SetReceiver("a", &second)
	m.SetReceiver("a", &second)
	m.RemoveReceiver(&first)
	write(t, c, nil, p.addr)
	p.send(t, rtp(96, 1), c)
	second.wait(t, 1)
	if first.count() != 0 {
		t.Error("the receiver that was replaced got a packet")
	}
}

func TestRemoveReceiverAwaitsTheEndOfABurst(t *testing.T) {
	t.Parallel()
	m := listen(t)
	c, p := candidate(t, m, "a", "127.0.0.1"), newPeer(t, "127.0.0.1")
	entered, leave := make(chan struct{}), make(chan struct{})
	var over atomic.Bool
	r := recorder{
		answer: func([]byte, *udpsocket.Batch) { close(entered); <-leave },
		ended:  func([][]byte, *udpsocket.Batch) { over.Store(true) },
	}
	m.SetReceiver("a", &r)
	write(t, c, nil, p.addr)
	p.send(t, rtp(96, 1), c)
	<-entered
	removed := make(chan bool)
	go func() {
		m.RemoveReceiver(&r)
		removed <- over.Load()
	}()
	eventually(t, "receiver detached", func() bool { return c.agent.handler.Load() == nil })
	select {
	case <-removed:
		t.Error("RemoveReceiver returned while the receiver was being called")
	case <-time.After(20 * time.Millisecond):
	}
	close(leave)
	if !<-removed {
		t.Error("RemoveReceiver returned before the burst ended")
	}
}

// gateKeeper is a receiver that must not be called once it has been removed.
type gateKeeper struct {
	removed atomic.Bool
	calls   atomic.Int64
	late    atomic.Int64
}

func (g *gateKeeper) ReceiveRTP([]byte, *udpsocket.Batch) bool { g.call(); return true }
func (g *gateKeeper) EndBurst(*udpsocket.Batch)                { g.call() }

func (g *gateKeeper) call() {
	g.calls.Add(1)
	if g.removed.Load() {
		g.late.Add(1)
	}
}

func TestNoReceiverIsCalledAfterItsRemoval(t *testing.T) {
	t.Parallel()
	m := listen(t)
	conns, remotes := populate(t, m, 2)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 { // as many readers as there might be
		readers.Go(func() {
			in := newBurst(m)
			for {
				select {
				case <-stop:
					return
				default:
				}
				passOn(in,
					udpsocket.Datagram{Data: rtp(96, 1), From: remotes[0], To: conns[0].local.Addr()},
					udpsocket.Datagram{Data: rtp(96, 2), From: remotes[1], To: conns[1].local.Addr()},
					udpsocket.Datagram{Data: rtp(96, 3), From: remotes[0], To: conns[0].local.Addr()})
			}
		})
	}
	var calls, late int64
	var setters sync.WaitGroup
	var sum sync.Mutex
	for i := range 2 {
		setters.Go(func() {
			for range 200 {
				g := new(gateKeeper)
				m.SetReceiver(conns[i].agent.ufrag, g)
				for end := time.Now().Add(time.Second); g.calls.Load() == 0 && time.Now().Before(end); {
					time.Sleep(10 * time.Microsecond)
				}
				m.RemoveReceiver(g)
				g.removed.Store(true)
				sum.Lock()
				calls += g.calls.Load()
				late += g.late.Load()
				sum.Unlock()
			}
		})
	}
	setters.Wait()
	close(stop)
	readers.Wait()
	if late != 0 || calls == 0 {
		t.Errorf("%d calls, %d after removal, want some and none", calls, late)
	}
}

// fragile is a receiver that panics.
type fragile struct{ inEnd bool }

func (f *fragile) ReceiveRTP(b []byte, burst *udpsocket.Batch) bool {
	if !f.inEnd {
		panic("in ReceiveRTP")
	}
	return true
}

func (f *fragile) EndBurst(*udpsocket.Batch) { panic("in EndBurst") }

func TestAReceiverThatPanicsEndsAlone(t *testing.T) {
	t.Parallel()
	for _, inEnd := range []bool{false, true} {
		t.Run(fmt.Sprintf("inEnd=%v", inEnd), func(t *testing.T) {
			t.Parallel()
			m := listen(t)
			c, p := candidate(t, m, "a", "127.0.0.1"), newPeer(t, "127.0.0.1")
			d, q := candidate(t, m, "b", "127.0.0.1"), newPeer(t, "127.0.0.1")
			write(t, c, nil, p.addr)
			write(t, d, nil, q.addr)
			bad := &fragile{inEnd: inEnd}
			var good recorder
			m.SetReceiver("a", bad)
			m.SetReceiver("b", &good)
			p.send(t, rtp(96, 1), c)
			eventually(t, "panic noticed", func() bool { return m.Stats().Panics == 1 && c.agent.handler.Load() == nil })
			p.send(t, rtp(96, 2), c)
			expect(t, c, rtp(96, 2)) // the agent takes over
			q.send(t, rtp(96, 3), d)
			good.wait(t, 1)
			m.RemoveReceiver(bad)
			if got := m.Stats().Panics; got != 1 {
				t.Errorf("%d panics, want 1", got)
			}
		})
	}
}

func TestRouteFindsTheZoneOfALinkLocalAddress(t *testing.T) {
	t.Parallel()
	m := listen(t)
	ip := linkLocal(t)
	p := newPeer(t, ip.String())
	local := outside(t, m, true)
	c := candidate(t, m, "a", local.String())
	if _, ok := m.Route("a", local, p.addr); ok {
		t.Error("there is a route before the agent owns the address")
	}
	write(t, c, []byte("hello"), p.addr)
	expect(t, p, []byte("hello"))
	bare := netip.AddrPortFrom(ip.WithZone(""), p.addr.Port())
	for _, remote := range []netip.AddrPort{p.addr, bare} {
		if d, ok := m.Route("a", local, remote); !ok || d.Remote() != p.addr {
			t.Errorf("Route() to %v = %v, %v, want a route to %v", remote, d, ok, p.addr)
		}
	}
	for _, remote := range []netip.AddrPort{
		netip.AddrPortFrom(bare.Addr(), bare.Port()^1), netip.AddrPortFrom(bare.Addr().Next(), bare.Port()),
	} {
		if _, ok := m.Route("a", local, remote); ok {
			t.Errorf("there is a route to %v, which the agent does not own", remote)
		}
	}
}

// linkLocal returns a link-local IPv6 address of this machine, with its zone. It skips the
// test if there is none.
func linkLocal(tb testing.TB) netip.Addr {
	tb.Helper()
	interfaces, err := net.Interfaces()
	if err != nil {
		tb.Fatal(err)
	}
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil || i.Flags&net.FlagUp == 0 {
			continue
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err == nil && p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() {
				return p.Addr().WithZone(i.Name)
			}
		}
	}
	tb.Skip("this machine has no link-local IPv6 address")
	return netip.Addr{}
}

func TestRouteNeedsAnAddressOfTheAgent(t *testing.T) {
	t.Parallel()
	m := listen(t)
	c, p := candidate(t, m, "a", "127.0.0.1"), newPeer(t, "127.0.0.1")
	other := candidate(t, m, "b", "127.0.0.1")
	local := c.local.Addr()
	if _, ok := m.Route("a", local, p.addr); ok {
		t.Error("there is a route before the agent owns the address")
	}
	if _, ok := m.Route("nobody", local, p.addr); ok {
		t.Error("there is a route for an agent that does not exist")
	}
	write(t, c, nil, p.addr)
	d, ok := m.Route("a", local, p.addr)
	if !ok || d.Local() != local || d.Remote() != p.addr {
		t.Fatalf("Route() = %v, %v, want from %v to %v", d, ok, local, p.addr)
	}
	mapped := netip.AddrPortFrom(netip.AddrFrom16(p.addr.Addr().As16()), p.addr.Port())
	if d, ok := m.Route("a", netip.AddrFrom16(local.As16()), mapped); !ok || d.Local() != local || d.Remote() != p.addr {
		t.Errorf("Route() of mapped addresses = %v, %v", d, ok)
	}
	if _, ok := m.Route("b", local, p.addr); ok {
		t.Error("there is a route to an address of another agent")
	}
	check := bindingRequest(t, "b:x")
	p.send(t, check, other)
	expect(t, other, check)
	write(t, other, nil, p.addr)
	if _, ok := m.Route("b", local, p.addr); !ok {
		t.Error("there is no route after the agent took the address")
	}
	if _, ok := m.Route("a", local, p.addr); ok {
		t.Error("there is a route after another agent took the address")
	}
	_ = other.Close()
	if _, ok := m.Route("b", local, p.addr); ok {
		t.Error("there is a route after the agent is gone")
	}
}

func TestRouteFromAnUnknownLocalAddress(t *testing.T) {
	t.Parallel()
	for _, local := range []string{"203.0.113.9", "0.0.0.0", "2001:db8::1", ""} {
		t.Run(local, func(t *testing.T) {
			t.Parallel()
			m := listen(t)
			two, three := candidate(t, m, "a", "127.0.0.2"), candidate(t, m, "a", "127.0.0.3")
			p := newPeer(t, "127.0.0.1")
			ip, _ := netip.ParseAddr(local)
			if _, err := two.WriteToAddrPort([]byte("x"), p.addr); err != nil {
				t.Skip("only one loopback address here:", err)
			}
			expect(t, p, []byte("x"))
			d, ok := m.Route("a", ip, p.addr)
			if !ok || d.Local().IsValid() {
				t.Fatalf("Route() = %v, %v, want the system's choice", d.Local(), ok)
			}
			if err := d.Send([]byte("chosen")); err != nil {
				t.Fatal(err)
			}
			expect(t, p, []byte("chosen"))
			for _, c := range []*packetConn{two, three, two} {
				p.send(t, []byte("in"), c)
				expect(t, c, []byte("in"))
				d, ok = m.Route("a", ip, p.addr)
				if !ok || d.Local() != c.local.Addr() {
					t.Fatalf("Route() from %v, %v, want %v", d.Local(), ok, c.local.Addr())
				}
				if err := d.Send([]byte("out")); err != nil {
					t.Fatal(err)
				}
				if from := expect(t, p, []byte("out")); from != c.local {
					t.Errorf("datagram from %v, want %v", from, c.local)
				}
			}
		})
	}
}

func TestShardsServeAllConnections(t *testing.T) {
	t.Parallel()
	m, err := Listen(Options{Loopback: true, Shards: 2, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	const connections, each = 16, 10
	var all sync.WaitGroup
	for i := range connections {
		ip := []string{"127.0.0.1", "::1"}[i%2]
		if m.socketFor(netip.MustParseAddr(ip)) == nil {
			continue
		}
		all.Go(func() {
			ufrag := fmt.Sprint("agent", i)
			conn, err := m.GetConn(ufrag, &net.UDPAddr{IP: net.ParseIP(ip), Port: m.Port()})
			if err != nil {
				t.Error(err)
				return
			}
			c, p := conn.(*packetConn), newPeer(t, ip)
			defer c.Close()
			r := new(recorder)
			r.answer = func(b []byte, burst *udpsocket.Batch) {
				if d, ok := m.Route(ufrag, c.local.Addr(), p.addr); ok {
					burst.Commit(copy(burst.Reserve(d, len(b)), b))
				}
			}
			m.SetReceiver(ufrag, r)
			defer m.RemoveReceiver(r)
			check := bindingRequest(t, ufrag+":x")
			p.send(t, check, c)
			expect(t, c, check)
			write(t, c, []byte("answer"), p.addr)
			expect(t, p, []byte("answer"))
			for seq := range byte(each) {
				p.send(t, rtp(96, seq), c)
				expect(t, p, rtp(96, seq))
			}
			r.wait(t, each)
		})
	}
	all.Wait()
}

func TestReceiversMayBeSetAndRemovedAfterClose(t *testing.T) {
	t.Parallel()
	m, err := Listen(Options{Loopback: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var r, late recorder
	m.SetReceiver("a", &r)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	m.SetReceiver("b", &late)
	m.RemoveReceiver(&late)
	m.RemoveReceiver(&r)
	if _, ok := m.Route("a", netip.Addr{}, netip.MustParseAddrPort("127.0.0.1:9")); ok {
		t.Error("there is a route after Close")
	}
}

// Only what RFC 7983 and RFC 5761 call RTP is RTP, and no binding request is.
func FuzzIsRTP(f *testing.F) {
	f.Add(rtp(96, 1))
	f.Add(rtp(200, 1))
	f.Add(bindingRequest(f, "a:b"))
	f.Fuzz(func(t *testing.T, b []byte) {
		want := len(b) >= 12 && b[0] >= 128 && b[0] <= 191 && !slices.Contains(rtcpTypes(), b[1])
		if got := isRTP(b); got != want || got && isBindingRequest(b) {
			t.Fatalf("isRTP(%x) = %v, want %v", b, got, want)
		}
	})
}

// rtcpTypes lists the second octets that mean RTCP.
func rtcpTypes() (types []byte) {
	for i := 192; i <= 223; i++ {
		types = append(types, byte(i))
	}
	return types
}
