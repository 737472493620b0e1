package rtpconn

import (
	"testing"
	"time"

	"github.com/pion/rtcp"

	"galene/codecs"
	"galene/conn"
	"galene/layers"
	"galene/rtptime"
)

// encoding is one of a simulcast's, whose rates are made up.
type encoding struct {
	*fakeTrack
	rid   string
	rates [codecs.Layers]uint64
	top   layers.Layer
}

func (e *encoding) RID() string { return e.rid }

func (e *encoding) layerRates(rtptime.Instant) ([codecs.Layers]uint64, layers.Layer) {
	return e.rates, e.top
}

// fakeUp is a stream of such tracks.
type fakeUp struct{ tracks []conn.UpTrack }

func (u *fakeUp) ID() string             { return "a" }
func (u *fakeUp) Label() string          { return "camera" }
func (u *fakeUp) Tracks() []conn.UpTrack { return u.tracks }

// newSimulcast returns encodings of these rates, best first, and a track that is sent the first one.
func newSimulcast(t *testing.T, codec string, rates ...uint64) ([]*encoding, *downTrack, *recordingEgress) {
	t.Helper()
	up := &fakeUp{}
	var encodings []*encoding
	for i, rate := range rates {
		e := &encoding{fakeTrack: newFakeTrack(t, codec), rid: string(rune('h' + i))}
		e.gop = false
		e.rates[0] = rate
		encodings = append(encodings, e)
		up.tracks = append(up.tracks, e)
	}
	down := newBareDown(t)
	down.up = up
	d := newDownTrack(down, conn.Selection{Track: encodings[0]}, downFormat(encodings[0]))
	out := &recordingEgress{}
	d.bind(out, 1234, d.format.PayloadType)
	d.attach()
	encodings[0].deliver(encodings[0].packet(100, 1, true))
	return encodings, d, out
}

// settle lets a down track adapt for a while, and the target send keyframes.
func settle(d *downTrack, encodings []*encoding, now *rtptime.Instant, lasting time.Duration) *encoding {
	for end := now.Add(lasting); *now < end; *now = now.Add(500 * time.Millisecond) {
		remove(d.adapt(*now))
		for i, e := range encodings {
			if d.target != nil && d.target.track == conn.UpTrack(e) {
				head, _ := e.Head()
				e.deliver(e.packet(head+1000, byte(i), true))
			}
		}
		if f := d.takeStale(); f != nil {
			f.track.RemoveSink(f)
		}
	}
	for _, e := range encodings {
		if d.current.track == conn.UpTrack(e) {
			return e
		}
	}
	return nil
}

func TestSubscriberIsSentTheEncodingThatItCanTake(t *testing.T) {
	t.Parallel()
	encodings, d, out := newSimulcast(t, "vp8", 2_000_000, 500_000, 100_000)
	now := rtptime.Now()
	d.allow.REMB.Set(5_000_000, now)
	if got := settle(d, encodings, &now, 5*time.Second); got != encodings[0] {
		t.Errorf("with room for all, encoding %v is sent", got)
	}
	// Two thirds are lost of two megabits.
	d.allow.Loss.Report(170, 2_000_000, now)
	if got := settle(d, encodings, &now, time.Second); got != encodings[1] {
		t.Errorf("with losses, encoding %v is sent", got)
	}
	if got := settle(d, encodings, &now, 30*time.Second); got != encodings[0] {
		t.Errorf("without, encoding %v is sent", got)
	}
	packets := out.take()
	for i := 1; i < len(packets); i++ {
		if packets[i].SequenceNumber != packets[i-1].SequenceNumber+1 || packets[i].SSRC != packets[0].SSRC {
			t.Errorf("number %d after %d", packets[i].SequenceNumber, packets[i-1].SequenceNumber)
		}
	}
	for i, e := range encodings[1:] {
		if !e.sinks.empty() {
			t.Errorf("encoding %d is still listened to", i+1)
		}
	}
}

func TestEncodingThatIsNotSentGivesWay(t *testing.T) {
	t.Parallel()
	encodings, d, _ := newSimulcast(t, "vp8", 0, 500_000, 100_000)
	now := rtptime.Now()
	if got := settle(d, encodings, &now, 1900*time.Millisecond); got != encodings[0] {
		t.Errorf("encoding %v is sent before two seconds", got)
	}
	if got := settle(d, encodings, &now, 2*time.Second); got != encodings[1] {
		t.Errorf("encoding %v is sent", got)
	}
	// The same selection again does not undo it.
	remove(d.swap(conn.Selection{Track: encodings[0]}))
	if d.target != nil || d.current.track != conn.UpTrack(encodings[1]) {
		t.Error("selecting the same again has switched back")
	}
	encodings[0].rates[0] = 2_000_000
	if got := settle(d, encodings, &now, 10*time.Second); got != encodings[0] {
		t.Errorf("encoding %v is sent when the best one has come", got)
	}
}

func TestLowEncodingIsNotExceeded(t *testing.T) {
	t.Parallel()
	encodings, d, _ := newSimulcast(t, "vp8", 2_000_000, 100_000)
	now := rtptime.Now()
	remove(d.swap(conn.Selection{Track: encodings[1]}))
	if got := settle(d, encodings, &now, 20*time.Second); got != encodings[1] {
		t.Errorf("encoding %v is sent, want the low one", got)
	}
	encodings[1].rates[0] = 0
	if got := settle(d, encodings, &now, 5*time.Second); got != encodings[0] {
		t.Errorf("encoding %v is sent, want one that there is", got)
	}
}

// Receivers estimate no more than half as much again as they are sent: what they say just
// after a step up is about what was sent before.
func TestStepUpIsNotUndoneByAnOldEstimate(t *testing.T) {
	t.Parallel()
	encodings, d, _ := newSimulcast(t, "vp8", 300_000, 100_000)
	now := rtptime.Now()
	estimate := func(rate uint64, sent *encoding, lasting time.Duration) *encoding {
		t.Helper()
		for end := now.Add(lasting); now < end; {
			d.allow.REMB.Set(rate, now)
			d.rate.Add(int(sent.rates[0]/16), now)
			settle(d, encodings, &now, 500*time.Millisecond)
		}
		return settle(d, encodings, &now, time.Millisecond)
	}
	low := encodings[1]
	if got := estimate(90_000, encodings[0], 3*time.Second); got != low {
		t.Fatalf("encoding %v is sent, want the low one", got)
	}
	sent, rate := low, uint64(155_000)
	for range 30 { // the estimate grows once more is sent
		if sent = estimate(rate, sent, 500*time.Millisecond); sent == encodings[0] {
			break
		}
	}
	if sent == low {
		t.Fatal("the low encoding is sent for ever")
	}
	if got := estimate(rate, sent, 2*time.Second); got == low {
		t.Error("the step up was undone by an estimate of what was sent before")
	}
	if got := estimate(100_000, sent, 2*time.Second); got != low {
		t.Error("the step up was not undone by an estimate that has fallen")
	}
}

// Some publishers send layers of one encoding instead of several encodings.
func TestLowestLayerStandsInForTheLowEncoding(t *testing.T) {
	t.Parallel()
	encodings, d, _ := newSimulcast(t, "vp9", 0, 0)
	best := encodings[0]
	best.rates[codecs.LayerIndex(0, 0)] = 100_000
	best.rates[codecs.LayerIndex(1, 0)] = 400_000
	best.top = layers.Layer{Spatial: 1}
	now := rtptime.Now()
	settle(d, encodings, &now, time.Second)
	remove(d.swap(conn.Selection{Track: encodings[1]}))
	if got := settle(d, encodings, &now, 500*time.Millisecond); got != best || d.target != nil {
		t.Errorf("encoding %v is sent at once, want the only one that there is", got)
	}
	settle(d, encodings, &now, 20*time.Second)
	if got := d.selector.Target.Get().Spatial; got != 0 {
		t.Errorf("its spatial layer %d is sent, want the lowest", got)
	}
	remove(d.swap(conn.Selection{Track: best}))
	settle(d, encodings, &now, time.Second)
	if got := d.selector.Target.Get(); got != layers.Highest {
		t.Errorf("its layer %v is sent when the best is asked for", got)
	}
}

func TestTemporalLayersAreLeftOutToFit(t *testing.T) {
	t.Parallel()
	encodings, d, _ := newSimulcast(t, "vp8", 600_000)
	e := encodings[0]
	e.rates[1], e.rates[2], e.top = 200_000, 400_000, layers.Layer{Temporal: 2}
	now := rtptime.Now()
	for _, tt := range []struct {
		what  string
		remb  uint64
		after time.Duration
		want  layers.Layer
	}{
		{"everything at first", 0, time.Second, layers.Highest},
		{"two layers of 1200 kbit/s in 900", 900_000, 2 * time.Second, layers.Layer{Temporal: 1}},
		{"one in 100, which is the least", 100_000, time.Second, layers.Layer{}},
		{"everything again", 5_000_000, 20 * time.Second, layers.Highest},
	} {
		d.allow.REMB.Set(tt.remb, now)
		for range int(tt.after / (500 * time.Millisecond)) {
			d.rate.Add(75_000, now)
			settle(d, encodings, &now, 500*time.Millisecond)
		}
		if got := d.selector.Target.Get(); got.Temporal != tt.want.Temporal {
			t.Errorf("%s: target %v, want %v", tt.what, got, tt.want)
		}
	}
}

func TestStatisticsTellWhichLayersAreSent(t *testing.T) {
	t.Parallel()
	encodings, d, _ := newSimulcast(t, "vp8", 600_000)
	e := encodings[0]
	now := rtptime.Now()
	remove(d.adapt(now))
	if d.counters.layers.Load() != nil {
		t.Error("there are layers to tell of, although there is one of each")
	}
	e.rates[1], e.rates[2], e.top = 200_000, 400_000, layers.Layer{Temporal: 2}
	sequence := int64(100)
	picture := func() { // of four
		for _, temporal := range []uint8{0, 2, 1, 2} {
			sequence++
			p := e.packet(sequence, 0, false)
			p.Frame.TemporalID, p.Frame.SwitchUp = temporal, true
			p.Frame.PictureIDBits, p.Frame.PictureID = 15, int32(sequence)
			e.deliver(p)
		}
	}
	for _, tt := range []struct {
		what  string
		remb  uint64
		after time.Duration
		want  LayerStats
	}{
		{"everything", 5_000_000, time.Second, LayerStats{Temporal: 2, MaxTemporal: 2, TargetTemporal: 2}},
		{"two layers", 900_000, time.Second, LayerStats{Temporal: 1, MaxTemporal: 2, TargetTemporal: 1}},
		{"everything again", 5_000_000, 20 * time.Second, LayerStats{Temporal: 2, MaxTemporal: 2, TargetTemporal: 2}},
	} {
		d.allow.REMB.Set(tt.remb, now)
		for range int(tt.after / (500 * time.Millisecond)) {
			d.rate.Add(75_000, now)
			settle(d, encodings, &now, 500*time.Millisecond)
			picture()
		}
		remove(d.adapt(now))
		if got := d.counters.stats(now).Layers; got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.what, got, tt.want)
		}
	}
	before := d.counters.layers.Load()
	if remove(d.adapt(now)); d.counters.layers.Load() != before {
		t.Error("the statistics are stored anew without news")
	}
}

func TestPayloadsAreResentAsTheyWereRewritten(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp8")
	source.gop = false
	out := &recordingEgress{}
	d := newBareTrack(t, source, out)
	d.selector.Target.Set(layers.Layer{Temporal: 0})
	d.attach()
	parse := codecs.ParserFor("video/VP8")
	for n := range int64(40) {
		temporal := []byte{0, 2, 1, 2}[n%4]
		p := source.packet(100+n, 0, false)
		p.Payload = []byte{0x90, 0xf0, 0x80, byte(n), byte(n / 4), temporal << 6, 0x91, byte(n)}
		if n == 0 {
			p.Payload[6] = 0x90
		}
		parse(p.Payload, true, &p.Frame)
		source.deliver(p)
	}
	sent := out.take()
	buffer := make([]byte, maxPacket)
	for i, p := range sent {
		if p.Payload[3] != byte(i) || p.Payload[4] != byte(i) || p.Payload[7] != byte(4*i) {
			t.Errorf("picture %d has id %d, TL0PICIDX %d and content %d", i, p.Payload[3], p.Payload[4], p.Payload[7])
		}
		d.resend(p.SequenceNumber, epoch, buffer, nil)
		if again := out.take(); len(again) != 1 || string(again[0].Payload) != string(p.Payload) {
			t.Errorf("resent %v, want %v", again, p)
		}
	}
	if len(sent) != 10 {
		t.Errorf("%d packets were sent, want 10", len(sent))
	}
}

func TestPacketsThatOvertakeTheKeyframeAreNotLost(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp8")
	source.gop = false
	out := &recordingEgress{}
	d := newBareTrack(t, source, out)
	d.attach()
	for _, n := range []int64{8, 11, 12, 10, 13} {
		source.deliver(source.packet(n, byte(n), n == 10))
	}
	checkNumbering(t, out.take(), []byte{10, 11, 12, 13})
}

func TestSlowSubscribersOfAnEncodingDoNotThrottleIt(t *testing.T) {
	t.Parallel()
	now := rtptime.Now()
	for _, tt := range []struct {
		rid  string
		want uint64
	}{{"", 204_800}, {"h", 3_000_000}, {"l", 102_400}} {
		track := newBareUpTrack(t, "vp8")
		track.rid = tt.rid
		for _, rate := range []uint64{3_000_000, 100_000} {
			if err := track.AddSink(&rateSink{rate: rate}); err != nil {
				t.Fatal(err)
			}
		}
		if got := track.permittedRate(now); got != tt.want {
			t.Errorf("encoding %q is permitted %d, want %d", tt.rid, got, tt.want)
		}
	}
}

// rateSink can take so much.
type rateSink struct {
	strictSink
	rate uint64
}

func (s *rateSink) AllowedRate(rtptime.Instant) uint64 { return s.rate }

func TestLossesReachTheChoice(t *testing.T) {
	t.Parallel()
	_, d, _ := newSimulcast(t, "vp8", 2_000_000, 500_000)
	now := rtptime.Now()
	d.rate.Add(375_000, now)
	now = now.Add(1500 * time.Millisecond)
	d.receptionReports([]rtcp.ReceptionReport{{SSRC: 1234, FractionLost: 200}}, now)
	if got := d.allow.Limit(now, 2_000_000, 0); got > 500_000 || got < 300_000 {
		t.Errorf("with losses, %d is the limit", got)
	}
}
