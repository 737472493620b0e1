package layers

import (
	"testing"
	"time"

	"galene/rtptime"
)

// step is one call of Choose, after a time.
type step struct {
	after   time.Duration
	allowed uint64
	want    int
}

func TestChooser(t *testing.T) {
	t.Parallel()
	all := []Rung{{100, true}, {500, true}, {2000, true}}
	second := time.Second
	tests := []struct {
		name  string
		rungs []Rung
		from  int
		steps []step
	}{
		{"what fits is kept", all, 2, []step{{0, 2000, 2}, {second, 2000, 2}}},
		{"down at once to what fits", all, 2, []step{{0, 1999, 1}}},
		{"down by two steps at once", all, 2, []step{{0, 499, 0}}},
		{"the lowest is kept", all, 2, []step{{0, 10, 0}, {second, 10, 0}}},
		{"up after a pause, step by step", all, 0, []step{
			{0, 1 << 30, 0},
			{2900 * time.Millisecond, 1 << 30, 0},
			{100 * time.Millisecond, 1 << 30, 1},
			{0, 1 << 30, 1},
			{2900 * time.Millisecond, 1 << 30, 1},
			{200 * time.Millisecond, 1 << 30, 2},
		}},
		{"not up without headroom", all, 1, []step{{0, 2200, 1}, {9 * second, 2200, 1}}},
		{"not up unless it has fitted for a while", all, 1, []step{
			{0, 100_000, 1},
			{5 * second, 2200, 1},
			{second, 100_000, 1},
			{1400 * time.Millisecond, 100_000, 1},
			{200 * time.Millisecond, 100_000, 2},
		}},
		{"a step up that fails is not tried again so soon", all, 1, []step{
			{0, 100_000, 1},
			{3 * second, 100_000, 2},
			{second, 1000, 1},
			{0, 100_000, 1},
			{5900 * time.Millisecond, 100_000, 1},
			{200 * time.Millisecond, 100_000, 2},
			{second, 1000, 1},
			{0, 100_000, 1},
			{11900 * time.Millisecond, 100_000, 1},
			{200 * time.Millisecond, 100_000, 2},
			// That one is good, and going down later is no failure.
			{13 * second, 100_000, 2},
			{0, 1000, 1},
			{0, 100_000, 1},
			{2900 * time.Millisecond, 100_000, 1},
			{200 * time.Millisecond, 100_000, 2},
		}},
		{"what stops is given up after two seconds", []Rung{{100, true}, {500, true}, {0, false}}, 2, []step{
			{0, 1 << 30, 2}, {1900 * time.Millisecond, 1 << 30, 2}, {200 * time.Millisecond, 1 << 30, 1},
		}},
		{"for what is above if there is nothing below", []Rung{{0, false}, {500, true}}, 0, []step{
			{0, 1 << 30, 0}, {2100 * time.Millisecond, 1 << 30, 1},
		}},
		{"or kept if there is nothing else", []Rung{{0, false}, {0, false}}, 1, []step{{0, 1, 1}, {9 * second, 1, 1}}},
		{"what is not sent is passed over", []Rung{{100, true}, {0, false}, {300, true}}, 0, []step{
			{0, 1 << 30, 0}, {4 * second, 1 << 30, 2}, {0, 200, 0},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var c Chooser
			now := rtptime.Instant(1e12)
			present := tt.from
			for i, s := range tt.steps {
				now = now.Add(s.after)
				present = c.Choose(tt.rungs, present, s.allowed, now)
				if present != s.want {
					t.Fatalf("step %d: rung %d, want %d", i, present, s.want)
				}
			}
		})
	}
}

// However long a subscriber's allowance keeps failing, it is tried no more often than
// twice a minute in the end.
func TestStepsUpThatKeepFailingBecomeRare(t *testing.T) {
	t.Parallel()
	var c Chooser
	rungs := []Rung{{100, true}, {500, true}}
	now, present, climbs := rtptime.Instant(1e12), 0, 0
	for range 600 {
		now = now.Add(500 * time.Millisecond)
		allowed := uint64(1000)
		if present == 1 {
			allowed = 300
		}
		next := c.Choose(rungs, present, allowed, now)
		if next > present {
			climbs++
		}
		present = next
	}
	if climbs < 5 || climbs > 16 {
		t.Errorf("%d steps up in five minutes, want few", climbs)
	}
}
