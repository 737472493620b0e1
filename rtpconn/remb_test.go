package rtpconn

import (
	"testing"
	"time"

	"galene/conn"
	"galene/estimator"
	"galene/rtptime"
)

// choosingSink takes one encoding and would take a better one.
type choosingSink struct {
	rateSink
	taken, best *upTrack
	limit       uint64
}

func (s *choosingSink) choice(rtptime.Instant) (taken, best conn.UpTrack, limit uint64) {
	return s.taken, s.best, s.limit
}

// newEncodings returns the encodings h, m and l of a section, sent at these rates until now.
func newEncodings(t *testing.T, now rtptime.Instant, rates [3]uint64) (encodings [3]*upTrack) {
	t.Helper()
	up, list := newBareUpTrack(t, "vp8").up, &trackList{}
	for i, rid := range []string{"h", "m", "l"} {
		e := newBareUpTrack(t, "vp8")
		e.up, e.rid = up, rid
		if rates[i] > 0 {
			for step := range 12 {
				e.rate.Add(int(rates[i]/80), now.Add(time.Duration(step-11)*100*time.Millisecond))
			}
		}
		encodings[i] = e
		list.append(e)
	}
	up.tracks.Store(list)
	return encodings
}

// What a publisher may send of each encoding depends on who would take it, not only on who does:
// one that is not sent for want of permission would never be.
func TestPublisherMaySendWhatSubscribersWouldTake(t *testing.T) {
	t.Parallel()
	const none, low = -1, 2
	type viewer struct {
		taken, best int
		limit       uint64
	}
	for _, tt := range []struct {
		name    string
		sent    [3]uint64 // in bits per second, of h, m and l
		viewers []viewer
		want    [3]uint64 // at least
		most    uint64    // of all
	}{
		{
			"nobody is there",
			[3]uint64{0, 500_000, 100_000},
			nil,
			[3]uint64{204_800, 204_800, 102_400},
			512_000,
		},
		{
			"the best one is permitted on top of what those below are sent at",
			[3]uint64{0, 500_000, 100_000},
			[]viewer{{0, 0, estimator.Unlimited}},
			[3]uint64{1_000_000, 600_000, 102_400},
			1_800_000,
		},
		{
			"it may double",
			[3]uint64{900_000, 500_000, 100_000},
			[]viewer{{0, 0, estimator.Unlimited}},
			[3]uint64{1_700_000, 600_000, 102_400},
			2_700_000,
		},
		{
			"who takes the low one for want of the best would take that",
			[3]uint64{0, 500_000, 100_000},
			[]viewer{{2, 0, estimator.Unlimited}},
			[3]uint64{1_000_000, 600_000, 102_400},
			1_800_000,
		},
		{
			"but not who has shown that it cannot",
			[3]uint64{900_000, 500_000, 100_000},
			[]viewer{{2, 0, 150_000}},
			[3]uint64{204_800, 204_800, 102_400},
			512_000,
		},
		{
			"the slower one holds nobody up",
			[3]uint64{900_000, 500_000, 100_000},
			[]viewer{{2, 0, 150_000}, {0, 0, estimator.Unlimited}},
			[3]uint64{1_700_000, 600_000, 102_400},
			2_700_000,
		},
		{
			"what a slow one can take is what may be sent of its encoding",
			[3]uint64{900_000, 500_000, 100_000},
			[]viewer{{0, 0, 700_000}},
			[3]uint64{700_000, 600_000, 102_400},
			1_450_000,
		},
		{
			"who wants the low one wants no other",
			[3]uint64{900_000, 500_000, 100_000},
			[]viewer{{low, low, estimator.Unlimited}},
			[3]uint64{204_800, 204_800, 102_400},
			512_000,
		},
		{
			"a recorder takes anything of one encoding",
			[3]uint64{900_000, 500_000, 100_000},
			[]viewer{{0, none, estimator.Unlimited}},
			[3]uint64{1_700_000, 600_000, 102_400},
			2_700_000,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now := rtptime.Now()
			encodings := newEncodings(t, now, tt.sent)
			for _, v := range tt.viewers {
				var s conn.Sink = &rateSink{rate: v.limit}
				if v.best != none {
					s = &choosingSink{taken: encodings[v.taken], best: encodings[v.best], limit: v.limit}
				}
				if err := encodings[v.taken].AddSink(s); err != nil {
					t.Fatal(err)
				}
			}
			var total uint64
			for i, e := range encodings {
				got := e.permittedRate(now)
				if total += got; got < tt.want[i] {
					t.Errorf("encoding %q is permitted %d, want at least %d", e.rid, got, tt.want[i])
				}
			}
			if total > tt.most {
				t.Errorf("all are permitted %d, want at most %d", total, tt.most)
			}
		})
	}
}

func TestEncodingLingersForWhoComesBack(t *testing.T) {
	t.Parallel()
	now := rtptime.Now()
	encodings := newEncodings(t, now, [3]uint64{900_000, 500_000, 100_000})
	best := encodings[0]
	sink := &choosingSink{taken: best, best: best, limit: estimator.Unlimited}
	if err := best.AddSink(sink); err != nil {
		t.Fatal(err)
	}
	best.permittedRate(now)
	best.RemoveSink(sink)
	now = now.Add(500 * time.Millisecond)
	if got := best.permittedRate(now); got < 900_000 || got > 1_300_000 {
		t.Errorf("just after the last subscriber %d is permitted, want a little more than is sent", got)
	}
	now = now.Add(encodingLinger)
	for step := range 12 {
		best.rate.Add(900_000/80, now.Add(time.Duration(step-11)*100*time.Millisecond))
	}
	if got := best.permittedRate(now); got != 204_800 {
		t.Errorf("later %d is permitted, want 204800", got)
	}
}

func TestDownTrackTellsWhatItWouldTake(t *testing.T) {
	t.Parallel()
	encodings, d, _ := newSimulcast(t, "vp8", 0, 500_000, 100_000)
	now := rtptime.Now()
	check := func(what string, wantTaken, wantBest int) {
		t.Helper()
		taken, best, limit := d.current.choice(now)
		if taken != conn.UpTrack(encodings[wantTaken]) || best != conn.UpTrack(encodings[wantBest]) || limit != estimator.Unlimited {
			t.Errorf("%s: %v is taken of %v, limit %d", what, taken, best, limit)
		}
	}
	check("at first", 0, 0)
	settle(d, encodings, &now, 5*time.Second)
	check("for want of the best", 1, 0)
	remove(d.swap(conn.Selection{Track: encodings[2]}))
	check("asked for the low one", 2, 2)
}

// newTakenTrack returns an up track whose sinks can take these rates.
func newTakenTrack(t *testing.T, rid string, transport bool, rates ...uint64) *upTrack {
	t.Helper()
	track := newBareUpTrack(t, "vp8")
	track.rid = rid
	current := *track.current.Load()
	current.feedback.transport = transport
	track.current.Store(&current)
	list := &trackList{}
	list.append(track)
	track.up.tracks.Store(list)
	for _, rate := range rates {
		if err := track.AddSink(&rateSink{rate: rate}); err != nil {
			t.Fatal(err)
		}
	}
	return track
}

func TestPublishersThatEstimateAreToldOnlyWhatIsOfUse(t *testing.T) {
	t.Parallel()
	now := rtptime.Now()
	slow := []uint64{3_000_000, 150_000}
	for _, tt := range []struct {
		what      string
		transport bool
		temporal  bool // the track has temporal layers
		rates     []uint64
		want      uint64
	}{
		{"a slow subscriber, to one who does not estimate", false, false, slow, 204_800},
		{"a slow subscriber of a track without layers", true, false, slow, 300_000},
		{"a slow subscriber of a track with layers, who is sent less", true, true, slow, 3_000_000},
		{"nobody, to one who does not estimate", false, false, nil, 204_800},
		{"nobody", true, false, nil, 100_000},
	} {
		track := newTakenTrack(t, "", tt.transport, tt.rates...)
		if tt.temporal {
			track.layerRate[1].Add(10_000, now)
			track.layerRate[1].Add(10_000, now.Add(time.Second))
		}
		if got := track.permittedRate(now.Add(time.Second)); got != tt.want {
			t.Errorf("%s: %d are permitted, want %d", tt.what, got, tt.want)
		}
	}
}

// Two of the slowest subscriber's rate fit into layers that it need not be sent.
func TestLayersRaiseTheRateOfPublishersThatDoNotEstimate(t *testing.T) {
	t.Parallel()
	track := newTakenTrack(t, "", false, 3_000_000, 400_000)
	d := newBareTrack(t, track, discardEgress{})
	d.attach()
	if got := track.permittedRate(rtptime.Now()); got != 400_000 {
		t.Errorf("%d are permitted without layers, want 400000", got)
	}
	d.counters.layers.Store(&LayerStats{Temporal: 1, MaxTemporal: 2})
	if got := track.permittedRate(rtptime.Now()); got != 800_000 {
		t.Errorf("%d are permitted with a second temporal layer, want 800000", got)
	}
}

func TestEncodingThatNobodyTakesAtPresentIsNotStarved(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what  string
		taken bool // another encoding is
		want  uint64
	}{
		{"another one is taken", true, 204_800},
		{"none is taken", false, 100_000},
	} {
		high, middle := newTakenTrack(t, "h", true), newTakenTrack(t, "m", true)
		list := &trackList{}
		list.append(high)
		list.append(middle)
		high.up.tracks.Store(list)
		if tt.taken {
			if err := middle.AddSink(&rateSink{rate: 500_000}); err != nil {
				t.Fatal(err)
			}
		}
		if got := high.permittedRate(rtptime.Now()); got != tt.want {
			t.Errorf("%s: %d are permitted, want %d", tt.what, got, tt.want)
		}
	}
}

func TestPublisherLearnsAtOnceThatSomebodyTakesItsTrack(t *testing.T) {
	t.Parallel()
	track := newTakenTrack(t, "", true)
	sinks := []*rateSink{{rate: 1}, {rate: 2}}
	for i, s := range sinks {
		if err := track.AddSink(s); err != nil {
			t.Fatal(err)
		}
		select {
		case <-track.up.wake:
		default:
			if i == 0 {
				t.Error("the feedback goroutine is not woken")
			}
		}
		if got, want := track.up.taken.Swap(false), i == 0; got != want {
			t.Errorf("sink %d: the publisher is to be told: %v, want %v", i, got, want)
		}
	}
}
