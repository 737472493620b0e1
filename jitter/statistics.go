package jitter

import (
	"math"
	"time"

	"galene/rtptime"
)

const (
	// maxDropout is the widest gap in the numbering that counts as loss; a wider one means
	// that the source started anew (RFC 3550 appendix A.1).
	maxDropout = 3000

	// maxMisorder is how much earlier than the packet that came first another may have been
	// sent and still count (RFC 3550 appendix A.1).
	maxMisorder = 100

	// maxTransitChange, in seconds, is the greatest change of transit time that counts as
	// jitter; a greater one means that the timestamps started anew.
	maxTransitChange = 5

	// maxCumulative and minCumulative bound a cumulative loss, a signed number of 24 bits.
	maxCumulative = 1<<23 - 1
	minCumulative = -1 << 23
)

// Report holds the figures of a report block (RFC 3550 §6.4.1), all but the SSRC.
type Report struct {
	FractionLost     uint8  // of the packets expected in the interval, in 1/256
	CumulativeLost   int32  // 24 bits, signed: negative if duplicates outnumber losses
	HighestSequence  uint32 // extended by the number of cycles in the upper 16 bits
	Jitter           uint32 // in ticks of the RTP clock
	LastSenderReport uint32 // middle 32 bits of its NTP timestamp; 0 if none has come
	Delay            uint32 // since that report, in 1/65536 s; 0 if none has come
}

// Statistics observes the packets of one source as they arrive. What a source resends on an
// SSRC of its own is no business of it. It belongs to one goroutine.
type Statistics struct {
	clockRate uint32

	received uint64 // packets, duplicates included
	origin   int64  // the sequence number at which cycles are counted from zero
	base     int64  // received packets are expected from here on
	highest  int64  // the greatest sequence number received

	expectedBefore int64   // packets expected up to the start of the interval
	receivedBefore uint64  // packets received up to the start of the interval
	loss           float64 // of the last complete interval

	transit int32 // of the last packet, in ticks, from an arbitrary origin
	jitter  int64 // in 1/16 tick

	senderReport uint32          // middle 32 bits of the last one's NTP timestamp
	reported     rtptime.Instant // when that arrived; zero if none has
}

// NewStatistics returns the statistics of a source whose timestamps tick at clockRate hertz.
func NewStatistics(clockRate uint32) *Statistics {
	return &Statistics{clockRate: clockRate}
}

// Receive takes note of a packet with unwrapped sequence number seq and RTP timestamp
// timestamp that arrived at now. It does not allocate.
func (s *Statistics) Receive(seq int64, timestamp uint32, now rtptime.Instant) {
	transit := int32(uint32(rtptime.Ticks(time.Duration(now), s.clockRate)) - timestamp)
	if s.received == 0 {
		s.base, s.highest = seq, seq
		s.origin = seq &^ 0xffff
	} else {
		s.follow(seq)
		s.observe(transit)
	}
	s.transit = transit
	s.received++
}

// follow moves the range of expected packets so that seq is in it.
func (s *Statistics) follow(seq int64) {
	switch gap := seq - s.highest - 1; {
	case gap > maxDropout:
		s.base += gap
		s.highest = seq
	case gap >= 0:
		s.highest = seq
	case seq < s.base && s.base-seq <= maxMisorder:
		s.base = seq // it was sent before the packet that came first
	}
}

// observe takes the estimate of the jitter a sixteenth of the way towards the last change of
// transit time (RFC 3550 appendix A.8).
func (s *Statistics) observe(transit int32) {
	change := int64(transit) - int64(s.transit)
	change = int64(int32(change)) // modulo the timestamp's 32 bits
	change = max(change, -change)
	if change > maxTransitChange*int64(s.clockRate) {
		return
	}
	s.jitter += change - (s.jitter+8)>>4
}

// SenderReport takes note of a sender report with timestamp ntp that arrived at now.
func (s *Statistics) SenderReport(ntp rtptime.NTP, now rtptime.Instant) {
	s.senderReport = ntp.Middle()
	s.reported = now
}

// Report returns the figures at now, and begins a new interval for the fraction lost. They are
// zero if no packet has been received.
func (s *Statistics) Report(now rtptime.Instant) Report {
	if s.received == 0 {
		return Report{}
	}
	expected := s.expected()
	r := Report{
		CumulativeLost:  int32(min(max(s.Lost(), minCumulative), maxCumulative)),
		HighestSequence: uint32(s.highest - s.origin),
		Jitter:          uint32(s.jitter >> 4),
	}
	interval := expected - s.expectedBefore
	lost := interval - int64(s.received-s.receivedBefore)
	s.loss = 0
	if interval > 0 && lost > 0 {
		r.FractionLost = uint8(min(lost<<8/interval, math.MaxUint8))
		s.loss = float64(lost) / float64(interval)
	}
	s.expectedBefore, s.receivedBefore = expected, s.received
	if s.reported != 0 {
		r.LastSenderReport = s.senderReport
		r.Delay = uint32(min(max(rtptime.Ticks(now.Sub(s.reported), 1<<16), 0), math.MaxUint32))
	}
	return r
}

// Loss returns how much was lost in the interval that the last call of Report closed, from 0 to 1.
func (s *Statistics) Loss() float64 {
	return s.loss
}

// Jitter returns the present estimate of the interarrival jitter.
func (s *Statistics) Jitter() time.Duration {
	return rtptime.TicksDuration(s.jitter, s.clockRate) / 16
}

// Packets returns how many packets were received, duplicates included.
func (s *Statistics) Packets() uint64 {
	return s.received
}

// Lost returns how many packets were expected but not received, in all; less than zero if
// duplicates outnumber them.
func (s *Statistics) Lost() int64 {
	return s.expected() - int64(s.received)
}

// expected returns how many packets were sent, as far as the numbering tells.
func (s *Statistics) expected() int64 {
	if s.received == 0 {
		return 0
	}
	return s.highest - s.base + 1
}
