package signalling

import (
	"testing"
	"time"
)

func testLimits() Limits {
	return Limits{MessageBurst: 10, MessageRate: 5, FloodTime: 3 * time.Second}.withDefaults()
}

func TestThrottleLetsABurstPassAndThenPaces(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	r := newThrottle(testLimits(), now)
	for i := range 10 {
		if wait, flood := r.take(now, 1, 100); wait != 0 || flood {
			t.Fatalf("message %d of the burst: take() = %v, %v, want 0, false", i, wait, flood)
		}
	}
	wait, flood := r.take(now, 1, 100)
	if want := time.Second / 5; wait != want || flood {
		t.Errorf("message after the burst: take() = %v, %v, want %v, false", wait, flood, want)
	}
	now = now.Add(time.Minute)
	if wait, _ := r.take(now, 1, 100); wait != 0 {
		t.Errorf("after a minute of silence: take() waits %v, want 0", wait)
	}
}

func TestThrottleCountsLongMessagesSeveralTimes(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	r := newThrottle(testLimits(), now)
	if wait, _ := r.take(now, 1, 9*costUnit); wait != 0 {
		t.Errorf("a message of ten units waits %v, want 0", wait)
	}
	if wait, _ := r.take(now, 1, 0); wait == 0 {
		t.Error("the message behind it waits 0, want more")
	}
}

func TestThrottleCallsItAFloodWhenItNeverEnds(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	r := newThrottle(testLimits(), now)
	flooded := time.Duration(0)
	for elapsed := time.Duration(0); elapsed < 10*time.Second && flooded == 0; {
		wait, flood := r.take(now, 1, 0)
		if flood {
			flooded = elapsed
		}
		now = now.Add(wait)
		elapsed += wait
	}
	if flooded < 3*time.Second || flooded > 4*time.Second {
		t.Errorf("flood after %v of sending as fast as possible, want 3 s", flooded)
	}

	r = newThrottle(testLimits(), now)
	for range 300 {
		now = now.Add(300 * time.Millisecond)
		if _, flood := r.take(now, 1, 0); flood {
			t.Fatal("flood although the client stays below the rate")
		}
	}
}
