package rtpconn

import (
	"time"

	"github.com/pion/rtcp"

	"galene/rtptime"
)

// senderReportInterval is the time between sender reports. It is short, since
// the first ones decide how soon audio and video are in step.
const senderReportInterval = 500 * time.Millisecond

// sendReports sends a compound of the sender reports and names of all tracks
// whose publisher's clock is known (RFC 3550 §6.4.1, §6.5.1). Without a clock
// there is none: a wrong one is worse.
func (d *Down) sendReports() {
	now, wall := rtptime.Now(), time.Now()
	var compound []rtcp.Packet
	description := &rtcp.SourceDescription{}
	for _, t := range *d.active.Load() {
		report, ok := t.senderReport(now, wall)
		if !ok {
			continue
		}
		compound = append(compound, report)
		if cname := t.cname(); cname != "" {
			description.Chunks = append(description.Chunks, rtcp.SourceDescriptionChunk{
				Source: report.SSRC,
				Items:  []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: cname}},
			})
		}
	}
	if len(compound) == 0 {
		return
	}
	if len(description.Chunks) > 0 {
		compound = append(compound, description)
	}
	_ = d.pc.WriteRTCP(compound)
}

// senderReport returns the report of a track at an instant, which the server's
// wall clock shows as wall. ok is false if nothing can be reported.
func (d *downTrack) senderReport(now rtptime.Instant, wall time.Time) (r *rtcp.SenderReport, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.state == idle || d.rate.Packets() == 0 {
		return nil, false
	}
	timestamp, ok := d.current.track.Clock(now)
	if !ok {
		return nil, false
	}
	ntp := rtptime.NTPFromTime(wall)
	s := &d.subscriber
	s.reports[s.reported%reportHistory] = ntp.Middle()
	s.reported++
	return &rtcp.SenderReport{
		SSRC:        d.ssrc,
		NTPTime:     uint64(ntp),
		RTPTime:     timestamp + d.offset,
		PacketCount: uint32(d.rate.Packets()),
		OctetCount:  uint32(d.rate.Bytes()),
	}, true
}

// cname is the publisher's canonical name, bounded as SDES is.
func (d *downTrack) cname() string {
	d.mu.Lock()
	track := d.current.track
	d.mu.Unlock()
	if name := track.CNAME(); len(name) <= maxIdentifier {
		return name
	}
	return ""
}
