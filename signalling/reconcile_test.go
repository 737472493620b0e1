package signalling

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"galene/group"
	"galene/mailbox"
	"galene/rtpconn"
)

// publishing returns a publisher and a subscriber of the stream s, which the
// subscriber receives.
func publishing(b *bench) (publisher, subscriber *client) {
	b.t.Helper()
	publisher = b.joined("a", "test", "anna", "x")
	subscriber = b.joined("c", "test", "carl", "")
	subscriber.send(`{"type":"request","request":{"":["audio","video"]}}`)
	publisher.send(`{"type":"offer","id":"s","sdp":"audio"}`)
	publisher.expect(`{"type":"answer","id":"s","sdp":"answer to audio"}`)
	subscriber.expect(`{"type":"offer","id":"s","source":"a","username":"anna","sdp":"audio"}`)
	subscriber.send(`{"type":"answer","id":"s","sdp":"ok"}`)
	return publisher, subscriber
}

// arrange changes a connection of the subscriber's.
func (b *bench) arrange(id string, change func(d *fakeDown)) {
	b.t.Helper()
	d := b.downOf(id)
	b.engine.mu.Lock()
	defer b.engine.mu.Unlock()
	change(d)
}

func TestChangeOfCodecTakesAnotherConnection(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		_, c := publishing(b)
		b.arrange("s", func(d *fakeDown) { d.failSelect = rtpconn.ErrCodecChanged })
		b.play("a stream s has audio2")
		c.expect(`{"type":"close","id":"s"}`)
		c.expect(`{"type":"offer","id":"s","source":"a","username":"anna","sdp":"audio2"}`)
		c.send(`{"type":"answer","id":"s","sdp":"ok"}`)

		// It may be noticed when an offer is made.
		b.arrange("s", func(d *fakeDown) { d.failOffer = rtpconn.ErrCodecChanged })
		b.arrange("s", func(d *fakeDown) { d.failSelect = rtpconn.ErrCodecChanged })
		c.send(`{"type":"renegotiate","id":"s"}`)
		c.expect(`{"type":"close","id":"s"}`)
		c.expect(`{"type":"offer","id":"s","source":"a","username":"anna","sdp":"audio2"}`)
	})
}

func TestStreamThatCannotBeOfferedAgainEnds(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		_, c := publishing(b)
		b.arrange("s", func(d *fakeDown) { d.failOffer = errors.New("asked for by a test") })
		c.send(`{"type":"renegotiate","id":"s"}`)
		c.expect(`{"type":"close","id":"s"}`)
		c.expectNothing()
	})
}

func TestLongAnswerEndsTheStream(t *testing.T) {
	t.Parallel()
	withLimits(t, Limits{SDPBytes: 10}, open, func(b *bench) {
		_, c := publishing(b)
		c.send(`{"type":"answer","id":"s","sdp":"01234567890"}`)
		c.expect(`{"type":"close","id":"s"}`)
		c.expectError("session description is too long")
	})
}

func TestBadAnswersCannotFillTheLog(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		_, c := publishing(b)
		for range 3 * maxBadAnswers {
			c.send(`{"type":"answer","id":"s","sdp":"bad"}`)
			c.expect(`{"type":"close","id":"s"}`)
			c.expectError("bad answer")
			c.send(`{"type":"request","request":{"":["audio"]}}`)
			c.expect(`{"type":"offer","id":"s","source":"a","username":"anna","sdp":"audio"}`)
		}
		if got := strings.Count(b.journal.String(), "answer refused"); got != maxBadAnswers {
			t.Errorf("%d of %d refused answers were logged, want %d", got, 3*maxBadAnswers, maxBadAnswers)
		}
	})
}

func TestWhoCannotSeeAStreamStillHearsIt(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		p := b.joined("a", "test", "anna", "x")
		c := b.joined("c", "test", "carl", "")
		c.send(`{"type":"request","request":{"":["audio","video-low"]}}`)
		p.send(`{"type":"offer","id":"s","sdp":"audio video"}`)
		p.expect(`{"type":"answer","id":"s","sdp":"answer to audio video"}`)
		c.expect(`{"type":"offer","id":"s","source":"a","username":"anna","sdp":"audio video/low"}`)
		c.send(`{"type":"answer","id":"s","sdp":"no video"}`)
		c.expect(`{"type":"close","id":"s"}`)
		c.expectError("blind")
		c.expect(`{"type":"offer","id":"s","source":"a","username":"anna","sdp":"audio"}`)

		// Asked for again, it is tried again; who gets nothing is offered nothing.
		c.send(`{"type":"requestStream","id":"s","request":["video"]}`)
		c.send(`{"type":"answer","id":"s","sdp":"ok"}`)
		c.expect(`{"type":"offer","id":"s","source":"a","username":"anna","sdp":"video"}`)
		c.send(`{"type":"answer","id":"s","sdp":"no video"}`)
		c.expect(`{"type":"close","id":"s"}`)
		c.expectError("blind")
		c.expectNothing()
	})
}

// member returns a session that is in a group of which the test tells it.
func memberSession(b *bench) *session {
	s := newSession(context.Background(), b.server, b.server.limits(), newMemoryPipe(), "")
	s.id, s.state = "me", member
	s.group = &membership{
		mailbox:  mailbox.New[*group.Event](2),
		requests: map[string]wish{"": wishAudio},
		streams:  make(map[string]*remoteStream),
	}
	return s
}

// sent takes the messages that a session without a writer has queued.
func (s *session) sent() string {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	all := ""
	for _, frame := range s.out.queue {
		all += string(frame) + "\n"
	}
	s.out.queue = nil
	return all
}

func TestReplacementsThatFollowEachOtherAreOneForTheSubscriber(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		s := memberSession(b)
		publish := func(id, replaces string) {
			up := &fakeUp{engine: b.engine, closed: true, config: rtpconn.UpConfig{ID: id}}
			if _, err := up.Offer("audio"); err != nil {
				b.t.Fatal(err)
			}
			s.streamPublished(s.group, &group.Stream{Publisher: "p", ID: id, Replaces: replaces, Up: up})
		}
		settle := func() {
			for len(s.group.dirty) > 0 {
				s.reconcileNext()
			}
		}
		publish("one", "")
		settle()
		publish("two", "one") // and before anybody could be told of it
		publish("three", "two")
		settle()
		publish("four", "none") // replaces nothing that there is
		settle()
		want := `{"type":"offer","id":"one","source":"p","username":"","sdp":"audio"}
{"type":"offer","id":"three","replace":"one","source":"p","username":"","sdp":"audio"}
{"type":"offer","id":"four","source":"p","username":"","sdp":"audio"}
`
		if got := s.sent(); got != want {
			b.t.Errorf("got\n%vwant\n%v", got, want)
		}

		// Published and withdrawn at once, it was never there.
		publish("five", "four")
		s.streamWithdrawn(s.group, &group.Stream{Publisher: "p", ID: "five"})
		settle()
		if got, want := s.sent(), `{"type":"close","id":"four"}`+"\n"; got != want {
			b.t.Errorf("got\n%vwant\n%v", got, want)
		}
		// Nobody ends another's stream.
		s.streamWithdrawn(s.group, &group.Stream{Publisher: "q", ID: "three"})
		if got := s.sent(); got != "" {
			b.t.Errorf("got\n%vwant nothing", got)
		}
		for _, r := range s.group.streams {
			s.forgetDowns(r)
		}
		s.closing.Wait()
	})
}

func TestStreamIDThatPassesToAnotherPublisherStartsAnew(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		s := memberSession(b)
		nothing := wish(0)
		for _, publisher := range []string{"p", "q"} {
			up := &fakeUp{engine: b.engine, closed: true, config: rtpconn.UpConfig{ID: "s"}}
			if _, err := up.Offer("audio"); err != nil {
				b.t.Fatal(err)
			}
			s.streamPublished(s.group, &group.Stream{Publisher: publisher, ID: "s", Up: up})
			s.reconcileNext()
			s.group.streams["s"].override = &nothing
		}
		want := `{"type":"offer","id":"s","source":"p","username":"","sdp":"audio"}
{"type":"close","id":"s"}
{"type":"offer","id":"s","source":"q","username":"","sdp":"audio"}
`
		if got := s.sent(); got != want {
			b.t.Errorf("got\n%vwant\n%v", got, want)
		}
		s.forgetDowns(s.group.streams["s"])
		s.closing.Wait()
	})
}

func TestLostEventsEndTheSession(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		s := memberSession(b)
		for range 3 { // there is room for two
			s.group.mailbox.Post(group.NewEvent(nil, relayed{&Message{Type: typePong}}))
		}
		s.drain()
		if !errors.Is(s.end, errDropped) {
			b.t.Errorf("group events: end = %v, want %v", s.end, errDropped)
		}

		s = memberSession(b)
		s.media = mailbox.New[mediaEvent](2)
		for range 3 {
			s.media.Post(mediaEvent{})
		}
		s.drain()
		if !errors.Is(s.end, errDropped) {
			b.t.Errorf("media events: end = %v, want %v", s.end, errDropped)
		}
	})
}

func TestEventsOfAnotherGroupAreDropped(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		c := b.joined("a", "test", "anna", "x")
		var s *session
		for running := range b.server.sessions {
			s = running
		}
		synctest.Wait()
		s.group.mailbox.Post(group.NewEvent(nil, group.MemberLeft{ID: "x"}))
		c.send(`{"type":"ping"}`)
		c.expect(`{"type":"pong"}`)
	})
}

func TestConnectionsBelongToTheClientsTheyServe(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		a, c := b.joined("a", "test", "anna", "x"), b.joined("c", "test", "carl", "")
		b.greeted("outside")
		if got := b.server.Sessions(); got != 3 {
			b.t.Errorf("%d sessions, want 3", got)
		}
		c.send(`{"type":"request","request":{"":["video"]}}`)
		a.send(`{"type":"offer","id":"s","label":"camera","source":"a","username":"anna","sdp":"video"}`)
		c.forget()
		b.engine.mu.Lock()
		defer b.engine.mu.Unlock()
		if len(b.engine.ups) != 1 || len(b.engine.downs) != 1 {
			b.t.Fatalf("%d up and %d down connections, want one each", len(b.engine.ups), len(b.engine.downs))
		}
		if got, want := b.engine.ups[0].config.Owner, (rtpconn.Owner{Group: "test", Client: "a"}); got != want {
			b.t.Errorf("the up connection belongs to %v, want %v", got, want)
		}
		if got, want := b.engine.downs[0].config.Owner, (rtpconn.Owner{Group: "test", Client: "c"}); got != want {
			b.t.Errorf("the down connection belongs to %v, want %v", got, want)
		}
	})
}
