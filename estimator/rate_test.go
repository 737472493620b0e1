package estimator

import (
	"sync"
	"testing"
	"time"

	"galene/rtptime"
)

// start is some instant at which tests begin.
const start = rtptime.Instant(time.Hour)

// wantRate fails the test unless r shows these rates a while after start.
func wantRate(t *testing.T, r *Rate, after time.Duration, bits uint64, packets float64) {
	t.Helper()
	if gotBits, gotPackets := r.Rate(start.Add(after)); gotBits != bits || gotPackets != packets {
		t.Errorf("after %v: %d bit/s, %v packets/s, want %d, %v", after, gotBits, gotPackets, bits, packets)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	var r Rate
	wantRate(t, &r, 0, 0, 0)
	for i := range 100 { // 50 packets of 100 bytes in a second
		r.Add(100, start.Add(time.Duration(i)*20*time.Millisecond))
		if i == 49 {
			wantRate(t, &r, 999*time.Millisecond, 0, 0)
			wantRate(t, &r, time.Second, 40_000, 50)
		}
	}
	wantRate(t, &r, 1980*time.Millisecond, 40_000, 50)
	wantRate(t, &r, time.Second/2, 40_000, 50) // a clock read a little earlier elsewhere
	wantRate(t, &r, 2*time.Second, 40_000, 50) // the second window, closed by nobody
	wantRate(t, &r, 2500*time.Millisecond, 26_666, 100./3)
	wantRate(t, &r, 3*time.Second, 0, 0)
	wantRate(t, &r, time.Hour, 0, 0)
	if r.Packets() != 100 || r.Bytes() != 10_000 {
		t.Errorf("totals %d, %d, want 100, 10000", r.Packets(), r.Bytes())
	}
	r.Add(1000, start.Add(9*time.Second))
	wantRate(t, &r, 9*time.Second, 5_000, 6.25)
}

func TestRateMayBeReadWhileItIsMeasured(t *testing.T) {
	t.Parallel()
	var r Rate
	var now sync.Map
	now.Store("now", start)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				at, _ := now.Load("now")
				bits, packets := r.Rate(at.(rtptime.Instant))
				// Every window has packets of the same size: a torn pair would show.
				if want := packets * 800; float64(bits) < want*0.9-1 || float64(bits) > want*1.1+1 {
					t.Errorf("%d bit/s with %v packets/s of 100 bytes", bits, packets)
					return
				}
			}
		})
	}
	at := start
	for i := range 50_000 {
		at = at.Add(time.Duration(1+i/100%50) * 10 * time.Millisecond)
		r.Add(100, at)
		now.Store("now", at)
	}
	close(done)
	readers.Wait()
}

func TestRateDoesNotAllocate(t *testing.T) {
	var r Rate
	at := start
	got := testing.AllocsPerRun(1000, func() {
		at = at.Add(10 * time.Millisecond)
		r.Add(1200, at)
		r.Rate(at)
	})
	if got != 0 {
		t.Errorf("%v allocations per packet, want 0", got)
	}
}

func BenchmarkAdd(b *testing.B) {
	var r Rate
	at := start
	b.ReportAllocs()
	for b.Loop() {
		at += 1000
		r.Add(1200, at)
	}
}
