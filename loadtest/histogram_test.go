package loadtest

import (
	"math"
	"testing"
	"time"
)

func TestQuantilesAreExactToTwoPercent(t *testing.T) {
	t.Parallel()
	for _, unit := range []time.Duration{time.Microsecond, 100 * time.Microsecond, time.Millisecond, time.Hour} {
		var h histogram
		for i := range 1000 {
			h.add(time.Duration(999-i) * unit)
		}
		for _, q := range []float64{0, 0.5, 0.95, 0.99} {
			want := milliseconds(time.Duration(q*1000) * unit)
			got := h.quantile(q)
			if math.Abs(got-want) > want*0.02+0.001 {
				t.Errorf("quantile %v of 0 to 999 × %v = %v ms, want %v", q, unit, got, want)
			}
		}
		if got, want := h.max(), milliseconds(999*unit); got != want {
			t.Errorf("max = %v ms, want %v", got, want)
		}
		if got := h.quantile(1); got != h.max() {
			t.Errorf("quantile 1 = %v ms, want max, %v", got, h.max())
		}
	}
}

func TestBucketsFollowEachOther(t *testing.T) {
	t.Parallel()
	last := -1
	for shift := range 54 {
		for _, v := range []uint64{1<<shift - 1, 1 << shift, 1<<shift + 1<<shift/2} {
			i := bucket(v)
			if i < last || i >= len(new(histogram).buckets) {
				t.Fatalf("bucket(%d) = %d, after %d", v, i, last)
			}
			last = i
			if m := middle(i); math.Abs(m-float64(v)) > float64(v)/subBuckets+0.5 {
				t.Errorf("middle of the bucket of %d is %v", v, m)
			}
		}
	}
}

func TestAnEmptyHistogramIsZero(t *testing.T) {
	t.Parallel()
	var h histogram
	if h.quantile(0.5) != 0 || h.max() != 0 || h.count() != 0 {
		t.Errorf("quantile %v, max %v, count %d, want zeros", h.quantile(0.5), h.max(), h.count())
	}
	h.add(-time.Second) // clocks may differ
	if h.quantile(0.5) != 0 || h.count() != 1 {
		t.Errorf("after a negative one: quantile %v, count %d", h.quantile(0.5), h.count())
	}
}
