package rtpconn

import (
	"testing"
	"time"

	"galene/rtptime"
)

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
