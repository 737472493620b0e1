package rtpconn

import (
	"testing"
	"time"

	"galene/conn"
	"galene/rtptime"
)

// RFC 3550 §6.4.1: headers and padding do not count.
func TestSenderReportsCountOctetsOfPayload(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp8")
	source.gop = false
	d := newBareTrack(t, source, discardEgress{})
	d.attach()
	for n := range int64(3) {
		source.deliver(source.packet(100+n, byte(n), n == 0))
	}
	padding := source.packet(103, 0, false)
	padding.Payload, padding.PaddingOnly = nil, true
	source.sinks.write([]conn.Packet{padding}, nil)
	now := rtptime.Now()
	if _, ok := d.senderReport(now, time.Now()); ok {
		t.Error("there is a report before the publisher's clock is known")
	}
	source.clock = func(rtptime.Instant) (uint32, bool) { return 5000, true }
	report, ok := d.senderReport(now, time.Now())
	if !ok || report.SSRC != 1234 || report.PacketCount != 3 || report.OctetCount != 3*4 {
		t.Errorf("report %+v, %v, want 3 packets of 4 octets each from 1234", report, ok)
	}
}
