package rtpconn

import (
	"slices"
	"time"

	"github.com/pion/rtcp"

	"galene/conn"
	"galene/jitter"
	"galene/layers"
	"galene/rtptime"
	"galene/udpsocket"
)

const (
	// minResendSpacing is the least time between two retransmissions of one
	// packet; three quarters of a round trip if that is more, but not beyond
	// maxResendSpacing. What is asked for earlier was asked for before the last
	// one could arrive, as browsers do that assume a round trip they cannot measure.
	minResendSpacing = 10 * time.Millisecond
	maxResendSpacing = 400 * time.Millisecond
	// maxResendBatch bounds the retransmissions that one NACK message causes.
	maxResendBatch = 256

	// keyframeBurst requests for a keyframe are heard of one subscriber in
	// each keyframeWindow, so that a broken one does not degrade all others.
	keyframeBurst  = 3
	keyframeWindow = 10 * time.Second

	// reportHistory is how many sender reports back a report block may refer.
	reportHistory = 8
)

// subscriber is what a down track knows of its receiver. The track's lock
// guards it.
type subscriber struct {
	keyframes keyframeLimiter
	fir       firFilter
	roundTrip time.Duration
	reports   [reportHistory]uint32 // middle of the NTP time of the last reports
	reported  int
}

// keyframeLimiter bounds how often one subscriber makes the publisher send a
// keyframe.
type keyframeLimiter struct {
	granted [keyframeBurst]rtptime.Instant
	next    int
}

// allow reports whether a request at now is heard.
func (l *keyframeLimiter) allow(now rtptime.Instant) bool {
	oldest := &l.granted[l.next%keyframeBurst]
	if *oldest != 0 && now.Sub(*oldest) < keyframeWindow {
		return false
	}
	*oldest = now
	l.next++
	return true
}

// firFilter tells new full intra requests from retransmitted ones, which have
// the same command number (RFC 5104 §4.3.1.2). Any first number is new.
type firFilter struct {
	seen   bool
	sender uint32
	number uint8
}

func (f *firFilter) isNew(sender uint32, number uint8) bool {
	if f.seen && f.sender == sender && f.number == number {
		return false
	}
	*f = firFilter{true, sender, number}
	return true
}

// hear takes RTCP about one of the sources that we send.
func (d *Down) hear(ssrc uint32, packets []rtcp.Packet) bool {
	for _, t := range *d.active.Load() {
		if t.source() == ssrc {
			for _, p := range packets {
				t.handleRTCP(p)
			}
			return true
		}
		if t.repairs(ssrc) {
			return true // nothing is to be done about retransmissions
		}
	}
	return false
}

// source returns the track's SSRC, 0 if it has none yet.
func (d *downTrack) source() uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ssrc
}

// handleRTCP takes one RTCP packet of the subscriber.
func (d *downTrack) handleRTCP(packet rtcp.Packet) {
	now := rtptime.Now()
	switch p := packet.(type) {
	case *rtcp.TransportLayerNack:
		if p.MediaSSRC == d.ssrc {
			d.resendAll(p.Nacks, now)
		}
	case *rtcp.PictureLossIndication:
		if p.MediaSSRC == d.ssrc {
			d.counters.plis.Add(1)
			d.wantKeyframe(now)
		}
	case *rtcp.FullIntraRequest:
		for _, entry := range p.FIR {
			if entry.SSRC == d.ssrc {
				d.fullIntraRequest(p.SenderSSRC, entry.SequenceNumber, now)
			}
		}
	case *rtcp.ReceiverReport:
		d.receptionReports(p.Reports, now)
	case *rtcp.SenderReport:
		d.receptionReports(p.Reports, now)
	case *rtcp.ReceiverEstimatedMaximumBitrate:
		if slices.Contains(p.SSRCs, d.ssrc) && p.Bitrate >= 0 {
			d.allow.REMB.Set(uint64(min(p.Bitrate, maxFloatRate)), now)
			d.down.poke() // what is sent may have to change
		}
	}
}

// maxFloatRate keeps an estimate within what converts to an integer.
const maxFloatRate = 1 << 40

// wantKeyframe passes a request on to the publisher, within the limit.
func (d *downTrack) wantKeyframe(now rtptime.Instant) {
	d.mu.Lock()
	granted := d.isVideo() && d.subscriber.keyframes.allow(now)
	track := d.current.track
	d.mu.Unlock()
	if granted {
		track.RequestKeyframe()
	}
}

// fullIntraRequest does the same for an FIR, unless it is a retransmission.
func (d *downTrack) fullIntraRequest(sender uint32, number uint8, now rtptime.Instant) {
	d.mu.Lock()
	fresh := d.subscriber.fir.isNew(sender, number)
	d.mu.Unlock()
	if fresh {
		d.counters.firs.Add(1)
		d.wantKeyframe(now)
	}
}

// receptionReports takes what the subscriber says of its reception.
func (d *downTrack) receptionReports(reports []rtcp.ReceptionReport, now rtptime.Instant) {
	for _, r := range reports {
		if r.SSRC != d.ssrc {
			continue
		}
		rate, _ := d.rate.Rate(now)
		d.allow.Loss.Report(r.FractionLost, rate, now)
		d.down.poke() // what is sent may have to change
		d.measureRoundTrip(r.LastSenderReport, r.Delay)
		d.counters.reported(r.FractionLost, r.TotalLost, r.Jitter, now)
		d.mu.Lock()
		d.budget.report(r.FractionLost, now)
		d.mu.Unlock()
	}
}

// measureRoundTrip learns the round trip from a report block, if it refers to a
// sender report of ours.
func (d *downTrack) measureRoundTrip(lastReport, delay uint32) {
	wall := rtptime.NTPFromTime(time.Now())
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &d.subscriber
	if !slices.Contains(s.reports[:min(s.reported, reportHistory)], lastReport) {
		return
	}
	if sample, ok := jitter.RoundTrip(wall, lastReport, delay); ok {
		s.roundTrip = jitter.SmoothRoundTrip(s.roundTrip, sample)
		d.counters.roundTrip.Store(int64(s.roundTrip))
	}
}

// resendAll answers a NACK message.
func (d *downTrack) resendAll(pairs []rtcp.NackPair, now rtptime.Instant) {
	left := maxResendBatch
	out := d.down.engine.batch()
	defer d.down.engine.release(out)
	defer func() { d.counters.nacks.Add(uint64(maxResendBatch - left)) }()
	room := repairRoom{octets: make([]byte, maxPacket)}
	for _, pair := range pairs {
		pair.Range(func(sequence uint16) bool {
			left--
			d.resendPacket(sequence, now, &room, out)
			return left > 0
		})
		if left <= 0 {
			break
		}
	}
}

// repairRoom is where packets are put that are to be sent again, one after the other.
type repairRoom struct {
	packet conn.Packet
	octets []byte // of length maxPacket
}

// resendPacket sends a packet again, on a source of its own if the subscriber takes one
// (RFC 4588), or else byte for byte: it is protected under the same index
// (RFC 3711 §3.3.1). A packet that the cache has lost is asked for upstream. It does not
// allocate.
func (d *downTrack) resendPacket(sequence uint16, now rtptime.Instant, room *repairRoom, out *udpsocket.Batch) {
	d.mu.Lock()
	if !d.budget.grants(d, now) {
		d.mu.Unlock()
		return
	}
	spacing := min(max(minResendSpacing, d.subscriber.roundTrip*3/4), maxResendSpacing)
	entry, ok := d.numbers.Resend(sequence, int64(now), spacing)
	from := d.sources[entry.Source%sourceHistory]
	d.mu.Unlock()
	if !ok || from.track == nil || from.id != entry.Source {
		return
	}

	p := &room.packet
	if !from.track.Cached(entry.Ingest, room.octets, p) {
		from.track.Want(entry.Ingest)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.counters.retransmitted.Add(1)
		d.budget.spend(len(p.Payload))
		change := layers.Unpack(entry.Note)
		d.sendChanged(d.resendWay(), entry.Source, sequence, p.Timestamp+entry.TimestampOffset, &change, p, out)
	}
}
