package rtpconn

import (
	"math"
	"time"

	"github.com/pion/rtcp"

	"galene/codecs"
	"galene/jitter"
	"galene/layers"
	"galene/nack"
	"galene/rtptime"
)

const (
	// reportInterval is the time between two receiver reports.
	reportInterval = time.Second
	// maxNACKPairs bounds one NACK message so that it fits a datagram.
	maxNACKPairs = 240
	// changeInterval is the least time between two events Changed.
	changeInterval = time.Second
)

// feedbackLoop sends what the publisher must know: reports each second, and
// requests for lost packets and keyframes when they are due, whether or not
// packets arrive. It also tells the owner of changes. It ends with the
// connection.
func (u *Up) feedbackLoop() {
	report := rtptime.Now().Add(reportInterval)
	var change rtptime.Instant // when the next event Changed may be
	timer := time.NewTimer(reportInterval)
	defer timer.Stop()
	for {
		select {
		case <-u.ctx.Done():
			return
		case <-u.wake:
		case <-timer.C:
		}
		u.awake.Store(math.MaxInt64) // what comes up meanwhile may be overlooked
		now := rtptime.Now()
		if now >= report {
			if u.lane.wanting(u.pc) {
				u.openLane()
			}
			u.report(now)
			report = now.Add(reportInterval)
		}
		if u.taken.Swap(false) {
			u.sendREMB(now)
		}
		next := report
		if u.change.Load() {
			if now >= change {
				change = now.Add(changeInterval)
				u.change.Store(false)
				u.notify(u.events.Changed)
			} else {
				next = min(next, change)
			}
		}
		next = min(next, u.reportTransport(now))
		for _, t := range u.tracks.Load().own {
			next = min(next, t.ask(now))
		}
		u.awake.Store(int64(next))
		timer.Reset(max(next.Sub(now), time.Millisecond))
	}
}

// send sends a compound packet, which begins with a report (RFC 3550 §6.1). A
// loss of it is as good as an error.
func (u *Up) send(packets ...rtcp.Packet) {
	compound := append([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: u.ssrc}}, packets...)
	_ = u.pc.WriteRTCP(compound)
}

// ask sends what requests are due for a track, and returns when to call it
// again at the latest.
func (t *upTrack) ask(now rtptime.Instant) (next rtptime.Instant) {
	next = now.Add(reportInterval)
	roundTrip := time.Duration(t.roundTrip.Load())

	t.mu.Lock()
	if t.bound == nil || t.ended {
		t.mu.Unlock()
		return next
	}
	if t.sinks.empty() {
		t.keyframe.forget() // nobody would see it
	}
	ssrc := uint32(t.bound.SSRC())
	missing := t.losses.Due(int64(now), roundTrip, nil)
	t.mendBroken(now)
	keyframe := t.keyframe.due(now, roundTrip)
	number := t.keyframe.number
	if at, ok := t.losses.Next(); ok {
		next = min(next, rtptime.Instant(at))
	}
	if at, ok := t.keyframe.next(roundTrip); ok {
		next = min(next, at)
	}
	t.mu.Unlock()

	understood := t.current.Load().feedback
	if len(missing) > 0 && understood.nack {
		t.counters.nacks.Add(uint64(len(missing)))
		t.up.sendNACK(ssrc, missing)
	}
	if keyframe {
		t.counters.askedForKeyframe(understood)
		t.up.sendKeyframeRequest(ssrc, number, understood)
	}
	return next
}

// mendBroken makes a keyframe wanted when something was lost for good, which keeps all subscribers from
// decoding what follows: they would find out and ask, but much later. They can do without a frame of a layer
// above the lowest. The caller holds the lock. It reports whether the request is news.
func (t *upTrack) mendBroken(now rtptime.Instant) bool {
	if t.losses.GivenUp() == 0 || t.kind != codecs.Video || t.sinks.empty() {
		return false
	}
	highest := t.highestLayer(now)
	return highest == layers.Layer{} && t.keyframe.want()
}

// sendNACK asks for packets (RFC 4585 §6.2.1).
func (u *Up) sendNACK(ssrc uint32, missing []int64) {
	pairs := nack.Pairs(nil, missing)
	for len(pairs) > 0 {
		n := min(len(pairs), maxNACKPairs)
		message := &rtcp.TransportLayerNack{SenderSSRC: u.ssrc, MediaSSRC: ssrc}
		for _, p := range pairs[:n] {
			message.Nacks = append(message.Nacks, rtcp.NackPair{
				PacketID:    p.ID,
				LostPackets: rtcp.PacketBitmap(p.Mask),
			})
		}
		u.send(message)
		pairs = pairs[n:]
	}
}

// sendKeyframeRequest asks for a keyframe by PLI (RFC 4585 §6.3.1), or by FIR
// (RFC 5104 §4.3.1) if that is all the publisher understands. A FIR repeated
// under the same number is a retransmission.
func (u *Up) sendKeyframeRequest(ssrc uint32, number uint8, understood feedback) {
	switch {
	case understood.pli:
		u.send(&rtcp.PictureLossIndication{SenderSSRC: u.ssrc, MediaSSRC: ssrc})
	case understood.fir:
		u.send(&rtcp.FullIntraRequest{
			SenderSSRC: u.ssrc,
			FIR:        []rtcp.FIREntry{{SSRC: ssrc, SequenceNumber: number}},
		})
	}
}

// report sends the receiver report, with a REMB if there is a track for one,
// and does what else is done once a second.
func (u *Up) report(now rtptime.Instant) {
	roundTrip := u.roundTrip()
	report := &rtcp.ReceiverReport{SSRC: u.ssrc}
	for _, t := range u.tracks.Load().own {
		if block, ok := t.report(now, roundTrip); ok {
			report.Reports = append(report.Reports, block)
		}
	}
	if len(report.Reports) == 0 {
		return
	}
	compound := []rtcp.Packet{report, u.description()}
	if remb := u.remb(now); remb != nil {
		compound = append(compound, remb)
	}
	_ = u.pc.WriteRTCP(compound)
}

// description names us (RFC 3550 §6.5.1).
func (u *Up) description() *rtcp.SourceDescription {
	return &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
		Source: u.ssrc,
		Items:  []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "galene"}},
	}}}
}

// report returns a track's report block, and adapts the track to its round trip
// and rate. ok is false if nothing was received yet.
func (t *upTrack) report(now rtptime.Instant, roundTrip time.Duration) (block rtcp.ReceptionReport, ok bool) {
	smooth := jitter.SmoothRoundTrip(time.Duration(t.roundTrip.Load()), roundTrip)
	t.roundTrip.Store(int64(smooth))

	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bound == nil || t.ended || t.stats.Packets() == 0 {
		return block, false
	}
	_, packetsPerSecond := t.rate.Rate(now)
	t.fitCache(packetsPerSecond, smooth)
	r := t.stats.Report(now)
	t.counters.observe(t.stats, now)
	t.counters.roundTrip.Store(t.up.measured.Load())
	return rtcp.ReceptionReport{
		SSRC:               uint32(t.bound.SSRC()),
		FractionLost:       r.FractionLost,
		TotalLost:          uint32(r.CumulativeLost) & 0xffffff,
		LastSequenceNumber: r.HighestSequence,
		Jitter:             r.Jitter,
		LastSenderReport:   r.LastSenderReport,
		Delay:              r.Delay,
	}, true
}
