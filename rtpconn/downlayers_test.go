package rtpconn

import (
	"testing"
	"time"

	"galene/codecs"
	"galene/layers"
	"galene/rtptime"
)

// picture returns a VP8 picture of one packet, of a temporal layer.
func (e *encoding) picture(sequence int64, temporal byte, keyframe bool) {
	p := e.packet(sequence, 0, keyframe)
	p.Payload = []byte{0x90, 0xf0, 0x80, byte(sequence), byte(sequence / 4), temporal<<6 | 0x20, 0x91, byte(sequence)}
	if keyframe {
		p.Payload[6] = 0x90
	}
	codecs.ParserFor("video/VP8")(p.Payload, true, &p.Frame)
	e.deliver(p)
}

func TestStatisticsTellWhichLayersAreSent(t *testing.T) {
	t.Parallel()
	encodings, d, _ := newSimulcast(t, "vp8", 600_000)
	e := encodings[0]
	e.rates[1], e.rates[2], e.top = 200_000, 400_000, layers.Layer{Temporal: 2}
	now := rtptime.Now()
	check := func(what string, want LayerStats) {
		t.Helper()
		d.rate.Add(75_000, now)
		settle(d, encodings, &now, 500*time.Millisecond)
		if got := d.counters.stats(now).Layers; got != want {
			t.Errorf("%s: layers are %+v, want %+v", what, got, want)
		}
	}
	check("nothing of layers is sent", LayerStats{MaxTemporal: 2, TargetTemporal: 2})
	for n, temporal := range []byte{0, 2, 1, 2, 0, 2, 1, 2} {
		e.picture(int64(200+n), temporal, n == 0)
	}
	check("everything is sent", LayerStats{Temporal: 2, MaxTemporal: 2, TargetTemporal: 2})
	d.allow.REMB.Set(100_000, now)
	settle(d, encodings, &now, time.Second)
	check("less fits than is sent", LayerStats{Temporal: 2, MaxTemporal: 2})
	e.picture(208, 0, false)
	check("less is sent", LayerStats{MaxTemporal: 2})
}
