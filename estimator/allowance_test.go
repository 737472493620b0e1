package estimator

import (
	"math"
	"testing"
	"time"

	"galene/rtptime"
)

func TestLossReport(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		before   uint64 // 0 if nothing was reported before
		fraction uint8
		sending  uint64
		want     uint64
	}{
		{"grows from the initial rate", 0, 0, 512_000, 538_000},
		{"grows with a little loss", 256_000, 4, 256_000, 269_000},
		{"grows if three quarters are used", 256_000, 0, 192_000, 269_000},
		{"does not grow if less is used", 256_000, 0, 191_999, 256_000},
		{"does not grow if nothing is sent", 0, 0, 0, 512_000},
		{"stays with some loss", 256_000, 5, 256_000, 256_000},
		{"stays with as much as is tolerated", 256_000, 25, 256_000, 256_000},
		{"falls with more", 512_000, 26, 512_000, 486_000},
		{"falls whatever is sent", 512_000, 128, 0, 384_000},
		{"falls to half at most", 512_000, 255, 0, 257_000},
		{"never falls below the least", 9600, 255, 0, 9600},
		{"never grows above the most", 1 << 30, 0, math.MaxUint64, 1 << 30},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var l Loss
			if tt.before != 0 {
				l.rate, l.set = tt.before, start
			}
			l.Report(tt.fraction, tt.sending, start.Add(time.Second))
			if got := l.Rate(start.Add(time.Second)); got != tt.want {
				t.Errorf("from %d, Report(%d, %d) allows %d, want %d", tt.before, tt.fraction, tt.sending, got, tt.want)
			}
		})
	}
}

func TestLossIsValidForHalfAMinute(t *testing.T) {
	t.Parallel()
	var l Loss
	if got := l.Rate(1); got != 512_000 {
		t.Errorf("never reported, at the very beginning: %d, want 512000", got)
	}
	l.Report(128, 0, start)
	if got := l.Rate(start.Add(30*time.Second - 1)); got != 384_000 {
		t.Errorf("after almost 30 s: %d, want 384000", got)
	}
	if got := l.Rate(start.Add(30 * time.Second)); got != 512_000 {
		t.Errorf("after 30 s: %d, want 512000", got)
	}
	l.Report(10, 0, start.Add(20*time.Second)) // refreshes without changing
	if got := l.Rate(start.Add(45 * time.Second)); got != 384_000 {
		t.Errorf("25 s after a refresh: %d, want 384000", got)
	}
	l.Report(10, 0, start.Add(time.Hour))
	if got := l.Rate(start.Add(time.Hour)); got != 512_000 {
		t.Errorf("a report after an hour starts from %d, want 512000", got)
	}
}

func TestLossConvergesToItsBounds(t *testing.T) {
	t.Parallel()
	var l Loss
	for range 1000 {
		l.Report(255, 0, start)
	}
	if got := l.Rate(start); got != 9600 {
		t.Errorf("after constant loss: %d, want 9600", got)
	}
	for range 1000 {
		l.Report(0, Unlimited, start)
	}
	if got := l.Rate(start); got != 1<<30 {
		t.Errorf("without loss: %d, want 2³⁰", got)
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		remb  uint64
		after time.Duration
		want  uint64
	}{
		{"a lower estimate counts", 300_000, 0, 300_000},
		{"a higher one does not", 600_000, 0, 512_000},
		{"nor does zero", 0, 0, 512_000},
		{"nor an old one", 300_000, 30 * time.Second, 512_000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var a Allowance
			if got := a.Allowed(start); got != 512_000 {
				t.Errorf("without feedback: %d, want 512000", got)
			}
			a.REMB.Set(tt.remb, start)
			if got := a.Allowed(start.Add(tt.after)); got != tt.want {
				t.Errorf("with REMB %d after %v: %d, want %d", tt.remb, tt.after, got, tt.want)
			}
		})
	}
}

func TestCap(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name              string
		allowed           []uint64
		spatial, temporal uint8
		want              uint64
	}{
		{"no subscribers", nil, 0, 0, 204_800},
		{"no subscribers, whatever the layers", nil, 2, 2, 204_800},
		{"one subscriber", []uint64{512_000}, 0, 0, 512_000},
		{"a slow one counts for the least", []uint64{9600}, 0, 0, 204_800},
		{"all slow ones do", []uint64{9600, 0}, 0, 0, 204_800},
		{"the slowest rules without layers", []uint64{500_000, 2_000_000, 300_000}, 0, 0, 300_000},
		{"a temporal layer doubles the slowest", []uint64{500_000, 2_000_000, 300_000}, 0, 1, 600_000},
		{"but not beyond the fastest", []uint64{500_000, 900_000, 300_000}, 0, 2, 900_000},
		{"whom spatial layers raise by a quarter", []uint64{500_000, 900_000, 300_000}, 2, 2, 1_125_000},
		{"spatial layers alone change nothing", []uint64{300_000, 900_000}, 1, 0, 300_000},
		{"a recorder alone", []uint64{Unlimited}, 0, 0, Unlimited},
		{"a recorder alone with layers", []uint64{Unlimited}, 3, 15, Unlimited},
		{"a recorder besides", []uint64{Unlimited, 400_000}, 1, 1, 800_000},
		{"many layers do not overflow", []uint64{1 << 62, Unlimited}, 1, 3, Unlimited},
		{"absurdly many do not either", []uint64{300_000, 400_000}, 255, 255, 500_000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Cap(tt.allowed, tt.spatial, tt.temporal); got != tt.want {
				t.Errorf("Cap(%v, %d, %d) = %d, want %d", tt.allowed, tt.spatial, tt.temporal, got, tt.want)
			}
		})
	}
}

func TestTotal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		rates []uint64
		want  uint64
	}{
		{"nothing", nil, 0},
		{"two encodings", []uint64{LowEncodingRate, 524_288}, 626_688},
		{"more than can be asked for", []uint64{1 << 29, 1 << 30}, 1 << 30},
		{"unlimited", []uint64{Unlimited}, 1 << 30},
		{"more than unlimited", []uint64{Unlimited, Unlimited, 5}, 1 << 30},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Total(tt.rates...); got != tt.want {
				t.Errorf("Total(%v) = %d, want %d", tt.rates, got, tt.want)
			}
		})
	}
}

func BenchmarkAllowed(b *testing.B) {
	var a Allowance
	a.Loss.Report(0, 0, start)
	a.REMB.Set(1_000_000, start)
	b.ReportAllocs()
	for b.Loop() {
		a.Allowed(start)
	}
}

func TestLimitIsWhatFeedbackShows(t *testing.T) {
	t.Parallel()
	var a Allowance
	now, raised := start, rtptime.Instant(0)
	check := func(what string, sending, want uint64) {
		t.Helper()
		if got := a.Limit(now, sending, raised); got != want {
			t.Errorf("%s: the limit is %d, want %d", what, got, want)
		}
	}
	check("nothing reported", 1_000_000, Unlimited)
	a.Loss.Report(25, 1_000_000, now)
	check("tolerable losses", 1_000_000, Unlimited)
	a.Loss.Report(128, 0, now)
	check("losses before the rate is known", 0, Unlimited)
	a.Loss.Report(128, 1_024_000, now)
	check("half is lost", 1_024_000, 512_000)
	now = now.Add(10 * time.Second)
	check("long ago", 1_024_000, Unlimited)

	a.REMB.Set(800_000, now)
	check("a first estimate", 1_000_000, Unlimited)
	now = now.Add(time.Second)
	check("an estimate below what is sent", 1_000_000, 800_000)
	check("or a little above", 700_000, 800_000)
	check("far above what is sent", 500_000, Unlimited)
	now = now.Add(time.Second)
	a.REMB.Set(850_000, now)
	check("one that rises", 1_000_000, Unlimited)
	now = now.Add(3 * time.Second)
	a.REMB.Set(850_000, now)
	check("one that rises no more", 1_000_000, 850_000)
	a.REMB.Set(500_000, now.Add(time.Second))
	check("one that falls", 1_000_000, 500_000)
	for rate := uint64(500_000); rate < 550_000; rate += rate / 64 {
		a.REMB.Set(rate, now)
		now = now.Add(250 * time.Millisecond)
	}
	check("one that rises by little each time", 1_000_000, Unlimited)
	a.REMB.Set(480_000, now)
	check("one that has risen and falls", 1_000_000, 480_000)
	now = now.Add(5 * time.Second)
	a.REMB.Set(480_000, now)
	raised = now
	check("one of when less was sent", 1_000_000, Unlimited)
	now = now.Add(time.Second)
	a.REMB.Set(475_000, now)
	check("one that does not fall", 1_000_000, Unlimited)
	a.REMB.Set(400_000, now)
	check("one that falls when more is sent", 1_000_000, 400_000)
	a.REMB.Set(400_000, now)
	raised = now.Add(time.Millisecond)
	now = raised.Add(3 * time.Second)
	check("one that has not risen long after more was sent", 1_000_000, 400_000)
	now = now.Add(time.Minute)
	a.REMB.Set(300_000, now)
	check("the first one after a silence", 1_000_000, Unlimited)
}
