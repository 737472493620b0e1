package signalling

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"galene/group"
	"galene/rtpconn"
)

// stage is a member who publishes, as far as viewers see.
type stage struct {
	b *bench
	*group.Member
}

func (b *bench) stage(id, username string) *stage {
	b.t.Helper()
	m, err := b.server.registry.Join(b.t.Context(), "test", group.Credentials{Username: &username}, group.Newcomer{ID: id})
	if err != nil {
		b.t.Fatal(err)
	}
	return &stage{b, m}
}

// show publishes a stream with tracks of these names.
func (s *stage) show(id, label, tracks, replaces string) {
	s.b.t.Helper()
	up := &fakeUp{engine: s.b.engine, closed: true}
	if _, err := up.Offer(tracks); err != nil {
		s.b.t.Fatal(err)
	}
	if err := s.Publish(group.Stream{ID: id, Label: label, Up: up, Replaces: replaces}); err != nil {
		s.b.t.Fatal(err)
	}
}

func (b *bench) watched(c Choice) *HTTPSession {
	b.t.Helper()
	h, _, err := b.server.Watch(b.t.Context(), publication("recvonly"), c)
	if err != nil {
		b.t.Fatalf("Watch(%+v): %v", c, err)
	}
	return h
}

func TestViewersChoose(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		choice Choice
		want   string // the tracks of the stream
	}{
		{"nothing: the oldest camera", Choice{}, "audio-anna video-anna"},
		{"a label", Choice{Stream: "screenshare"}, "- video-screen"},
		{"an identifier", Choice{Stream: "bobs"}, "audio-bob -"},
		{"a user's name", Choice{User: "bob"}, "audio-bob -"},
		{"a user's identifier", Choice{User: "a"}, "audio-anna video-anna"},
		{"a user and a label", Choice{User: "anna", Stream: "screenshare"}, "- video-screen"},
		{"nobody", Choice{User: "carl"}, ""},
		{"another's", Choice{User: "bob", Stream: "screenshare"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			withHTTP(t, Limits{}, map[string]string{"test": `{"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}`}, func(b *bench) {
				anna, bob := b.stage("a", "anna"), b.stage("b", "bob")
				anna.show("screen", "screenshare", "video-screen", "")
				anna.show("empty", "camera", "", "")
				anna.show("annas", "camera", "audio-anna video-anna video-small", "")
				bob.show("bobs", "", "audio-bob", "")
				h, _, err := b.server.Watch(b.t.Context(), publication("x"), tt.choice)
				if tt.want == "" {
					if !errors.Is(err, ErrNoStream) {
						b.t.Errorf("Watch(%+v) = %v, want ErrNoStream", tt.choice, err)
					}
					return
				}
				if err != nil {
					b.t.Fatalf("Watch(%+v): %v", tt.choice, err)
				}
				if got := b.engine.watching(); got != tt.want {
					b.t.Errorf("%+v shows %q, want %q", tt.choice, got, tt.want)
				}
				if got := h.member.Permissions().List(); len(got) != 0 {
					b.t.Errorf("the viewer may %v, want nothing", got)
				}
			})
		})
	}
}

func TestViewerFollowsWhoItWatches(t *testing.T) {
	t.Parallel()
	withHTTP(t, Limits{}, open, func(b *bench) {
		bob, carl := b.stage("b", "bob"), b.stage("c", "carl")
		bob.show("1", "camera", "audio1 video1", "")
		h := b.watched(Choice{Stream: "1"})
		expect := func(what, want string) {
			b.t.Helper()
			if got := b.engine.watching(); got != want {
				b.t.Errorf("%s: %q is shown, want %q", what, got, want)
			}
			b.expectOpen(h)
		}
		carl.show("c", "camera", "audio-carl", "")
		expect("somebody else publishes", "audio1 video1")
		bob.show("1", "camera", "audio1 video-new", "")
		expect("the stream has changed", "audio1 video-new")
		bob.show("2", "camera", "audio2 video2", "1")
		expect("the stream is replaced", "audio2 video2")
		bob.show("s", "screenshare", "video-screen", "")
		expect("another stream of the same user", "audio2 video2")
		bob.Withdraw("2")
		expect("the stream has ended", "audio2 video2")
		bob.show("3", "camera", "audio3", "")
		expect("the user publishes again", "audio3 video2")
		carl.Withdraw("3")
		expect("another withdraws what is not theirs", "audio3 video2")
		bob.Leave()
		expect("the user has left", "audio3 video2")
	})
}

func TestViewerWithoutChoiceGoesOnToWhoeverIsThere(t *testing.T) {
	t.Parallel()
	withHTTP(t, Limits{}, open, func(b *bench) {
		bob, carl := b.stage("b", "bob"), b.stage("c", "carl")
		bob.show("1", "camera", "audio1", "")
		h := b.watched(Choice{})
		carl.show("2", "camera", "audio2", "")
		bob.Leave()
		if got := b.engine.watching(); got != "audio2 -" {
			b.t.Errorf("%q is shown after the first has left, want the other", got)
		}
		carl.show("3", "camera", "other", "2")
		b.expectOver(h)
	})
}

func TestViewerWatchesAsManyStreamsAsItHasSectionsFor(t *testing.T) {
	t.Parallel()
	withHTTP(t, Limits{}, open, func(b *bench) {
		bob, carl, dora := b.stage("b", "bob"), b.stage("c", "carl"), b.stage("d", "dora")
		bob.show("s", "screenshare", "video-screen", "")
		bob.show("1", "camera", "audio1 video1", "")
		h, _, err := b.server.Watch(b.t.Context(), publication("audio video video audio video"), Choice{})
		if err != nil {
			b.t.Fatal(err)
		}
		expect := func(what, want string) {
			b.t.Helper()
			if got := b.engine.watching(); got != want {
				b.t.Errorf("%s: %q is shown, want %q", what, got, want)
			}
			b.expectOpen(h)
		}
		// Sections belong together by their number among their kind.
		expect("at first", "audio1 video1 - - video-screen")
		carl.show("2", "camera", "audio2 video2", "")
		expect("somebody comes", "audio1 video1 video2 audio2 video-screen")
		dora.show("3", "camera", "audio3 video3", "")
		expect("there is no room", "audio1 video1 video2 audio2 video-screen")
		bob.Withdraw("s")
		expect("a picture ends", "audio1 video1 video2 audio2 video3")
		carl.show("2b", "camera", "audio2b video2b", "2")
		expect("a stream is replaced", "audio1 video1 video2b audio2b video3")
		bob.show("1", "camera", "audio1", "")
		expect("a camera is switched off", "audio1 video1 video2b audio2b video3")
		carl.Leave()
		expect("somebody leaves", "audio1 video1 video2b audio3 video3")
		carl = b.stage("c2", "carl")
		carl.show("4", "camera", "video4 other-audio", "")
		expect("a free place is taken", "audio1 video4 video2b audio3 video3")
		dora.Leave()
		expect("nobody is there for the places", "audio1 video4 video2b audio3 video3")
		bob.Leave()
		carl.Leave()
		expect("nobody is left", "audio1 video4 video2b audio3 video3")
		dora = b.stage("d2", "dora")
		dora.show("5", "camera", "audio5 video5", "")
		expect("somebody is there again", "audio5 video5 video2b audio3 video3")
	})
}

func TestViewerNamesTheCodecsThatItMayGet(t *testing.T) {
	t.Parallel()
	groups := map[string]string{"test": `{"codecs": ["vp8", "audio1", "opus"], "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}`}
	withHTTP(t, Limits{}, groups, func(b *bench) {
		bob := b.stage("b", "bob")
		bob.show("1", "camera", "audio1 video1", "")
		h := b.watched(Choice{})
		config := b.engine.views[0].config
		if want := []string{"audio1", "video1", "vp8", "opus"}; !slices.Equal(config.Codecs, want) {
			b.t.Errorf("the codecs are %v, want %v", config.Codecs, want)
		}
		if want := (rtpconn.Owner{Group: "test", Client: h.ID()}); config.Owner != want || config.ID != h.ID() {
			b.t.Errorf("the owner is %+v of %q, want %+v", config.Owner, config.ID, want)
		}
	})
}

func TestViewerIsRefusedIfItCanReceiveNothing(t *testing.T) {
	t.Parallel()
	withHTTP(t, Limits{}, open, func(b *bench) {
		bob := b.stage("b", "bob")
		bob.show("1", "camera", "other", "")
		_, _, err := b.server.Watch(b.t.Context(), publication("video"), Choice{})
		if _, ok := errors.AsType[*rtpconn.UnsupportedError](err); !ok {
			b.t.Errorf("Watch = %v, want an UnsupportedError", err)
		}
		bob.show("2", "", "audio", "")
		if _, _, err = b.server.Watch(b.t.Context(), publication("audio"), Choice{}); err != nil {
			b.t.Errorf("Watch of what can be received = %v", err)
		}
	})
}

func TestViewerSeesWhatIsThereHoweverShortItsPatience(t *testing.T) {
	t.Parallel()
	withHTTP(t, Limits{StreamWait: 1}, open, func(b *bench) {
		b.stage("b", "bob").show("1", "camera", "audio", "")
		for range 50 {
			b.watched(Choice{})
		}
	})
}

func TestViewerWaitsForAStream(t *testing.T) {
	t.Parallel()
	const streamWait = 5 * time.Second
	withHTTP(t, Limits{}, open, func(b *bench) {
		start := time.Now()
		if _, _, err := b.server.Watch(b.t.Context(), publication("x"), Choice{}); !errors.Is(err, ErrNoStream) || time.Since(start) != streamWait {
			b.t.Errorf("Watch = %v after %v, want ErrNoStream after %v", err, time.Since(start), streamWait)
		}
		bob := b.stage("b", "bob")
		if members := bob.Group().Members(); len(members) != 1 {
			b.t.Errorf("members are left: %+v", members)
		}
		time.AfterFunc(streamWait/2, func() { bob.show("1", "", "audio", "") })
		start = time.Now()
		b.watched(Choice{})
		if waited := time.Since(start); waited != streamWait/2 {
			b.t.Errorf("waited %v, want %v", waited, streamWait/2)
		}
	})
}

func TestViewerThatWaitsCanBeSentAway(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(b *bench){
		"kicked":          func(b *bench) { b.server.registry.Shutdown("bye") },
		"the server ends": func(b *bench) { b.server.Shutdown(b.t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withHTTP(t, Limits{}, open, func(b *bench) {
				start := time.Now()
				time.AfterFunc(time.Second, func() { do(b) })
				_, _, err := b.server.Watch(b.t.Context(), publication("x"), Choice{})
				if err == nil || time.Since(start) != time.Second {
					b.t.Errorf("Watch = %v after %v, want an error after 1 s", err, time.Since(start))
				}
			})
		})
	}
}

func TestViewerIsKickedAndRestartsICELikeAPublisher(t *testing.T) {
	t.Parallel()
	withHTTP(t, Limits{}, open, func(b *bench) {
		bob := b.stage("b", "bob")
		bob.show("1", "camera", "audio1", "")
		h := b.watched(Choice{})
		if _, ok := b.server.HTTPSession(group.WHIPMember, h.group, h.key); ok {
			b.t.Error("a viewer's session is found as a publisher's")
		}
		reply, _, err := h.Patch(b.t.Context(), anyTag, "a=ice-ufrag:abcd\r\na=ice-pwd:"+strings.Repeat("x", 22)+"\r\n")
		if err != nil || !strings.Contains(reply, "a=ice-ufrag:server2") {
			b.t.Errorf("Patch = %q, %v", reply, err)
		}
		if err := bob.Group().Kick(h.ID(), group.Kicker{}, ""); err != nil {
			b.t.Error(err)
		}
		synctest.Wait()
		b.expectOver(h)
	})
}
