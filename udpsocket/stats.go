package udpsocket

import "sync/atomic"

// Stats counts what a socket did since it was opened.
type Stats struct {
	Received       uint64 // datagrams
	ReceivedOctets uint64 // of payload
	ReceiveCalls   uint64 // system calls that returned datagrams
	ReceivedRuns   uint64 // runs of several datagrams that the system handed over as one
	ReceiveErrors  uint64

	Sent        uint64 // datagrams the system accepted
	SentOctets  uint64 // of payload
	SendCalls   uint64 // system calls
	SentRuns    uint64 // runs of several datagrams that were handed over as one
	Full        uint64 // system calls that found no room
	Dropped     uint64 // datagrams for which there was none in time
	SendErrors  uint64 // datagrams that the system refused, or that came too late for a closed socket
	Unsegmented uint64 // runs that were refused and sent one by one instead
}

type counters struct {
	received, receivedOctets, receiveCalls, receivedRuns, receiveErrors atomic.Uint64

	_ [64]byte // keeps what senders write off the readers' cache lines

	sent, sentOctets, sendCalls, sentRuns, full, dropped, sendErrors, unsegmented atomic.Uint64
}

// Stats returns the counters. They are read one after the other, so sums over
// them may be off by what happens meanwhile.
func (s *Socket) Stats() Stats {
	c := &s.stats
	return Stats{
		Received:       c.received.Load(),
		ReceivedOctets: c.receivedOctets.Load(),
		ReceiveCalls:   c.receiveCalls.Load(),
		ReceivedRuns:   c.receivedRuns.Load(),
		ReceiveErrors:  c.receiveErrors.Load(),
		Sent:           c.sent.Load(),
		SentOctets:     c.sentOctets.Load(),
		SendCalls:      c.sendCalls.Load(),
		SentRuns:       c.sentRuns.Load(),
		Full:           c.full.Load(),
		Dropped:        c.dropped.Load(),
		SendErrors:     c.sendErrors.Load(),
		Unsegmented:    c.unsegmented.Load(),
	}
}

// Add returns the sum of two sockets' counters.
func (a Stats) Add(b Stats) Stats {
	a.Received += b.Received
	a.ReceivedOctets += b.ReceivedOctets
	a.ReceiveCalls += b.ReceiveCalls
	a.ReceivedRuns += b.ReceivedRuns
	a.ReceiveErrors += b.ReceiveErrors
	a.Sent += b.Sent
	a.SentOctets += b.SentOctets
	a.SendCalls += b.SendCalls
	a.SentRuns += b.SentRuns
	a.Full += b.Full
	a.Dropped += b.Dropped
	a.SendErrors += b.SendErrors
	a.Unsegmented += b.Unsegmented
	return a
}
