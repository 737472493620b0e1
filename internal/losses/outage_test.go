package losses

import (
	"testing"
	"time"

	"galene/internal/testkit"
)

// Nothing gets through either leg for two seconds. Requests for what was lost do not pile up, and
// media goes on afterwards.
func TestOutageEndsWithoutStorm(t *testing.T) {
	t.Parallel()
	const outage = 2 * time.Second
	c := cell{legs: both, roundTrip: 100 * time.Millisecond, outage: outage}
	results, err := c.run(t, newEngine(t), 2000, 8*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.busy {
			t.Skipf("the machine is too busy: it did nothing for %v", r.stalled)
		}
		lost := int(outage / r.codec.FrameDuration())
		if r.codec != testkit.Opus {
			lost *= framePackets
		}
		t.Logf("%v: about %d packets were lost on each leg; the server asked for %d and for %d keyframes, "+
			"%d and %d were resent; %v without a frame", r.codec, lost, r.askedPackets, r.askedKeyframes,
			r.resentUp, r.resentDown, r.longest)
		if limit := outage + 2*time.Second + r.stalled; r.longest > limit {
			t.Errorf("%v: no frame for %v, want %v at most", r.codec, r.longest, limit)
		}
		// What was under way when the network failed was lost too.
		if limit := 2*lost + 50; r.resentUp > limit || r.resentDown > limit {
			t.Errorf("%v: %d packets were resent to the server and %d by it, want %d at most",
				r.codec, r.resentUp, r.resentDown, limit)
		}
		if limit := int64(4*lost + 50); r.askedPackets > limit {
			t.Errorf("%v: the server asked for %d packets, want %d at most", r.codec, r.askedPackets, limit)
		}
		if r.askedKeyframes > 6 {
			t.Errorf("%v: the server asked for %d keyframes", r.codec, r.askedKeyframes)
		}
		if r.damaged != 0 {
			t.Errorf("%v: %d packets were damaged", r.codec, r.damaged)
		}
	}
}
