package udpmux

import (
	"sync/atomic"

	"galene/udpsocket"
)

// Stats counts datagrams since the mux began to listen.
type Stats struct {
	Received           uint64 // all that were read from the sockets
	UnknownSource      uint64 // dropped: from an address nobody owns, or a check for nobody here
	UnknownDestination uint64 // dropped: sent to an address that is not a candidate of the agent
	Truncated          uint64 // dropped: longer than any that is expected
	Taken              uint64 // by receivers
	Panics             uint64 // of receivers
	QueueDrops         uint64 // dropped: not read in time
	ReceiveErrors      uint64
	Sent               uint64 // by candidates
	SendErrors         uint64 // of candidates
}

type counters struct {
	received, unknownSource, unknownDestination, truncated, queueDrops, receiveErrors, taken, panics atomic.Uint64

	_ [64]byte // keeps what senders write off the readers' cache lines

	sent, sendErrors atomic.Uint64
}

// Stats returns the counters. They are read one after the other, so sums over
// them may be off by what happens meanwhile.
func (m *Mux) Stats() Stats {
	return Stats{
		Received:           m.stats.received.Load(),
		UnknownSource:      m.stats.unknownSource.Load(),
		UnknownDestination: m.stats.unknownDestination.Load(),
		Truncated:          m.stats.truncated.Load(),
		Taken:              m.stats.taken.Load(),
		Panics:             m.stats.panics.Load(),
		QueueDrops:         m.stats.queueDrops.Load(),
		ReceiveErrors:      m.stats.receiveErrors.Load(),
		Sent:               m.stats.sent.Load(),
		SendErrors:         m.stats.sendErrors.Load(),
	}
}

// SocketStats returns the sum of all sockets' counters.
func (m *Mux) SocketStats() udpsocket.Stats {
	var sum udpsocket.Stats
	for _, s := range m.sockets {
		sum = sum.Add(s.Stats())
	}
	return sum
}
