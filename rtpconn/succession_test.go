package rtpconn

import (
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

// undeclaredEncodings makes an offer's only section one with encodings, whose sources nothing
// declares.
func undeclaredEncodings(rids ...string) func(offer string) string {
	return func(offer string) string {
		var b strings.Builder
		for line := range strings.Lines(offer) {
			if !strings.HasPrefix(line, "a=ssrc") {
				b.WriteString(line)
			}
		}
		for _, rid := range rids {
			b.WriteString("a=rid:" + rid + " send\r\n")
		}
		b.WriteString("a=simulcast:send " + strings.Join(rids, ";") + "\r\n")
		return b.String()
	}
}

// sendEncoding sends the n-th packet of a source that names encoding h.
func (p *testPublisher) sendEncoding(out webrtc.TrackLocalWriter, ssrc, n uint32) {
	p.tb.Helper()
	packet := p.identify(vp8.packet(n, 100, true), "0", "h")
	packet.SSRC, packet.PayloadType = ssrc, 96
	if _, err := out.WriteRTP(&packet.Header, packet.Payload); err != nil {
		p.tb.Fatal(err)
	}
}

func TestEncodingGoesOnWithAnotherSource(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"past Pion", "through Pion"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newTestEngine(t)
			if name == "through Pion" {
				e = newEngineOn(t, nil)
			}
			p := newTestPublisher(t, e, UpConfig{ID: "a"})
			raw := p.addRaw(vp8)
			p.munge = undeclaredEncodings("h", "l")
			p.connect()
			out := <-raw
			var before *upTrack
			for ssrc := uint32(1001); ssrc <= 1005; ssrc++ {
				before = succeed(t, p, out, ssrc, before)
			}
		})
	}
}

// succeed has a source take over the encoding from that of track before, if that is not
// nil, and checks that all of its packets arrive then, though the former source still
// sends. It returns the source's track.
func succeed(t *testing.T, p *testPublisher, out webrtc.TrackLocalWriter, ssrc uint32, before *upTrack) (track *upTrack) {
	t.Helper()
	n := uint32(1)
	eventually(t, "another track", func() bool {
		p.sendEncoding(out, ssrc, n)
		n++
		track = p.up.tracks.Load().find("0", "h")
		return track != before && track.ssrc() == ssrc
	})
	sink := newCollector()
	if err := track.AddSink(sink); err != nil {
		t.Fatal(err)
	}
	eventually(t, "packets of the source", func() bool {
		p.sendEncoding(out, ssrc, n)
		n++
		return len(sink.packets) > 0
	})
	first := (<-sink.packets).Sequence
	last := first
	for range 50 {
		if before != nil {
			p.sendEncoding(out, ssrc-1, 1000+n)
		}
		p.sendEncoding(out, ssrc, n)
		n++
	}
	want := vp8.packet(n-1, 100, true).SequenceNumber
	seen := int64(1)
	for uint16(last) != want {
		next := within(t, "a packet of the source", sink.packets).Sequence
		if next > last {
			last = next
		}
		seen++
	}
	if got := last - first + 1; seen != got {
		t.Errorf("%d of %d packets of source %d have arrived", seen, got, ssrc)
	}
	return track
}
