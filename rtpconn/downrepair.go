package rtpconn

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"galene/codecs"
	"galene/rtptime"
	"galene/udpsocket"
)

// repairEgress wraps what it is given into retransmissions (RFC 4588 §4): packets of
// a source of their own, numbered on their own, so that each of them is new to
// SRTP, however often the same packet is resent. Who holds the track's lock calls
// it.
type repairEgress struct {
	way     egress // of the source of retransmissions
	header  rtp.Header
	payload [maxPacket + originalNumber]byte
}

var _ egress = (*repairEgress)(nil)

// newRepairEgress returns one that sends by way.
func newRepairEgress(way egress, ssrc uint32, payloadType uint8) *repairEgress {
	return &repairEgress{way: way, header: rtp.Header{
		Version:     rtpVersion,
		PayloadType: payloadType,
		SSRC:        ssrc,

		SequenceNumber: randomSequence(),
	}}
}

// WriteRTP implements egress.
func (e *repairEgress) WriteRTP(h *rtp.Header, payload []byte, out *udpsocket.Batch) error {
	if originalNumber+len(payload) > len(e.payload) {
		return fmt.Errorf("rtpconn: %d octets are too many to be resent", len(payload))
	}
	e.header.Timestamp, e.header.Marker = h.Timestamp, h.Marker
	e.header.Extension, e.header.ExtensionProfile, e.header.Extensions = h.Extension, h.ExtensionProfile, h.Extensions
	binary.BigEndian.PutUint16(e.payload[:], h.SequenceNumber)
	n := originalNumber + copy(e.payload[originalNumber:], payload)
	err := e.way.WriteRTP(&e.header, e.payload[:n], out)
	e.header.SequenceNumber++ // even then: some of it may have been sent
	return err
}

// bindRepair gives the track a source of retransmissions, if the subscriber has
// negotiated one for its payload type.
func (l *trackLocal) bindRepair(c webrtc.TrackLocalContext, payloadType uint8) {
	ssrc := uint32(c.SSRCRetransmission())
	repairType := retransmissionType(c.CodecParameters(), webrtc.PayloadType(payloadType))
	if ssrc == 0 || repairType == 0 {
		return
	}
	way := &laneEgress{stream: c.WriteStream(), lane: &l.track.down.lane, ssrc: ssrc}
	d := l.track
	d.mu.Lock()
	defer d.mu.Unlock()
	d.repair = newRepairEgress(way, ssrc, repairType)
}

// resendWay is where packets are sent again. The caller holds the lock.
func (d *downTrack) resendWay() egress {
	if d.repair != nil {
		return d.repair
	}
	return d.out
}

// repairs tells whether ssrc is that of the track's retransmissions.
func (d *downTrack) repairs(ssrc uint32) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.repair != nil && d.repair.header.SSRC == ssrc
}

// preferCodec makes a transceiver offer one format, with its companion if that is
// possible, and returns it as it is offered.
func preferCodec(t *webrtc.RTPTransceiver, f codecs.Format) (offered webrtc.RTPCodecParameters, err error) {
	var wanted []webrtc.RTPCodecParameters
	for _, f := range withRepair(f) {
		wanted = append(wanted, codecParameters(f, downward))
	}
	err = t.SetCodecPreferences(wanted)
	if err != nil && len(wanted) > 1 {
		// The subscriber has declined the companion before.
		err = t.SetCodecPreferences(wanted[:1])
	}
	if err != nil {
		// Pion cannot add a codec to a kind that was negotiated before.
		return offered, fmt.Errorf("%w: %w", ErrCodecChanged, err)
	}
	for _, c := range t.Sender().GetParameters().Codecs {
		if isCompanion(c) {
			continue
		}
		if offered.MimeType != "" {
			return offered, fmt.Errorf("%w: %s", ErrCodecChanged, f.MimeType)
		}
		offered = c
	}
	if offered.MimeType == "" {
		return offered, fmt.Errorf("%w: %s", ErrCodecChanged, f.MimeType)
	}
	return offered, nil
}

const (
	// congestedFraction is the loss, in 1/256, from which on a subscriber's
	// network may be congested, so that retransmissions add to the loss.
	congestedFraction = 26 // a tenth
	// congestedTime is how long such a report holds.
	congestedTime = 5 * time.Second
	// resendShare is which part of a track's rate retransmissions may have, in 1/256: as
	// much as was lost, twice, so that much of what is resent may be lost too; from
	// leastResendShare to mostResendShare when congested, or else all of it.
	resendShare      = 256
	leastResendShare = 256 / 5
	mostResendShare  = 256 / 2
	// resendBurst is how much of that may be used at once.
	resendBurst = time.Second
	// leastResendRate is the least rate of a track that is reckoned with, in octets per
	// second: that of a shared screen says little of its next picture.
	leastResendRate = 32 << 10
)

// resendBudget bounds the retransmissions of a track to a subscriber, who may ask for anything any time. It
// has no lock and reads no clock.
type resendBudget struct {
	congested rtptime.Instant // until then; 0 if never
	share     int64           // while congested
	filled    rtptime.Instant // when left was last added to
	left      int64           // octets
}

// report takes the fraction lost of a report block, in 1/256.
func (b *resendBudget) report(fraction uint8, now rtptime.Instant) {
	if fraction < congestedFraction {
		b.congested = 0
		return
	}
	b.congested = now.Add(congestedTime)
	b.share = min(max(leastResendShare, 2*int64(fraction)), mostResendShare)
}

// grants tells whether something may be resent at now.
func (b *resendBudget) grants(d *downTrack, now rtptime.Instant) bool {
	share := int64(resendShare)
	if b.congested >= now {
		share = b.share
	}
	bitsPerSecond, _ := d.rate.Rate(now)
	perSecond := max(int64(bitsPerSecond/8), leastResendRate) * share / 256
	burst := perSecond * int64(resendBurst) / int64(time.Second)
	gained := burst
	if elapsed := now.Sub(b.filled); b.filled > 0 && elapsed < resendBurst {
		gained = perSecond * int64(elapsed) / int64(time.Second)
	}
	if gained > 0 {
		b.filled = now
	}
	b.left = min(b.left+gained, burst)
	return b.left > 0
}

// spend takes note that so many octets are resent.
func (b *resendBudget) spend(octets int) { b.left = max(b.left-int64(octets), -maxPacket) }
