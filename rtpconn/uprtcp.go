package rtpconn

import (
	"slices"

	"github.com/pion/rtcp"

	"galene/rtptime"
)

// hear takes RTCP about one of the publisher's sources.
func (u *Up) hear(ssrc uint32, packets []rtcp.Packet) bool {
	for _, t := range u.tracks.Load().own {
		if t.ssrc() == ssrc {
			now := rtptime.Now()
			for _, p := range packets {
				t.handleRTCP(p, now)
			}
			return true
		}
	}
	return false
}

// handleRTCP takes one RTCP packet of the publisher.
func (t *upTrack) handleRTCP(packet rtcp.Packet, now rtptime.Instant) {
	ssrc := t.ssrc()
	switch p := packet.(type) {
	case *rtcp.SenderReport:
		if p.SSRC == ssrc {
			t.senderReport(rtptime.NTP(p.NTPTime), p.RTPTime, now)
		}
	case *rtcp.SourceDescription:
		for _, chunk := range p.Chunks {
			if chunk.Source == ssrc {
				t.describeSource(chunk.Items)
			}
		}
	case *rtcp.Goodbye:
		if slices.Contains(p.Sources, ssrc) {
			t.mu.Lock()
			t.keyframe.forget() // in vain
			t.mu.Unlock()
		}
	}
}

func (t *upTrack) ssrc() uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bound == nil {
		return 0
	}
	return uint32(t.bound.SSRC())
}

// senderReport takes the publisher's word on its clocks.
func (t *upTrack) senderReport(ntp rtptime.NTP, timestamp uint32, now rtptime.Instant) {
	clock := t.clock.Load()
	_, known := clock.RTPAt(now)
	clock.SenderReport(ntp, timestamp, now)
	t.mu.Lock()
	t.stats.SenderReport(ntp, now)
	t.mu.Unlock()
	if _, ok := clock.RTPAt(now); ok && !known {
		t.sinks.clockChanged()
	}
}

// describeSource takes the publisher's canonical name.
func (t *upTrack) describeSource(items []rtcp.SourceDescriptionItem) {
	for _, item := range items {
		if item.Type == rtcp.SDESCNAME && item.Text != "" && item.Text != t.CNAME() {
			name := item.Text
			t.cname.Store(&name)
			t.sinks.clockChanged()
		}
	}
}
