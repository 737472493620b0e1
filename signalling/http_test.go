package signalling

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"galene/group"
	"galene/mailbox"
	"galene/rtpconn"
)

// publication is a WHIP offer by somebody without password.
func publication(sdp string) HTTPOffer {
	name := "whip"
	return HTTPOffer{
		Group: "test", Credentials: group.Credentials{Username: &name},
		SDP:     sdp + "\r\na=ice-ufrag:" + clientUfrag + "\r\na=ice-pwd:" + clientPassword + "\r\n",
		Address: "192.0.2.7:5",
	}
}

// withHTTP runs f on a server that is shut down afterwards.
func withHTTP(t *testing.T, l Limits, groups map[string]string, f func(b *bench)) {
	t.Helper()
	withLimits(t, l, groups, func(b *bench) {
		defer b.server.Shutdown(context.WithoutCancel(b.ctx))
		f(b)
	})
}

func (b *bench) published(o HTTPOffer) *HTTPSession {
	b.t.Helper()
	h, _, err := b.server.Publish(b.t.Context(), o)
	if err != nil {
		b.t.Fatalf("Publish: %v", err)
	}
	return h
}

// established makes the latest up connection stand.
func (e *fakeEngine) establish() *fakeUp {
	e.mu.Lock()
	defer e.mu.Unlock()
	up := e.ups[len(e.ups)-1]
	up.established = true
	return up
}

// over tells whether the session has ended and left nothing behind.
func (b *bench) expectOver(h *HTTPSession) {
	b.t.Helper()
	synctest.Wait()
	select {
	case <-h.done:
	default:
		b.t.Fatal("the session goes on, want it to be over")
	}
	if ups, downs := b.engine.open(); ups+downs != 0 {
		b.t.Errorf("%d up and %d down connections are open", ups, downs)
	}
	if _, ok := b.server.HTTPSession(h.kind, h.group, h.key); ok {
		b.t.Error("the session is still found")
	}
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	if s := &b.server.http; len(s.all)+len(s.byKey)+len(s.groups)+len(s.sources) != 0 {
		b.t.Errorf("the server keeps %+v", s)
	}
}

func (b *bench) expectOpen(h *HTTPSession) {
	b.t.Helper()
	synctest.Wait()
	if found, ok := b.server.HTTPSession(h.kind, h.group, h.key); !ok || found != h {
		b.t.Fatal("the session is over, want it to go on")
	}
}

// connectWait is how long a session may take until its connection stands.
const connectWait = 20 * time.Second

func anyTag(string) bool { return true }

func TestWHIPSessionIsAMemberWithAStream(t *testing.T) {
	t.Parallel()
	withHTTP(t, Limits{}, open, func(b *bench) {
		a := b.joined("a", "test", "anna", "x")
		a.send(`{"type":"request","request":{"":["audio"]}}`)
		h := b.published(publication("audio"))
		a.expect(`{"type":"user","kind":"add","id":"` + h.ID() + `","username":"whip","permissions":["present","message"]}`)
		a.expect(`{"type":"offer","id":"` + h.ID() + `","source":"` + h.ID() + `","username":"whip","sdp":"audio"}`)
		if strings.Contains(h.ID(), h.Key()) || len(h.Key()) != 22 || h.ID() == h.Key() {
			b.t.Errorf("the key is %q and the member %q", h.Key(), h.ID())
		}
		a.send(`{"type":"useraction","kind":"identify","dest":%q}`, h.ID())
		a.expect(`{"type":"usermessage","kind":"userinfo","dest":"a","privileged":true,
			"value":{"id":"` + h.ID() + `","username":"whip","address":"192.0.2.7:5"}}`)
		if err := h.End(anyTag); err != nil {
			b.t.Errorf("End: %v", err)
		}
		a.expect(`{"type":"close","id":"` + h.ID() + `"}`)
		a.expect(`{"type":"user","kind":"delete","id":"` + h.ID() + `","username":"whip"}`)
		synctest.Wait()
		if err := h.End(anyTag); !errors.Is(err, ErrSessionOver) {
			b.t.Errorf("End of a session that is over = %v, want ErrSessionOver", err)
		}
		if _, _, err := h.Patch(b.t.Context(), anyTag, ""); !errors.Is(err, ErrSessionOver) {
			b.t.Errorf("Patch of a session that is over = %v, want ErrSessionOver", err)
		}
	})
}

func TestWHIPSessionEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		do   func(b *bench, h *HTTPSession, up *fakeUp)
	}{
		{"when it is ended", func(_ *bench, h *HTTPSession, _ *fakeUp) { _ = h.End(anyTag) }},
		{"when it is kicked", func(b *bench, h *HTTPSession, _ *fakeUp) {
			if err := h.member.Group().Kick(h.ID(), group.Kicker{}, ""); err != nil {
				b.t.Error(err)
			}
		}},
		{"when ICE fails", func(_ *bench, _ *HTTPSession, up *fakeUp) { up.config.Events.Failed() }},
		{"when the connection breaks", func(_ *bench, _ *HTTPSession, up *fakeUp) { up.config.Events.Broken(errors.New("x")) }},
		{"when it may not publish any more", func(_ *bench, h *HTTPSession, _ *fakeUp) {
			h.mailbox.Post(group.NewEvent(h.member.Group(), group.PermissionsChanged{}))
		}},
		{"when the server ends", func(b *bench, _ *HTTPSession, _ *fakeUp) { b.server.Shutdown(b.t.Context()) }},
		{"when all members are kicked", func(b *bench, _ *HTTPSession, _ *fakeUp) { b.server.registry.Shutdown("bye") }},
		{"when a handler panics", func(b *bench, h *HTTPSession, _ *fakeUp) {
			b.panics = true
			h.mailbox.Post(nil)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			withHTTP(t, Limits{}, open, func(b *bench) {
				h := b.published(publication("audio"))
				up := b.engine.establish()
				time.Sleep(time.Hour)
				b.expectOpen(h)
				tt.do(b, h, up)
				b.expectOver(h)
				if members := h.member.Group().Members(); len(members) != 0 {
					b.t.Errorf("members are left: %+v", members)
				}
			})
		})
	}
}

func TestSessionEndsIfEventsAreLost(t *testing.T) {
	t.Parallel()
	h := &HTTPSession{
		mailbox: mailbox.New[*group.Event](1), media: mailbox.New[mediaNews](1), role: &viewer{},
	}
	for range 2 {
		h.mailbox.Post(group.NewEvent(nil, group.MemberLeft{}))
		h.media.Post(tracksChanged)
	}
	if err := h.drainGroup(); !errors.Is(err, errDropped) {
		t.Errorf("events of the group: %v, want %v", err, errDropped)
	}
	if err := h.drainMedia(); !errors.Is(err, errDropped) {
		t.Errorf("events of the connection: %v, want %v", err, errDropped)
	}
}

func TestSessionThatNeverConnectsEndsInTime(t *testing.T) {
	t.Parallel()
	withHTTP(t, Limits{}, open, func(b *bench) {
		h := b.published(publication("audio"))
		time.Sleep(connectWait - time.Millisecond)
		b.expectOpen(h)
		time.Sleep(time.Millisecond)
		b.expectOver(h)
	})
}

func TestSessionThatHasConnectedOutlivesADisconnection(t *testing.T) {
	t.Parallel()
	withHTTP(t, Limits{}, open, func(b *bench) {
		h := b.published(publication("audio"))
		up := b.engine.establish()
		time.Sleep(2 * connectLook)
		b.engine.mu.Lock()
		up.established = false // ICE starts anew
		b.engine.mu.Unlock()
		time.Sleep(2 * connectWait)
		b.expectOpen(h)
	})
}

func TestRefusedOffersLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	groups := map[string]string{
		"test":   open["test"],
		"closed": `{}`,
		"quiet":  `{"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "observe"}}`,
		"moved":  `{"redirect": "https://example.org/group/moved/", "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}`,
	}
	withHTTP(t, Limits{}, groups, func(b *bench) {
		offer := func(group, sdp string) HTTPOffer {
			o := publication(sdp)
			o.Group = group
			return o
		}
		cancelled, cancel := context.WithCancel(b.t.Context())
		cancel()
		for _, tt := range []struct {
			name  string
			ctx   context.Context
			offer HTTPOffer
			right func(error) bool
		}{
			{"bad description", b.t.Context(), offer("test", "bad"), isA[*rtpconn.NegotiationError]},
			{"a fault of ours", b.t.Context(), offer("test", "broken"), func(err error) bool { return err.Error() == "secret" }},
			{"bad credentials", b.t.Context(), offer("closed", "audio"), func(err error) bool { return errors.Is(err, group.ErrUnauthorised) }},
			{"no permission", b.t.Context(), offer("quiet", "audio"), func(err error) bool { return errors.Is(err, group.ErrNotPermitted) }},
			{"no group", b.t.Context(), offer("none", "audio"), func(err error) bool { return errors.Is(err, group.ErrNotFound) }},
			{"a group that has moved", b.t.Context(), offer("moved", "audio"), isA[*group.JoinError]},
			{"a client that has gone", cancelled, offer("test", "audio"), func(err error) bool { return errors.Is(err, context.Canceled) }},
		} {
			h, answer, err := b.server.Publish(tt.ctx, tt.offer)
			if err == nil || !tt.right(err) || h != nil || answer != "" {
				b.t.Errorf("%s: Publish = %v, %q, %v", tt.name, h, answer, err)
			}
			b.server.mu.Lock()
			if s := &b.server.http; len(s.all)+len(s.groups)+len(s.sources) != 0 {
				b.t.Errorf("%s: the server keeps %+v", tt.name, s)
			}
			b.server.mu.Unlock()
			if ups, _ := b.engine.open(); ups != 0 {
				b.t.Errorf("%s: %d connections are open", tt.name, ups)
			}
		}
		name := "bob"
		bob, err := b.server.registry.Join(b.t.Context(), "test", group.Credentials{Username: &name}, group.Newcomer{ID: "b"})
		if err != nil {
			b.t.Fatal(err)
		}
		defer bob.Leave()
		if members := bob.Group().Members(); len(members) != 1 {
			b.t.Errorf("members are left: %+v", members)
		}
	})
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func TestPanicOverAnOfferLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	withHTTP(t, Limits{}, open, func(b *bench) {
		func() {
			defer func() {
				if recover() == nil {
					b.t.Error("no panic")
				}
			}()
			_, _, _ = b.server.Publish(b.t.Context(), publication("panic"))
		}()
		b.server.mu.Lock()
		defer b.server.mu.Unlock()
		if n := len(b.server.http.all); n != 0 {
			b.t.Errorf("%d sessions are left", n)
		}
	})
}

func TestWrongCredentialsAreAnsweredLate(t *testing.T) {
	t.Parallel()
	withHTTP(t, Limits{}, map[string]string{"test": `{}`}, func(b *bench) {
		start := time.Now()
		_, _, err := b.server.Publish(b.t.Context(), publication("audio"))
		if waited := time.Since(start); !errors.Is(err, group.ErrUnauthorised) || waited != failureDelay {
			b.t.Errorf("Publish = %v after %v, want ErrUnauthorised after %v", err, waited, failureDelay)
		}
	})
}

func TestSessionsAreLimited(t *testing.T) {
	t.Parallel()
	limits := Limits{HTTPSessionsPerGroup: 5, HTTPSessionsPerAddress: 2}
	withHTTP(t, limits, map[string]string{"test": open["test"], "other": open["test"]}, func(b *bench) {
		try := func(group, address string) error {
			o := publication("audio")
			o.Group, o.Address = group, address
			_, _, err := b.server.Publish(b.t.Context(), o)
			return err
		}
		for i, tt := range []struct {
			group, address string
			ok             bool
		}{
			{"test", "192.0.2.1:1", true},
			{"test", "192.0.2.1:2", true},
			{"test", "192.0.2.1:3", false},
			{"other", "192.0.2.1:3", false},
			{"test", "[2001:db8::1]:3", true},
			{"test", "[2001:db8::2]:3", true},
			{"test", "[2001:db8::3]:3", false},
			{"test", "[2001:db8:0:1::1]:3", true},
			{"test", "192.0.2.2:1", false}, // the group is full
			{"other", "127.0.0.1:1", true},
			{"other", "127.0.0.1:2", true},
			{"other", "127.0.0.1:3", true},
			{"other", "@", true}, // a local socket
		} {
			if err := try(tt.group, tt.address); (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrTooManySessions) {
				b.t.Errorf("row %d: Publish in %s from %s = %v, want success %v", i, tt.group, tt.address, err, tt.ok)
			}
		}
	})
}

func TestServerThatEndsRefusesSessions(t *testing.T) {
	t.Parallel()
	withHTTP(t, Limits{}, open, func(b *bench) {
		b.server.Shutdown(b.t.Context())
		if _, _, err := b.server.Publish(b.t.Context(), publication("audio")); !errors.Is(err, ErrStopping) {
			b.t.Errorf("Publish = %v, want ErrStopping", err)
		}
	})
}

func TestProofIsNeededWhereThereWasOne(t *testing.T) {
	t.Parallel()
	withHTTP(t, Limits{}, open, func(b *bench) {
		free := b.published(publication("audio"))
		o := publication("audio")
		o.Proof = "secret"
		guarded := b.published(o)
		for _, tt := range []struct {
			h     *HTTPSession
			proof string
			want  bool
		}{
			{free, "", true},
			{free, "anything", true},
			{guarded, "secret", true},
			{guarded, "", false},
			{guarded, "Secret", false},
		} {
			if got := tt.h.Authorised(tt.proof); got != tt.want {
				b.t.Errorf("Authorised(%q) = %v, want %v", tt.proof, got, tt.want)
			}
		}
	})
}

func TestPatch(t *testing.T) {
	t.Parallel()
	restart := "a=ice-ufrag:abcd\r\na=ice-pwd:" + strings.Repeat("x", 22) + "\r\na=candidate:after\r\n"
	tests := []struct {
		name, text string
		candidates int
		restarts   bool
		fault      func(error) bool
	}{
		{"candidates with the present credentials", "a=ice-ufrag:EsAw\r\na=ice-pwd:" + clientPassword + "\r\na=candidate:x\r\n", 1, false, nil},
		{"candidates without credentials", "m=audio\r\na=mid:0\r\na=candidate:x\r\na=candidate:y\r\n", 2, false, nil},
		{"nothing", "", 0, false, nil},
		{"a restart", restart, 1, true, nil},
		{"a malformed fragment", "a=mid:0\r\n", 0, false, isA[*FragmentError]},
		{"half of a restart", "a=ice-ufrag:abcd\r\n", 0, false, isA[*FragmentError]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			withHTTP(t, Limits{}, open, func(b *bench) {
				h := b.published(publication("audio"))
				up := b.engine.establish()
				before := h.ETag()
				reply, etag, err := h.Patch(b.t.Context(), anyTag, tt.text)
				if tt.fault != nil {
					if !tt.fault(err) || h.ETag() != before {
						b.t.Errorf("Patch = %v, and the tag goes from %s to %s", err, before, h.ETag())
					}
					b.expectOpen(h)
					return
				}
				if err != nil || (reply != "") != tt.restarts || (etag != before) != tt.restarts || etag != h.ETag() {
					b.t.Errorf("Patch = %q, %s, %v; the tag was %s and is %s", reply, etag, err, before, h.ETag())
				}
				if len(up.candidates) != tt.candidates {
					b.t.Errorf("candidates are %+v, want %d", up.candidates, tt.candidates)
				}
				if tt.restarts && (!strings.Contains(up.remote, "a=ice-ufrag:abcd") || !strings.Contains(reply, "a=ice-ufrag:server2")) {
					b.t.Errorf("the new offer is %q and the reply %q", up.remote, reply)
				}
				b.expectOpen(h)
			})
		})
	}
}

func TestPreconditionsAreTestedBeforeAnythingChanges(t *testing.T) {
	t.Parallel()
	withHTTP(t, Limits{}, open, func(b *bench) {
		h := b.published(publication("audio"))
		never := func(string) bool { return false }
		if _, _, err := h.Patch(b.t.Context(), never, "nonsense"); !errors.Is(err, ErrPrecondition) {
			b.t.Errorf("Patch = %v, want ErrPrecondition", err)
		}
		if err := h.End(never); !errors.Is(err, ErrPrecondition) {
			b.t.Errorf("End = %v, want ErrPrecondition", err)
		}
		b.expectOpen(h)
	})
}

func TestRestartThatFailsEndsTheSession(t *testing.T) {
	t.Parallel()
	withHTTP(t, Limits{}, open, func(b *bench) {
		h := b.published(publication("audio"))
		up := b.engine.establish()
		b.engine.mu.Lock()
		up.remote = "bad\r\n" + up.remote
		b.engine.mu.Unlock()
		_, _, err := h.Patch(b.t.Context(), anyTag, "a=ice-ufrag:abcd\r\na=ice-pwd:"+strings.Repeat("x", 22)+"\r\n")
		if !isA[*rtpconn.NegotiationError](err) {
			b.t.Errorf("Patch = %v, want the connection's refusal", err)
		}
		b.expectOver(h)
	})
}

// Requests of one session come one after the other: of many that restart ICE on the
// same condition, one succeeds.
func TestRequestsOfOneSessionAreSerialised(t *testing.T) {
	t.Parallel()
	withHTTP(t, Limits{}, open, func(b *bench) {
		h := b.published(publication("audio"))
		b.engine.establish()
		tag := h.ETag()
		same := func(etag string) bool { return etag == tag }
		var mu sync.Mutex
		succeeded := 0
		var requests sync.WaitGroup
		for i := range 20 {
			requests.Go(func() {
				text := fmt.Sprintf("a=ice-ufrag:abcd%d\r\na=ice-pwd:%s\r\n", i, strings.Repeat("x", 22))
				_, _, err := h.Patch(b.t.Context(), same, text)
				if err != nil && !errors.Is(err, ErrPrecondition) {
					b.t.Errorf("Patch = %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					succeeded++
				}
			})
		}
		requests.Wait()
		if succeeded != 1 {
			b.t.Errorf("%d restarts succeeded, want 1", succeeded)
		}
	})
}

// Members come and go while sessions open and close.
func TestSessionsOpenAndCloseWhileOthersJoin(t *testing.T) {
	t.Parallel()
	withHTTP(t, Limits{}, open, func(b *bench) {
		var busy sync.WaitGroup
		for i := range 8 {
			busy.Go(func() {
				for range 20 {
					h, _, err := b.server.Publish(b.t.Context(), publication("audio"))
					if err != nil {
						b.t.Errorf("Publish: %v", err)
						return
					}
					if i%2 == 0 {
						_ = h.member.Group().Kick(h.ID(), group.Kicker{}, "")
					}
					_ = h.End(anyTag)
				}
			})
			busy.Go(func() {
				name := "bob"
				for j := range 20 {
					m, err := b.server.registry.Join(b.t.Context(), "test", group.Credentials{Username: &name},
						group.Newcomer{ID: fmt.Sprint(i, j)})
					if err != nil {
						b.t.Errorf("Join: %v", err)
						return
					}
					m.Leave()
				}
			})
		}
		busy.Wait()
		synctest.Wait()
		b.server.mu.Lock()
		defer b.server.mu.Unlock()
		if n := len(b.server.http.all); n != 0 {
			b.t.Errorf("%d sessions are left", n)
		}
	})
}
