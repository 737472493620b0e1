package jitter

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"galene/rtptime"
)

// publisher simulates one whose clocks are wrong.
type publisher struct {
	wall  time.Time // what its wall clock shows at start
	drift float64   // how much faster than ours it runs
}

// ntp returns what its wall clock shows a while after start.
func (p publisher) ntp(after time.Duration) rtptime.NTP {
	own := time.Duration(float64(after) * (1 + p.drift))
	return rtptime.NTPFromTime(p.wall.Add(own))
}

// rtp returns the timestamp a track of its shows a while after start.
func (p publisher) rtp(after time.Duration, first, clockRate uint32) uint32 {
	own := time.Duration(float64(after) * (1 + p.drift))
	return first + uint32(rtptime.Ticks(own, clockRate))
}

// checkRTP fails the test unless c says at start+after what the track showed about delay before.
func checkRTP(t *testing.T, c *TrackClock, after time.Duration, want uint32, tolerance time.Duration) {
	t.Helper()
	got, ok := c.RTPAt(start.Add(after))
	off := rtptime.TicksDuration(int64(int32(got-want)), c.clockRate)
	if !ok || off > tolerance || off < -tolerance {
		t.Errorf("after %v: RTPAt = %d, %v, off by %v, want %d to within %v", after, got, ok, off, want, tolerance)
	}
}

func TestRTPAtBeforeAnyReport(t *testing.T) {
	t.Parallel()
	stream := NewStreamClock()
	c, other := NewTrackClock(stream, 90_000), NewTrackClock(stream, 48_000)
	other.SenderReport(1<<40, 7, start)
	c.SenderReport(0, 99, start) // of a publisher without a wall clock
	if got, ok := c.RTPAt(start); ok {
		t.Errorf("RTPAt = %d before any report", got)
	}
	if got, ok := c.InstantAt(99); ok {
		t.Errorf("InstantAt = %d before any report", got)
	}
}

func TestAWrongPublisherClockCancelsOut(t *testing.T) {
	t.Parallel()
	right := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	era := time.Date(2036, 2, 7, 6, 28, 16, 0, time.UTC)
	for _, wall := range []time.Time{
		right, right.Add(3 * time.Hour), right.Add(-3 * time.Hour), right.AddDate(-40, 0, 0), right.AddDate(30, 0, 0),
		era.Add(-5 * time.Second), time.Unix(0, 0),
	} {
		p := publisher{wall: wall}
		stream := NewStreamClock()
		audio, video := NewTrackClock(stream, 48_000), NewTrackClock(stream, 90_000)
		const delay = 30 * time.Millisecond
		for after := time.Duration(0); after < 10*time.Second; after += time.Second {
			audio.SenderReport(p.ntp(after), p.rtp(after, 1<<31, 48_000), start.Add(after+delay))
			video.SenderReport(p.ntp(after), p.rtp(after, 1<<32-500, 90_000), start.Add(after+delay))
			for _, later := range []time.Duration{0, 20 * time.Millisecond, time.Second, time.Minute} {
				at := after + delay + later
				checkRTP(t, audio, at, p.rtp(at-delay, 1<<31, 48_000), 50*time.Microsecond)
				checkRTP(t, video, at, p.rtp(at-delay, 1<<32-500, 90_000), 50*time.Microsecond)
			}
		}
	}
}

func TestInstantAtInvertsRTPAt(t *testing.T) {
	t.Parallel()
	c := NewTrackClock(NewStreamClock(), 90_000)
	c.SenderReport(5<<32, 1<<32-1000, start)
	for _, after := range []time.Duration{-time.Hour, -time.Second, 0, time.Second, time.Hour} {
		rtp, _ := c.RTPAt(start.Add(after))
		got, ok := c.InstantAt(rtp)
		if d := got.Sub(start) - after; !ok || d < -20*time.Microsecond || d > 20*time.Microsecond {
			t.Errorf("InstantAt(RTPAt(%v)) is off by %v", after, d)
		}
	}
}

func TestTracksStaySynchronisedDespiteDelays(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	p := publisher{wall: time.Unix(1_000_000, 0)}
	stream := NewStreamClock()
	audio, video := NewTrackClock(stream, 48_000), NewTrackClock(stream, 90_000)
	for after := time.Duration(0); after < 5*time.Minute; after += time.Second {
		jitter := func() time.Duration { return time.Duration(random.Int64N(int64(400 * time.Millisecond))) }
		audio.SenderReport(p.ntp(after), p.rtp(after, 0, 48_000), start.Add(after+jitter()))
		video.SenderReport(p.ntp(after), p.rtp(after, 0, 90_000), start.Add(after+jitter()))
		if after < 20*time.Second {
			continue
		}
		now := start.Add(after + 500*time.Millisecond)
		a, _ := audio.RTPAt(now)
		v, _ := video.RTPAt(now)
		skew := rtptime.TicksDuration(int64(a), 48_000) - rtptime.TicksDuration(int64(v), 90_000)
		if skew < -50*time.Microsecond || skew > 50*time.Microsecond {
			t.Fatalf("after %v: audio and video differ by %v", after, skew)
		}
		// The delay that remains is the least of the last half minute at least.
		checkRTP(t, video, after+500*time.Millisecond, p.rtp(after+500*time.Millisecond, 0, 90_000), 100*time.Millisecond)
	}
}

func TestDriftIsFollowed(t *testing.T) {
	t.Parallel()
	for _, drift := range []float64{100e-6, -100e-6} {
		p := publisher{wall: time.Unix(1_000_000, 0), drift: drift}
		c := NewTrackClock(NewStreamClock(), 90_000)
		for after := time.Duration(0); after < 3*time.Hour; after += time.Second {
			c.SenderReport(p.ntp(after), p.rtp(after, 0, 90_000), start.Add(after))
			if after%(17*time.Second) == 0 { // a clock three hours on is a second off
				checkRTP(t, c, after, p.rtp(after, 0, 90_000), 7*time.Millisecond)
			}
		}
	}
}

func TestAClockThatIsSetIsFollowed(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{time.Hour, -time.Hour, 3 * time.Second, -3 * time.Second} {
		p := publisher{wall: time.Unix(1_000_000, 0)}
		c := NewTrackClock(NewStreamClock(), 90_000)
		for after := time.Duration(0); after < 20*time.Second; after += time.Second {
			if after == 10*time.Second {
				p.wall = p.wall.Add(step)
			}
			c.SenderReport(p.ntp(after), p.rtp(after, 0, 90_000), start.Add(after))
			checkRTP(t, c, after, p.rtp(after, 0, 90_000), time.Millisecond)
		}
	}
}

func TestALongSilenceIsForgotten(t *testing.T) {
	t.Parallel()
	c := NewTrackClock(NewStreamClock(), 90_000)
	p := publisher{wall: time.Unix(1_000_000, 0), drift: -50e-6}
	for _, after := range []time.Duration{0, time.Second, 10 * time.Hour} {
		c.SenderReport(p.ntp(after), p.rtp(after, 0, 90_000), start.Add(after))
		checkRTP(t, c, after, p.rtp(after, 0, 90_000), time.Millisecond)
	}
}

func TestClocksMayBeSharedByGoroutines(t *testing.T) {
	t.Parallel()
	stream := NewStreamClock()
	var workers sync.WaitGroup
	for i := range 3 {
		c := NewTrackClock(stream, 90_000)
		workers.Go(func() {
			for j := range 500 {
				c.SenderReport(rtptime.NTP(j+1)<<32, uint32(j)*90_000, start.Add(time.Duration(j)*time.Second))
			}
		})
		workers.Go(func() {
			for range 500 {
				if rtp, ok := c.RTPAt(start); ok && rtp%90_000 != 0 {
					t.Errorf("track %d: RTPAt = %d, want a whole second", i, rtp)
					return
				}
			}
		})
	}
	workers.Wait()
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	const second = 1 << 16
	tests := []struct {
		name   string
		now    uint32 // middle 32 bits
		lsr    uint32
		dlsr   uint32
		want   time.Duration
		wantOK bool
	}{
		{"no sender report yet", 5 * second, 0, 0, 0, false},
		{"a quarter of a second", 5*second + second/4, 4 * second, second, 250 * time.Millisecond, true},
		{"across the wrap", second / 2, 1<<32 - second/2, second / 2, 500 * time.Millisecond, true},
		{"nothing at all", 5 * second, 4 * second, second, 0, true},
		{"a peer with a coarse clock", 5 * second, 4 * second, second + 600, 0, true},
		{"held longer than it has existed", 5 * second, 4 * second, second + 700, 0, false},
		{"held for ever", 5 * second, 4 * second, 1<<32 - 1, 0, false},
		{"from the future", 4 * second, 5 * second, 0, 0, false},
		{"almost too old", 9*second - 1, second, 7 * second, 999_984_741, true},
		{"too old", 9 * second, second, 7 * second, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now := rtptime.NTP(tt.now)<<16 | 0xabcd<<48
			got, ok := RoundTrip(now, tt.lsr, tt.dlsr)
			if ok != tt.wantOK || got != tt.want {
				t.Errorf("RoundTrip(%#x, %#x, %#x) = %v, %v, want %v, %v", now, tt.lsr, tt.dlsr, got, ok, tt.want, tt.wantOK)
			}
		})
	}
}

func TestSmoothRoundTrip(t *testing.T) {
	t.Parallel()
	if got := SmoothRoundTrip(0, 80*time.Millisecond); got != 80*time.Millisecond {
		t.Errorf("first sample: %v, want 80ms", got)
	}
	if got := SmoothRoundTrip(80*time.Millisecond, 40*time.Millisecond); got != 70*time.Millisecond {
		t.Errorf("second sample: %v, want 70ms", got)
	}
}

func BenchmarkRTPAt(b *testing.B) {
	c := NewTrackClock(NewStreamClock(), 90_000)
	c.SenderReport(1<<40, 5, start)
	b.ReportAllocs()
	for b.Loop() {
		c.RTPAt(start)
	}
}
