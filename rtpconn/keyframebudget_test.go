package rtpconn

import (
	"testing"
	"time"

	"galene/conn"
	"galene/rtptime"
)

// newTrackOf returns a down track of an owner, at an engine that does nothing.
func newTrackOf(tb testing.TB, e *Engine, owner Owner, source conn.UpTrack) *downTrack {
	tb.Helper()
	down := newBareDown(tb)
	down.engine, down.owner = e, owner
	d := newDownTrack(down, conn.Selection{Track: source}, downFormat(source))
	d.bind(discardEgress{}, 1234, d.format.PayloadType)
	return d
}

// Switching video off and on is a client's right, but not at the expense of all others.
func TestClientThatKeepsJoiningCausesFewKeyframes(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp8")
	source.gop = false
	e := &Engine{ticker: newTicker()}
	greedy, modest := Owner{"group", "greedy"}, Owner{"group", "modest"}
	var last *downTrack
	for range 20 {
		if last != nil {
			remove(last.close())
		}
		last = newTrackOf(t, e, greedy, source)
		last.attach()
	}
	if got := source.asked(); got != clientKeyframes {
		t.Errorf("joining 20 times causes %d requests, want %d", got, clientKeyframes)
	}
	newTrackOf(t, e, modest, source).attach()
	newTrackOf(t, e, greedy, newFakeTrack(t, "vp8")).attach()
	if got := source.asked(); got != clientKeyframes+1 {
		t.Errorf("another client and another track come to %d requests, want %d", got, clientKeyframes+1)
	}

	last.requestOwed(rtptime.Now())
	if got := source.asked(); got != clientKeyframes+1 {
		t.Errorf("what is owed is asked for before its time: %d requests", got)
	}
	later := rtptime.Now().Add(clientKeyframeWindow)
	last.requestOwed(later)
	last.requestOwed(later)
	if got := source.asked(); got != clientKeyframes+2 {
		t.Errorf("with what is owed, %d requests, want %d", got, clientKeyframes+2)
	}
}

func TestKeyframeThatIsOwedIsForgottenOnceItHasCome(t *testing.T) {
	t.Parallel()
	source := newFakeTrack(t, "vp8")
	source.gop = false
	e := &Engine{ticker: newTicker()}
	d := newTrackOf(t, e, Owner{"group", "client"}, source)
	for range clientKeyframes {
		e.keyframes.allow(d.down, source, rtptime.Now())
	}
	d.attach()
	source.deliver(source.packet(100, 1, true))
	d.requestOwed(rtptime.Now().Add(time.Minute))
	if got := source.asked(); got != 0 {
		t.Errorf("%d requests for a keyframe that has come", got)
	}
}

func TestKeyframeBudgetsForgetWhoIsGone(t *testing.T) {
	t.Parallel()
	var b keyframeBudgets
	track := newFakeTrack(t, "vp8")
	for range 100 {
		b.allow(&Down{}, track, epoch)
	}
	if len(b.spent) != 100 {
		t.Fatalf("%d connections without owners are taken for 100", len(b.spent))
	}
	b.allow(&Down{}, track, epoch.Add(clientKeyframeWindow))
	if len(b.spent) != 1 {
		t.Errorf("%d budgets are kept, want one", len(b.spent))
	}
}
