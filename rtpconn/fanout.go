package rtpconn

import (
	"slices"
	"sync"
	"sync/atomic"

	"galene/conn"
	"galene/rtptime"
	"galene/udpsocket"
)

// fanout is the list of a track's sinks. The list is immutable and replaced as
// a whole, so whoever calls the sinks takes no lock that a subscriber knows.
// Any goroutine may use it.
type fanout struct {
	sinks atomic.Pointer[[]conn.Sink]

	mu     sync.Mutex // orders changes of the list; guards closed
	closed bool

	// Who calls sinks holds one of these meanwhile, which is how remove knows
	// that a sink is left alone: packets is the reader's, control is everyone
	// else's. They are held for one burst and only remove contends.
	packets, control sync.Mutex
}

// add appends a sink. It fails when the list is closed.
func (f *fanout) add(s conn.Sink) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return conn.ErrClosed
	}
	list := append(slices.Clip(f.list()), s)
	f.sinks.Store(&list)
	return nil
}

// remove takes a sink away and waits until it is not being called.
func (f *fanout) remove(s conn.Sink) {
	f.mu.Lock()
	if i := slices.Index(f.list(), s); i >= 0 {
		list := slices.Delete(slices.Clone(f.list()), i, i+1)
		f.sinks.Store(&list)
	}
	f.mu.Unlock()

	f.packets.Lock()
	f.packets.Unlock() //nolint:staticcheck // waits for the reader
	f.control.Lock()
	f.control.Unlock() //nolint:staticcheck // waits for the others
}

// close takes all sinks away for good. It does not wait.
func (f *fanout) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.sinks.Store(nil)
}

// list returns the present sinks. The slice is immutable.
func (f *fanout) list() []conn.Sink {
	if list := f.sinks.Load(); list != nil {
		return *list
	}
	return nil
}

// empty tells whether nobody takes the track.
func (f *fanout) empty() bool { return len(f.list()) == 0 }

// write hands packets to each sink, one sink after the other, so that what each of
// them sends lies together in out. It belongs to the reader.
func (f *fanout) write(packets []conn.Packet, out *udpsocket.Batch) {
	f.packets.Lock()
	defer f.packets.Unlock()
	for _, s := range f.list() {
		s.WritePackets(packets, out)
	}
}

// clockChanged tells each sink of it.
func (f *fanout) clockChanged() {
	f.control.Lock()
	defer f.control.Unlock()
	for _, s := range f.list() {
		s.ClockChanged()
	}
}

// each calls do with each sink, which is not removed meanwhile.
func (f *fanout) each(do func(conn.Sink)) {
	f.control.Lock()
	defer f.control.Unlock()
	for _, s := range f.list() {
		do(s)
	}
}

// allowedRates appends what each sink can take at now, in bits per second.
func (f *fanout) allowedRates(now rtptime.Instant, rates []uint64) []uint64 {
	f.control.Lock()
	defer f.control.Unlock()
	for _, s := range f.list() {
		rates = append(rates, s.AllowedRate(now))
	}
	return rates
}
