package rtpconn

import (
	"testing"
	"time"
)

// settle publishes keyframes until the subscriber is live and has received the last of
// them. What follows has no excuse: there is nothing left to catch up with, for
// which a burst would be too fast, and the client's stack, which may lose
// packets while it finds out whose a new source is, has done so.
func (s *stream) settle(sub *testSubscriber) *remoteTrack {
	s.tb.Helper()
	return sub.settle(func() (last uint32) {
		s.write(1, true)
		return s.next - 1
	})
}

// settle does so with what writes one keyframe, and returns its number.
func (s *testSubscriber) settle(write func() (last uint32)) *remoteTrack {
	s.tb.Helper()
	var remote *remoteTrack
	eventually(s.tb, "the subscriber has caught up", func() bool {
		last := write()
		if remote == nil {
			select {
			case remote = <-s.tracks:
			case <-time.After(20 * time.Millisecond):
				return false
			}
		}
		return receives(remote, last) && allLive(s.down)
	})
	return remote
}

// receives takes packets until that numbered last, and reports whether it came soon.
func receives(remote *remoteTrack, last uint32) bool {
	for {
		select {
		case p := <-remote.packets:
			if number(p.Payload) == last {
				return true
			}
		case <-time.After(100 * time.Millisecond):
			return false
		}
	}
}

// allLive tells whether nothing that is sent is still catching up.
func allLive(d *Down) bool {
	for _, t := range d.sending() {
		t.mu.Lock()
		state := t.state
		t.mu.Unlock()
		if state != live {
			return false
		}
	}
	return true
}

func TestSettledSubscriberReceivesEverything(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 0)
	sub := newTestSubscriber(t, e, s.testPublisher.up)
	sub.connect(s.testPublisher.up.Tracks()...)
	remote := s.settle(sub)
	first := s.next
	s.write(1, true)
	s.write(40, false)
	for n := first; n < s.next; n++ {
		if got := number(within(t, "packet", remote.packets).Payload); got != n {
			t.Fatalf("packet %d came, want %d", got, n)
		}
	}
}
