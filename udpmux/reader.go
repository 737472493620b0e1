package udpmux

import (
	"errors"
	"net"
	"time"

	"galene/udpsocket"
)

// Some systems report a peer's ICMP messages as errors of one call. A socket
// that fails maxFailures times in a row is read only every errorPause, lest it
// keep a core busy.
const (
	maxFailures = 64
	errorPause  = 10 * time.Millisecond
)

// read passes on what comes to s, until the mux closes.
func (m *Mux) read(s *udpsocket.Socket) {
	in := s.NewReader()
	b := burst{mux: m, batch: udpsocket.NewBatch()}
	failures := 0
	for {
		datagrams, err := in.Read()
		if err == nil {
			failures = 0
			m.stats.received.Add(uint64(len(datagrams)))
			for i := range datagrams {
				b.dispatch(&datagrams[i])
			}
			b.end()
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

// dispatch passes d to the receiver that takes it, or queues a copy for the
// candidate that it is for.
func (b *burst) dispatch(d *udpsocket.Datagram) {
	m := b.mux
	if d.Truncated {
		m.stats.truncated.Add(1)
		return
	}
	o := b.ownerOf(d.From)
	if o != nil {
		o.cameTo(d.To)
		if h := o.agent.handler.Load(); h != nil && isRTP(d.Data) && !b.offer(h, d.Data) {
			b.taken++
			return
		}
	}
	a := m.route(o, d)
	if a == nil {
		m.stats.unknownSource.Add(1)
		return
	}
	c := a.conn(d.To, d.From)
	if c == nil {
		m.stats.unknownDestination.Add(1)
		return
	}
	copied := m.newDatagram()
	copied.n, copied.from = copy(copied.buf[:], d.Data), d.From
	if dropped := c.queue.push(copied); dropped != nil {
		m.stats.queueDrops.Add(1)
		m.release(dropped)
	}
}

// route returns the agent that d is for, or nil; o owns the address it came
// from. A binding request says so itself, so that agents cannot keep each other's
// checks away.
func (m *Mux) route(o *owner, d *udpsocket.Datagram) *agent {
	var known *agent
	if o != nil {
		known = o.agent
	}
	if !isBindingRequest(d.Data) {
		return known
	}
	ufrag, ok := localFragment(d.Data)
	if !ok {
		return nil
	}
	if known != nil && string(ufrag) == known.ufrag {
		return known
	}
	a := m.find(ufrag)
	if a == nil || !a.claim(d.From) {
		return nil
	}
	return a
}
