package signalling

import "time"

// throttle is a token bucket that bounds how many messages are read from a
// client per second. It belongs to one goroutine.
type throttle struct {
	limits Limits

	tokens float64
	last   time.Time // of the latest call
	since  time.Time // when the bucket ran dry; zero if it has recovered since
}

func newThrottle(l Limits, now time.Time) *throttle {
	return &throttle{limits: l, tokens: float64(l.MessageBurst), last: now}
}

// take accounts for something that counts as so many messages and bytes, and has
// arrived now, and says how long it must wait. flood tells that the client has sent more than it may
// for too long.
func (t *throttle) take(now time.Time, messages, bytes int) (wait time.Duration, flood bool) {
	rate := float64(t.limits.MessageRate)
	burst := float64(t.limits.MessageBurst)
	t.tokens = min(burst, t.tokens+now.Sub(t.last).Seconds()*rate)
	t.last = now
	if t.tokens > burst/2 {
		t.since = time.Time{}
	}
	t.tokens -= float64(messages + bytes/costUnit)
	if t.tokens >= 0 {
		return 0, false
	}
	if t.since.IsZero() {
		t.since = now
	}
	wait = time.Duration(-t.tokens / rate * float64(time.Second))
	return wait, now.Sub(t.since) > t.limits.FloodTime
}
