package loadtest

import (
	"math/bits"
	"sync"
	"time"
)

// subBuckets is into how many buckets each power of two is divided: an error of 1.6 %.
const subBuckets = 64

// histogram counts durations in buckets that grow with them, so that it takes the same room however many there are. It
// keeps the longest exactly. The zero value is empty; any goroutine may use it.
type histogram struct {
	mu      sync.Mutex // guards the fields below
	buckets [(64 - 6) * subBuckets]uint64
	samples uint64
	longest time.Duration
}

// bucket returns the index of the bucket of v microseconds.
func bucket(v uint64) int {
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - 7 // leaves 64 to 127
	return (shift+1)*subBuckets + int(v>>shift) - subBuckets
}

// middle returns the middle of bucket i in microseconds.
func middle(i int) float64 {
	if i < subBuckets {
		return float64(i) + 0.5
	}
	shift := i/subBuckets - 1
	low := uint64(i%subBuckets+subBuckets) << shift
	return float64(low) + float64(uint64(1)<<shift)/2
}

// add counts d, which counts as 0 if it is negative.
func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.buckets[bucket(uint64(d/time.Microsecond))]++
	h.samples++
	h.longest = max(h.longest, d)
}

// count is how many durations were added.
func (h *histogram) count() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.samples
}

// quantile returns the duration, in milliseconds, that the part q of all do not exceed; 0 if there are none.
func (h *histogram) quantile(q float64) float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	rank := uint64(q * float64(h.samples))
	longest := milliseconds(h.longest)
	for i, n := range h.buckets {
		if n > rank {
			return min(round(middle(i)/1000), longest)
		}
		rank -= n
	}
	return longest
}

// max returns the longest duration in milliseconds; 0 if there is none.
func (h *histogram) max() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return milliseconds(h.longest)
}
