package rtpconn

import (
	"time"

	"github.com/pion/rtcp"

	"galene/rtptime"
)

// earlyReports is how many sender reports go out whenever the ticker comes by: the first
// ones decide how soon audio and video are in step. Later ones only keep them there, and measure
// the round trip; they go out at one visit of so many, which is every two seconds.
const (
	earlyReports = 10
	reportVisits = 4
)

// report sends sender reports if they are due. The ticker calls it.
func (d *Down) report() {
	d.visits++
	if reportDue(d.visits, d.reported) && d.sendReports() {
		d.reported++
	}
}

// reportDue tells whether reports are due at a visit of the ticker, after as many reports.
func reportDue(visit, reported int) bool { return reported < earlyReports || visit%reportVisits == 0 }

// sendReports sends a compound of the sender reports and names of all tracks
// whose publisher's clock is known (RFC 3550 §6.4.1, §6.5.1). Without a clock
// there is none: a wrong one is worse. It tells whether there was anything to report.
func (d *Down) sendReports() bool {
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
		return false
	}
	if len(description.Chunks) > 0 {
		compound = append(compound, description)
	}
	_ = d.pc.WriteRTCP(compound)
	return true
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
