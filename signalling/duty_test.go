package signalling

import (
	"sync"
	"sync/atomic"
	"testing"
)

// Whatever was there before a call is seen by the work, which is never done
// twice at the same time.
func TestDutyMissesNothingAndIsDoneByOne(t *testing.T) {
	t.Parallel()
	const callers, each = 8, 2000
	var posted, seen atomic.Int64
	var inside atomic.Int32
	d := newDuty()
	d.do = func() bool {
		if inside.Add(1) != 1 {
			t.Error("the work is done twice at the same time")
		}
		defer inside.Add(-1)
		seen.Store(posted.Load())
		return seen.Load() < callers*each
	}
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				posted.Add(1)
				d.call()
			}
		})
	}
	wg.Wait()
	<-d.done
	if got := seen.Load(); got != callers*each {
		t.Errorf("seen %d, want %d", got, callers*each)
	}
	d.call() // does nothing
	if s := d.state.Load(); s != dutyOver {
		t.Errorf("state = %d after the end, want %d", s, dutyOver)
	}
}
