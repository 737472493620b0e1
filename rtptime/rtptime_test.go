package rtptime

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func TestNowIsMonotonicAndNeverZero(t *testing.T) {
	t.Parallel()
	last := Now()
	if last.Add(-30*time.Minute) <= 0 {
		t.Errorf("Now() = %d, too early to subtract half an hour from", last)
	}
	for range 1000 {
		now := Now()
		if now < last || now == 0 {
			t.Fatalf("Now() = %d after %d", now, last)
		}
		last = now
	}
}

func TestNowFollowsTheBubbleClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := Now()
		if start <= 0 {
			t.Fatalf("Now() = %d in a bubble, want a positive instant", start)
		}
		time.Sleep(90 * time.Minute)
		if got, want := Now().Sub(start), 90*time.Minute; got != want {
			t.Errorf("an hour and a half later, Now() moved by %v, want %v", got, want)
		}
	})
}

func TestInstantArithmetic(t *testing.T) {
	t.Parallel()
	const i = Instant(5_000)
	if got := i.Add(-2 * time.Microsecond); got != 3_000 {
		t.Errorf("5000.Add(-2µs) = %d, want 3000", got)
	}
	if got := i.Sub(7_000); got != -2*time.Microsecond {
		t.Errorf("5000.Sub(7000) = %v, want -2µs", got)
	}
}

func TestTicks(t *testing.T) {
	t.Parallel()
	const years = 100 * 365 * 24 * time.Hour
	tests := []struct {
		name      string
		d         time.Duration
		clockRate uint32
		want      int64
	}{
		{"nothing", 0, 90_000, 0},
		{"a video frame", 40 * time.Millisecond, 90_000, 3_600},
		{"an audio packet", 20 * time.Millisecond, 48_000, 960},
		{"backwards", -20 * time.Millisecond, 48_000, -960},
		{"rounded towards zero", 99_999 * time.Nanosecond, 10_000, 0},
		{"rounded towards zero, backwards", -199_999 * time.Nanosecond, 10_000, -1},
		{"no clock", time.Second, 0, 0},
		{"a product beyond 64 bits", years, 90_000, int64(years/time.Second) * 90_000},
		{"a result beyond 64 bits", math.MaxInt64, math.MaxUint32, math.MaxInt64},
		{"a result beyond 64 bits, backwards", math.MinInt64, math.MaxUint32, -math.MaxInt64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Ticks(tt.d, tt.clockRate); got != tt.want {
				t.Errorf("Ticks(%v, %d) = %d, want %d", tt.d, tt.clockRate, got, tt.want)
			}
		})
	}
}

func TestTicksDuration(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		ticks     int64
		clockRate uint32
		want      time.Duration
	}{
		{"a video frame", 3_600, 90_000, 40 * time.Millisecond},
		{"backwards", -960, 48_000, -20 * time.Millisecond},
		{"no clock", 960, 0, 0},
		{"beyond a duration", math.MaxInt64, 1, math.MaxInt64},
		{"beyond a duration, backwards", math.MinInt64, 1, -math.MaxInt64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := TicksDuration(tt.ticks, tt.clockRate); got != tt.want {
				t.Errorf("TicksDuration(%d, %d) = %v, want %v", tt.ticks, tt.clockRate, got, tt.want)
			}
		})
	}
}

func TestNTPSurvivesTheEndOfAnEra(t *testing.T) {
	t.Parallel()
	// Era 1 starts here (RFC 5905 figure 4).
	rollover := time.Date(2036, time.February, 7, 6, 28, 16, 0, time.UTC)
	if got := NTPFromTime(rollover); got != 0 {
		t.Fatalf("NTPFromTime(%v) = %#x, want 0", rollover, uint64(got))
	}
	for _, at := range []time.Time{
		time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2024, 2, 29, 12, 30, 15, 123_456_789, time.UTC),
		rollover.Add(-1),
		rollover,
		rollover.Add(999_999_999),
		time.Date(2060, 1, 1, 0, 0, 0, 1, time.UTC),
	} {
		for _, off := range []time.Duration{0, time.Hour, -time.Hour, 60 * 365 * 24 * time.Hour, -60 * 365 * 24 * time.Hour} {
			near := at.Add(off)
			if got := NTPFromTime(at).Time(near); !got.Equal(at) {
				t.Errorf("NTPFromTime(%v).Time(%v) = %v", at, near, got)
			}
		}
		for _, d := range []time.Duration{0, 1, -1, time.Second, -time.Second, time.Hour, -time.Hour, 1_234_567_890_123} {
			got := NTPFromTime(at.Add(d)).Sub(NTPFromTime(at))
			if diff := got - d; diff < -1 || diff > 1 {
				t.Errorf("NTP of %v+%v minus that of %[1]v = %[3]v", at, d, got)
			}
		}
	}
}

func TestNTPMiddle(t *testing.T) {
	t.Parallel()
	if got := NTP(0x01234567_89abcdef).Middle(); got != 0x456789ab {
		t.Errorf("Middle() = %#x, want 0x456789ab", got)
	}
}

// starts are where sequence numbers are most likely to go wrong.
var starts = []uint16{0, 1, 32767, 32768, 65535}

func TestUnwrapFollowsTheTrueNumbers(t *testing.T) {
	t.Parallel()
	steps := []int64{1, 1, 2, -1, 5, -300, 301, 32767, -32768, 32768, 32767, 1, 0, -1, 100, -32000, 32767}
	for _, start := range starts {
		var u SequenceUnwrapper
		want := int64(start) + 65536
		if got := u.Unwrap(start); got != want {
			t.Fatalf("first Unwrap(%d) = %d, want %d", start, got, want)
		}
		highest := want
		for i, step := range steps {
			value := highest + step
			if step == 32768 { // ambiguous: exactly half the space is taken as late
				value = highest - 32768
			}
			highest = max(highest, value)
			if got := u.Unwrap(uint16(value)); got != value {
				t.Fatalf("start %d, step %d: Unwrap(%d) = %d, want %d", start, i, uint16(value), got, value)
			}
		}
	}
}

func TestUnwrapNeverGoesBelowOne(t *testing.T) {
	t.Parallel()
	for _, start := range starts {
		var u SequenceUnwrapper
		u.Unwrap(start)
		for _, back := range []uint16{1, 100, 32767, 32768} {
			if got, want := u.Unwrap(start-back), int64(start)+65536-int64(back); got != want || got <= 0 {
				t.Errorf("start %d, %d earlier: got %d, want %d", start, back, got, want)
			}
		}
	}
}

func TestUnwrapFollowsARestartedSender(t *testing.T) {
	t.Parallel()
	for _, start := range starts {
		var u SequenceUnwrapper
		highest := u.Unwrap(start)
		again := start - 5000
		restarted := int64(0)
		for i := range 40 {
			got := u.Unwrap(again + uint16(i))
			if restarted == 0 && got > highest {
				restarted = got
				if i+1 != restartRun {
					t.Errorf("start %d: restart accepted at packet %d, want %d", start, i+1, restartRun)
				}
			} else if restarted != 0 && got != restarted+1 {
				t.Fatalf("start %d: after the restart, %d follows %d", start, got, restarted)
			} else if restarted != 0 {
				restarted = got
			}
		}
		if restarted == 0 {
			t.Errorf("start %d: restart 5000 lower was never accepted", start)
		}
	}
}

func TestUnwrapDoesNotMistakeRetransmissionsForARestart(t *testing.T) {
	t.Parallel()
	var u SequenceUnwrapper
	live, late := u.Unwrap(40_000), u.Unwrap(39_000)
	for i := range 500 {
		if i%(restartRun-1) == 0 { // now and then a live packet comes in between
			live++
			if got := u.Unwrap(uint16(live)); got != live {
				t.Fatalf("live packet %d: got %d", live, got)
			}
		}
		late++
		if got := u.Unwrap(uint16(late)); got != late {
			t.Fatalf("late packet %d: got %d", late, got)
		}
	}
}

func TestTimestampUnwrap(t *testing.T) {
	t.Parallel()
	for _, start := range []uint32{0, 1, 1<<31 - 1, 1 << 31, math.MaxUint32} {
		var u TimestampUnwrapper
		highest := u.Unwrap(start)
		if want := int64(start) + 1<<32; highest != want {
			t.Fatalf("first Unwrap(%d) = %d, want %d", start, highest, want)
		}
		for _, step := range []int64{0, 3000, -3000, 1<<31 - 1, 1, -1 << 31, 1<<31 - 1, -5, 1 << 30} {
			value := highest + step
			if got := u.Unwrap(uint32(value)); got != value || got <= 0 {
				t.Fatalf("start %d: Unwrap(%d) = %d, want %d", start, uint32(value), got, value)
			}
			highest = max(highest, value)
		}
	}
}

// Whatever numbers a peer sends, unwrapped ones are positive and congruent to them.
func FuzzUnwrap(f *testing.F) {
	f.Add([]byte{0, 0, 128, 0, 255, 255, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		var u SequenceUnwrapper
		var v TimestampUnwrapper
		for i := 0; i+1 < len(data); i += 2 {
			seq := uint16(data[i])<<8 | uint16(data[i+1])
			if got := u.Unwrap(seq); uint16(got) != seq || got <= 0 {
				t.Fatalf("Unwrap(%d) = %d", seq, got)
			}
			timestamp := uint32(seq) << 16
			if got := v.Unwrap(timestamp); uint32(got) != timestamp || got <= 0 {
				t.Fatalf("Unwrap(%d) = %d", timestamp, got)
			}
		}
	})
}

func TestPerPacketFunctionsDoNotAllocate(t *testing.T) {
	var u SequenceUnwrapper
	var v TimestampUnwrapper
	var seq uint16
	got := testing.AllocsPerRun(1000, func() {
		seq++
		u.Unwrap(seq)
		v.Unwrap(uint32(Ticks(Now().Sub(0), 90_000)))
	})
	if got != 0 {
		t.Errorf("%v allocations per packet, want 0", got)
	}
}

func BenchmarkNow(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Now()
	}
}

func BenchmarkUnwrap(b *testing.B) {
	b.ReportAllocs()
	var u SequenceUnwrapper
	var seq uint16
	for b.Loop() {
		seq++
		u.Unwrap(seq)
	}
}
