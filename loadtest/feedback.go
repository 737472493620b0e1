package loadtest

import (
	"time"

	"github.com/pion/rtcp"

	"galene/nack"
)

const (
	// reportInterval is the time between the reports on a stream.
	reportInterval = time.Second
	// feedbackInterval is how often missing packets are looked for.
	feedbackInterval = 20 * time.Millisecond
	// receiverSSRC identifies receivers that send nothing, as browsers do.
	receiverSSRC = 1
	// leastEstimate is the least bandwidth that receivers claim to have, in bit/s.
	leastEstimate = 2_000_000
)

// work sends what publishers and receivers have to send now, and returns how long until there is more. One goroutine calls
// it.
func (r *run) work() time.Duration {
	wait := r.player.play()
	now := r.now()
	if now < r.nextFeedback {
		return min(wait, durationBetween(now, r.nextFeedback))
	}
	r.nextFeedback = now + int64(feedbackInterval)
	for _, s := range r.received() {
		if packets := s.feedback(now); len(packets) > 0 {
			_ = s.pc.WriteRTCP(packets) // it fails if the connection has ended
		}
	}
	return min(wait, feedbackInterval)
}

// feedback returns what is to be sent at now.
func (s *subscription) feedback(now int64) []rtcp.Packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	var packets []rtcp.Packet
	if now >= s.report && len(s.sources) > 0 {
		s.report += int64(reportInterval)
		if s.report <= now { // it is late by more than that
			s.report = now + int64(reportInterval)
		}
		packets = s.reports(now)
	}
	for _, r := range s.sources {
		if r.nack == nil || r.nack.Missing() == 0 {
			continue
		}
		if due := r.due(now, nil); len(due) > 0 {
			packets = append(packets, request(r.ssrc, due))
		}
	}
	return packets
}

// reports returns a receiver report on all sources, and what the receiver can take. The caller holds s.mu.
func (s *subscription) reports(now int64) []rtcp.Packet {
	report := &rtcp.ReceiverReport{SSRC: receiverSSRC}
	estimate := &rtcp.ReceiverEstimatedMaximumBitrate{
		SenderSSRC: receiverSSRC,
		Bitrate:    float32(max(4*s.client.run.scenario.Video, leastEstimate)),
	}
	for _, r := range s.sources {
		fraction, total := r.loss()
		report.Reports = append(report.Reports, rtcp.ReceptionReport{
			SSRC: r.ssrc, FractionLost: fraction, TotalLost: total,
			LastSequenceNumber: uint32(r.highest - 1<<16), Jitter: uint32(r.jitter),
			LastSenderReport: r.sender, Delay: r.delaySince(now),
		})
		if r.clock == videoClock {
			estimate.SSRCs = append(estimate.SSRCs, r.ssrc)
		}
	}
	if len(estimate.SSRCs) == 0 {
		return []rtcp.Packet{report}
	}
	return []rtcp.Packet{report, estimate}
}

// request asks for missing packets, whose unwrapped sequence numbers are sorted.
func request(ssrc uint32, missing []int64) *rtcp.TransportLayerNack {
	n := &rtcp.TransportLayerNack{SenderSSRC: receiverSSRC, MediaSSRC: ssrc}
	for _, pair := range nack.Pairs(nil, missing) {
		n.Nacks = append(n.Nacks, rtcp.NackPair{PacketID: pair.ID, LostPackets: rtcp.PacketBitmap(pair.Mask)})
	}
	return n
}
