package netsim

import (
	"math"
	"testing"
	"time"
)

// pass sends count packets of size bytes, one every interval, and returns their arrivals; -1
// for those that are lost.
func pass(p *Path, count, size int, interval time.Duration) (arrivals []time.Duration) {
	for i := range count {
		at, n := p.Pass(time.Duration(i)*interval, size)
		if n == 0 {
			at[0] = -1
		}
		arrivals = append(arrivals, at[0])
	}
	return arrivals
}

// near tells whether got is want, give or take a part of it.
func near(got, want, part float64) bool { return math.Abs(got-want) <= want*part }

func TestLossIsAsToldInRateAndBursts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		loss, burst float64
		wantBurst   float64
	}{
		{"one in a hundred", 0.01, 0, 1 / 0.99},
		{"one in twenty", 0.05, 1, 1 / 0.95},
		{"one in five", 0.2, 0, 1 / 0.8},
		{"one in twenty, three in a row", 0.05, 3, 3},
		{"one in five, five in a row", 0.2, 5, 5},
		{"one in a hundred, ten in a row", 0.01, 10, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			const count = 2_000_000
			p := NewPath(9, Conditions{Loss: tt.loss, Burst: tt.burst})
			lost, bursts, before := 0, 0, false
			for _, at := range pass(p, count, 100, time.Millisecond) {
				gone := at < 0
				if gone {
					lost++
					if !before {
						bursts++
					}
				}
				before = gone
			}
			if got := float64(lost) / count; !near(got, tt.loss, 0.06) {
				t.Errorf("%.4f of the packets are lost, want %.4f", got, tt.loss)
			}
			if got := float64(lost) / float64(bursts); !near(got, tt.wantBurst, 0.06) {
				t.Errorf("%.2f packets are lost in a row, want %.2f", got, tt.wantBurst)
			}
			if s := p.Statistics(); s.Offered != count || s.Lost != uint64(lost) {
				t.Errorf("statistics %+v, want %d offered, %d lost", s, count, lost)
			}
		})
	}
}

func TestNothingAndEverythingIsLost(t *testing.T) {
	t.Parallel()
	for _, burst := range []float64{0, 4} {
		for i, at := range pass(NewPath(1, Conditions{Burst: burst}), 1000, 10, time.Millisecond) {
			if at != time.Duration(i)*time.Millisecond {
				t.Fatalf("packet %d arrives at %v without loss or delay", i, at)
			}
		}
		for i, at := range pass(NewPath(1, Conditions{Loss: 1, Burst: burst}), 1000, 10, time.Millisecond) {
			if at >= 0 {
				t.Fatalf("packet %d arrives at %v although all are lost", i, at)
			}
		}
	}
}

func TestDelayAndJitterKeepTheOrder(t *testing.T) {
	t.Parallel()
	c := Conditions{Delay: 50 * time.Millisecond, Jitter: 20 * time.Millisecond}
	last, least, most := time.Duration(0), time.Hour, time.Duration(0)
	for i, at := range pass(NewPath(3, c), 10_000, 10, 30*time.Millisecond) {
		if at < last {
			t.Fatalf("packet %d arrives at %v, after one at %v", i, at, last)
		}
		last = at
		travelled := at - time.Duration(i)*30*time.Millisecond
		least, most = min(least, travelled), max(most, travelled)
	}
	if least < c.Delay || least > c.Delay+time.Millisecond || most > c.Delay+c.Jitter || most < c.Delay+c.Jitter-time.Millisecond {
		t.Errorf("packets travel %v to %v, want 50 ms to 70 ms", least, most)
	}
	last = 0
	for i, at := range pass(NewPath(3, c), 10_000, 10, time.Millisecond) { // closer than the jitter
		if at < last {
			t.Fatalf("packet %d arrives at %v, after one at %v", i, at, last)
		}
		last = at
	}
}

func TestReorderedPacketsAreOvertaken(t *testing.T) {
	t.Parallel()
	const count = 50_000
	p := NewPath(5, Conditions{Delay: 10 * time.Millisecond, Reorder: 0.1, ReorderDelay: 25 * time.Millisecond})
	overtaken, newest := 0, time.Duration(0)
	arrivals := pass(p, count, 10, 10*time.Millisecond)
	for i, at := range arrivals[:count-3] {
		if at > arrivals[i+1] && arrivals[i+1]-time.Duration(i+1)*10*time.Millisecond == 10*time.Millisecond {
			overtaken++
		}
		newest = max(newest, at)
	}
	// Nine in ten of those that are delayed have a neighbour that is not.
	if got := float64(overtaken) / count; !near(got, 0.09, 0.06) {
		t.Errorf("%.3f of the packets are overtaken by the next one, want 0.09", got)
	}
	if s := p.Statistics(); !near(float64(s.Reordered), 0.1*count, 0.06) {
		t.Errorf("%d of %d packets reordered, want a tenth", s.Reordered, count)
	}
}

func TestDuplicatesArriveTwice(t *testing.T) {
	t.Parallel()
	const count = 50_000
	p := NewPath(5, Conditions{Duplicate: 0.02})
	twice := 0
	for i := range count {
		if _, n := p.Pass(time.Duration(i), 10); n == 2 {
			twice++
		}
	}
	if !near(float64(twice), 0.02*count, 0.1) || p.Statistics().Duplicated != uint64(twice) {
		t.Errorf("%d of %d packets arrive twice, want a fiftieth; statistics %+v", twice, count, p.Statistics())
	}
}

func TestRateIsLimitedAndTheQueueBounded(t *testing.T) {
	t.Parallel()
	c := Conditions{Rate: 1_000_000, Queue: 100 * time.Millisecond}
	// 1000 bytes take 8 ms, and come every 4 ms for 4 s.
	arrivals := pass(NewPath(1, c), 1000, 1000, 4*time.Millisecond)
	passed := 0
	var longest, before time.Duration
	for i, at := range arrivals {
		if at < 0 {
			continue
		}
		passed++
		longest = max(longest, at-time.Duration(i)*4*time.Millisecond)
		if passed > 1 && at-before < 8*time.Millisecond {
			t.Fatalf("packet %d arrives %v after the one before, want 8 ms at least", i, at-before)
		}
		before = at
	}
	if passed < 500 || passed > 515 {
		t.Errorf("%d packets pass, want 500 at the rate and a dozen from the queue", passed)
	}
	if longest < 100*time.Millisecond || longest > 108*time.Millisecond {
		t.Errorf("a packet takes %v at most, want the queue of 100 ms and 8 ms", longest)
	}
	// Below the rate, nothing waits.
	for i, at := range pass(NewPath(1, c), 1000, 1000, 9*time.Millisecond) {
		if want := time.Duration(i)*9*time.Millisecond + 8*time.Millisecond; at != want {
			t.Fatalf("packet %d arrives at %v, want %v", i, at, want)
		}
	}
}

func TestSeedDecides(t *testing.T) {
	t.Parallel()
	c := Conditions{Loss: 0.2, Burst: 3, Jitter: time.Second, Reorder: 0.1, ReorderDelay: time.Second, Duplicate: 0.1}
	run := func(seed uint64, c Conditions) []time.Duration {
		return pass(NewPath(seed, c), 2000, 10, time.Millisecond)
	}
	differ := func(a, b []time.Duration) (n int) {
		for i := range a {
			if a[i] != b[i] {
				n++
			}
		}
		return n
	}
	if n := differ(run(1, c), run(1, c)); n != 0 {
		t.Errorf("%d packets of 2000 fare differently by the same seed", n)
	}
	if n := differ(run(1, c), run(2, c)); n < 1000 {
		t.Errorf("only %d packets of 2000 fare differently by another seed", n)
	}
	other := c
	other.Jitter, other.Reorder, other.Duplicate = 0, 0, 0
	for i, at := range run(1, other) {
		if lost := run(1, c)[i] < 0; lost != (at < 0) {
			t.Fatalf("packet %d is lost: %v; with another delay: %v", i, lost, !lost)
		}
		if i == 100 {
			break
		}
	}
}
