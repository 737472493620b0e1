package rtpconn

import (
	"errors"
	"io"
	"slices"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"galene/rtptime"
)

// readRTCP takes the reports of a track's publisher until its source ends.
func (t *upTrack) readRTCP(receiver *webrtc.RTPReceiver) {
	buffer := make([]byte, maxPacket)
	for failures := 0; failures < maxReadErrors; {
		n, _, err := receiver.ReadSimulcast(buffer, t.rid)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe):
			return
		case err != nil:
			failures++
			continue
		}
		failures = 0
		packets, err := rtcp.Unmarshal(buffer[:n])
		if err != nil {
			t.reject()
			continue
		}
		now := rtptime.Now()
		for _, p := range packets {
			t.handleRTCP(p, now)
		}
	}
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
