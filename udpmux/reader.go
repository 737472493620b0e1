package udpmux

import (
	"errors"
	"net"
	"time"
)

// Some systems report a peer's ICMP messages as errors of one call. A socket
// that fails maxFailures times in a row is read only every errorPause, lest it
// keep a core busy.
const (
	maxFailures = 64
	errorPause  = 10 * time.Millisecond
)

// read hands what comes to s to the agents, until the mux closes.
func (m *Mux) read(s *socket) {
	var in inbox
	defer func() { m.release(in.next) }()
	failures := 0
	for {
		if in.next == nil {
			in.next = m.newDatagram()
		}
		err := s.receive(&in)
		for d := range in.all() {
			m.dispatch(d)
		}
		if err == nil {
			failures = 0
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		m.stats.receiveErrors.Add(1)
		if failures++; failures < maxFailures {
			continue
		}
		select {
		case <-m.done:
			return
		case <-time.After(errorPause):
		}
	}
}

// dispatch takes over d and queues it for the candidate that it is for.
func (m *Mux) dispatch(d *datagram) {
	m.stats.received.Add(1)
	if d.n > maxDatagram {
		m.stats.truncated.Add(1)
		m.release(d)
		return
	}
	a := m.route(d)
	if a == nil {
		m.stats.unknownSource.Add(1)
		m.release(d)
		return
	}
	c := a.conn(d.to, d.from)
	if c == nil {
		m.stats.unknownDestination.Add(1)
		m.release(d)
		return
	}
	if dropped := c.queue.push(d); dropped != nil {
		m.stats.queueDrops.Add(1)
		m.release(dropped)
	}
}

// route returns the agent that d is for, or nil. A binding request says so
// itself, so that agents cannot keep each other's checks away.
func (m *Mux) route(d *datagram) *agent {
	b := d.buf[:d.n]
	owner := m.addresses.get(d.from)
	if !isBindingRequest(b) {
		return owner
	}
	ufrag, ok := localFragment(b)
	if !ok {
		return nil
	}
	if owner != nil && string(ufrag) == owner.ufrag {
		return owner
	}
	a := m.find(ufrag)
	if a == nil || !a.claim(d.from) {
		return nil
	}
	return a
}
