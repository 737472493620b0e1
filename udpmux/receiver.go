package udpmux

import (
	"fmt"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"galene/udpsocket"
)

// Receiver takes the SRTP packets of one connection beside its ICE agent. Its
// dynamic type is comparable. Its methods are called by readers of the mux (with
// several shards, by several goroutines at once if the peer changes address) and
// must not block, nor call [Mux.RemoveReceiver] or [Mux.Close].
type Receiver interface {
	// ReceiveRTP takes one datagram that is RTP by its first two octets, from an
	// address that the agent owns. b may be changed in place, and is valid during
	// the call. false leaves it to the agent; b must then be unchanged. burst
	// belongs to the reader; it is the same until EndBurst.
	ReceiveRTP(b []byte, burst *udpsocket.Batch) bool
	// EndBurst follows the last datagram of what was read at once, if ReceiveRTP
	// was called since the last EndBurst by this reader. Afterwards the mux sends
	// burst.
	EndBurst(burst *udpsocket.Batch)
}

// handler is the registration of one receiver.
type handler struct {
	receiver Receiver // immutable

	// gate is held for reading from a reader's first call in a burst until the
	// burst ends, and for writing to await that.
	gate   sync.RWMutex
	gone   atomic.Bool // no new burst may begin
	broken atomic.Bool // it panicked: it may not be called at all

	agents []*agent // guarded by Mux.mu
}

// SetReceiver hands the RTP packets of the agent with this local user name
// fragment to r, which replaces the one it had. The agent need not exist yet. A
// connection that restarts ICE sets its receiver for the new fragment too. The
// mux remembers r, and each fragment, until [Mux.RemoveReceiver].
func (m *Mux) SetReceiver(ufrag string, r Receiver) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	h := m.handlers[r]
	if h == nil {
		h = &handler{receiver: r}
		m.handlers[r] = h
	}
	a := m.agent(ufrag)
	old := a.handler.Load()
	if old == h {
		return
	}
	if old != nil {
		old.agents = slices.DeleteFunc(old.agents, func(o *agent) bool { return o == a })
	}
	h.agents = append(h.agents, a)
	a.handler.Store(h)
}

// RemoveReceiver ends what [Mux.SetReceiver] began, for all fragments. When it
// returns, r is not being called and will not be called. The caller must hold no
// lock that r's methods wait for.
func (m *Mux) RemoveReceiver(r Receiver) {
	m.mu.Lock()
	h := m.handlers[r]
	var idle []*agent
	if h != nil {
		idle = m.detach(h)
	}
	m.mu.Unlock()
	if h == nil {
		return
	}
	for _, a := range idle {
		a.forget()
	}
	h.gate.Lock()   // until the readers that are in a burst have ended it
	h.gate.Unlock() //nolint:staticcheck // there is nothing to do but wait
}

// detach takes a receiver from all its agents, and returns those that are left
// with nothing, for the caller to forget after it has released m.mu, which it
// holds.
func (m *Mux) detach(h *handler) (idle []*agent) {
	h.gone.Store(true)
	if m.handlers[h.receiver] == h {
		delete(m.handlers, h.receiver)
	}
	for _, a := range h.agents {
		a.handler.CompareAndSwap(h, nil)
		if m.retire(a) {
			idle = append(idle, a)
		}
	}
	h.agents = nil
	return idle
}

// Route returns where to send to for a pair of addresses of the agent with this
// local user name fragment. remote must be an address that the agent owns. A local
// address that is none of ours, as behind address translation, stands for the one
// to which datagrams from remote came last, or else for the system's choice. The
// destination stays usable after the agent's candidates are closed. A link-local
// remote address may lack its zone, which candidates cannot tell (RFC 8839 §5.1).
func (m *Mux) Route(ufrag string, local netip.Addr, remote netip.AddrPort) (*udpsocket.Destination, bool) {
	a := m.find([]byte(ufrag))
	if a == nil {
		return nil, false
	}
	remote = a.zoned(udpsocket.Canonical(remote))
	o := m.addresses.owner(remote)
	if o == nil || o.agent != a {
		return nil, false
	}
	if local = local.Unmap(); !m.sendsFrom(a, local, remote.Addr()) {
		local = o.lastLocal()
	}
	s := m.socketFor(remote.Addr())
	if s == nil {
		return nil, false
	}
	d, err := s.Destination(local, remote)
	return d, err == nil
}

// burst is what one reader passes on of what it read at once. The reader owns it.
type burst struct {
	mux    *Mux
	batch  *udpsocket.Batch
	called []*handler // their gates are held
	taken  uint64     // datagrams

	// The owner of the address that the last datagram came from; nil if unknown.
	// Runs of datagrams come from one address.
	from  netip.AddrPort
	owner *owner
}

// ownerOf returns the owner of an address, or nil.
func (b *burst) ownerOf(from netip.AddrPort) *owner {
	if b.owner == nil || b.from != from {
		b.from, b.owner = from, b.mux.addresses.owner(from)
	}
	return b.owner
}

// offer offers an RTP packet to a receiver. It reports whether the agent is to
// have it; not if the receiver panics, because what is left then is not fit for it.
func (b *burst) offer(h *handler, data []byte) (declined bool) {
	if !b.enter(h) {
		return true
	}
	defer b.recover(h)
	return !h.receiver.ReceiveRTP(data, b.batch)
}

// enter makes sure that the burst holds a receiver's gate, and reports whether
// it may be called.
func (b *burst) enter(h *handler) bool {
	if slices.Contains(b.called, h) {
		return !h.broken.Load()
	}
	if !h.gate.TryRLock() { // it is being removed
		return false
	}
	if h.gone.Load() {
		h.gate.RUnlock()
		return false
	}
	b.called = append(b.called, h)
	return true
}

// end ends the burst for every receiver, then sends their answers.
func (b *burst) end() {
	for i, h := range b.called {
		b.endOf(h)
		h.gate.RUnlock()
		b.called[i] = nil
	}
	if b.taken > 0 {
		b.mux.stats.taken.Add(b.taken)
	}
	b.called, b.taken, b.owner = b.called[:0], 0, nil
	b.batch.Flush()
}

// endOf ends the burst for one receiver.
func (b *burst) endOf(h *handler) {
	if h.broken.Load() {
		return
	}
	defer b.recover(h)
	h.receiver.EndBurst(b.batch)
}

// recover is deferred around calls of a receiver. One that panics is removed; the
// reader goes on. It does not wait for other readers that are calling it.
func (b *burst) recover(h *handler) {
	cause := recover()
	if cause == nil {
		return
	}
	m := b.mux
	m.stats.panics.Add(1)
	h.broken.Store(true)
	m.mu.Lock()
	idle := m.detach(h)
	m.mu.Unlock()
	for _, a := range idle {
		a.forget()
	}
	m.log.Error("a receiver of media panicked and was removed", "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
}

// isRTP tells RTP from everything else that shares a port with it (RFC 7983 §7),
// RTCP among it (RFC 5761 §4).
func isRTP(b []byte) bool {
	return len(b) >= rtpHeader && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223)
}

// rtpHeader is the least length of an RTP packet, in octets (RFC 3550 §5.1).
const rtpHeader = 12
