package rtpconn

import "testing"

func TestRepeatedOfferMayBeAnsweredTwice(t *testing.T) {
	t.Parallel()
	var n negotiation
	answer := func(want bool) {
		t.Helper()
		if second := n.isSecond(); second != want {
			t.Fatalf("taken for a second answer: %v, want %v", second, want)
		}
		if !want {
			n.answer()
		}
	}
	n.offer(false, epoch)
	answer(false)
	n.offer(false, epoch)
	n.check(epoch.Add(negotiationTimeout))
	n.offer(true, epoch.Add(negotiationTimeout)) // again
	answer(false)
	n.offer(false, epoch) // another one, before the second answer has come
	answer(true)
	answer(false)
	if n.state != stable {
		t.Errorf("state %d in the end", n.state)
	}
	n.offer(false, epoch)
	answer(false)
}

func TestSlowSubscriberMayAnswerBothOffers(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 0)
	sub := newTestSubscriber(t, e, s.testPublisher.up)
	sub.selectAll(s.up)
	first := sub.offer(false)
	sub.down.mu.Lock()
	sub.down.negotiation.deadline = 1
	sub.down.mu.Unlock()
	within(t, "wish for another offer", sub.renegotiate)
	second := sub.offer(true)
	for i, offer := range []string{first, second} {
		if sub.answer(offer) {
			t.Errorf("answer %d is to be followed by another offer", i)
		}
	}
	within(t, "connection of the subscriber", sub.connected)
	sub.selectAll()
	sub.negotiate(false)
}
