package signalling

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"galene/group"
	"galene/mailbox"
	"galene/rtpconn"
)

// open is a group that everybody may join and present in; anna is its operator.
var open = map[string]string{"test": `{
	"users": {"anna": {"password": "x", "permissions": "op"}},
	"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}
}`}

func TestFirstMessageMustComeInTime(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		c := b.client("a")
		time.Sleep(handshakeTimeout - time.Millisecond)
		c.expectNothing()
		time.Sleep(time.Millisecond)
		c.expectEnd(0, "")
	})
}

func TestLongClientIDIsRefused(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		c := b.client("a")
		c.send(`{"type":"handshake","version":["2"],"id":%q}`, strings.Repeat("x", 256))
		c.expect(`{"type":"usermessage","kind":"error","privileged":true,"value":"client id is too long"}`)
		c.expectEnd(1002, "client id is too long")
	})
}

func TestPanicEndsOneClientOnly(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		b.panics = true
		a := b.joined("a", "test", "anna", "x")
		c := b.joined("c", "test", "carl", "")
		c.send(`{"type":"offer","id":"s","sdp":"panic"}`)
		c.expectEnd(1011, "")
		a.expect(`{"type":"user","kind":"delete","id":"c","username":"carl"}`)
		a.send(`{"type":"ping"}`)
		a.expect(`{"type":"pong"}`)
	})
}

func TestSlowReceiverIsDroppedWhileOthersGoOn(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		t := b.t
		a := b.joined("a", "test", "anna", "x")
		slow := b.joined("slow", "test", "bob", "")
		c := b.joined("c", "test", "carl", "")
		close(slow.pipe.stuck)
		start := time.Now()
		for i := range 100 {
			a.send(`{"type":"chat","id":"%d","noecho":true,"value":"x"}`, i)
		}
		for i := range 100 {
			if m := c.next(); m["id"] != fmt.Sprint(i) {
				t.Fatalf("message %d: got %v", i, m)
			}
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("others waited %v for the slow one, want 0", waited)
		}
		time.Sleep(writeTimeout)
		slow.expectEnd(0, "")
		a.expect(`{"type":"user","kind":"delete","id":"slow","username":"bob"}`)
		c.expect(`{"type":"user","kind":"delete","id":"slow","username":"bob"}`)
	})
}

func TestClientWhoseQueueIsFullIsDropped(t *testing.T) {
	t.Parallel()
	withLimits(t, Limits{QueueMessages: 20}, open, func(b *bench) {
		a := b.joined("a", "test", "anna", "x")
		slow := b.joined("slow", "test", "bob", "")
		close(slow.pipe.stuck)
		for range 22 { // each too long to be written in passing
			a.send(`{"type":"chat","noecho":true,"value":%q}`, strings.Repeat("x", littleWrite))
		}
		slow.expectEnd(0, "")
		a.expect(`{"type":"user","kind":"delete","id":"slow","username":"bob"}`)
	})
}

func TestQueueHasRoomForAJoinIntoALargeGroup(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		t := b.t
		name := "bob"
		for i := range 1000 {
			_, err := b.server.registry.Join(t.Context(), "test", group.Credentials{Username: &name},
				group.Newcomer{ID: fmt.Sprintf("member%d", i), Data: group.Data{
					"k": json.RawMessage(`"` + strings.Repeat("x", 1000) + `"`),
				}})
			if err != nil {
				t.Fatal(err)
			}
		}
		c := b.greeted("a")
		c.send(`{"type":"join","kind":"join","group":"test","username":"anna","password":"x"}`)
		if m := c.next(); m["type"] != "joined" {
			t.Fatalf("got %v, want joined", m)
		}
		for i := range 1001 {
			if m := c.next(); m["type"] != "user" {
				t.Fatalf("message %d: got %v, want user", i, m)
			}
		}
		c.expectNothing()
	})
}

// Whatever a join has to tell comes in one piece, and so does what others are told.
func TestJoinIsWrittenAtOnce(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		t := b.t
		a := b.joined("a", "test", "anna", "x")
		for i := range 10 {
			a.send(`{"type":"chat","value":"%d"}`, i)
			b.joined(fmt.Sprintf("m%d", i), "test", "bob", "")
		}
		c := b.greeted("c")
		before, others := c.pipe.writeCount(), a.pipe.writeCount()
		c.send(`{"type":"join","kind":"join","group":"test","username":"carl"}`)
		messages := 0
		for synctest.Wait(); ; messages++ {
			if _, ok := c.pipe.received(); !ok {
				break
			}
		}
		if messages != 1+10+12 {
			t.Errorf("%d messages, want joined, 10 of history and 12 members", messages)
		}
		if got := c.pipe.writeCount() - before; got != 1 {
			t.Errorf("the newcomer's messages took %d writes, want 1", got)
		}
		if got := a.pipe.writeCount() - others; got != 1 {
			t.Errorf("another member's news took %d writes, want 1", got)
		}
	})
}

func TestUserChangesArriveInOrder(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		t := b.t
		a := b.joined("a", "test", "anna", "x")
		c := b.joined("c", "test", "carl", "")
		for i := range 200 {
			a.send(`{"type":"useraction","kind":"setdata","dest":"a","value":{"n":%d}}`, i)
		}
		for _, receiver := range []*client{a, c} {
			for i := range 200 {
				m := receiver.next()
				data, _ := m["data"].(map[string]any)
				if m["kind"] != "change" || data["n"] != float64(i) {
					t.Fatalf("%v: change %d is %v", receiver.name, i, m)
				}
			}
		}
	})
}

func TestChatIsNeitherBeforeJoinedNorTwice(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		talker := b.joined("talker", "test", "anna", "x")
		const rounds = 40
		var newcomers []*client
		for i := range rounds {
			c := b.client(fmt.Sprintf("n%d", i))
			c.send(`{"type":"handshake","version":["2"],"id":%q}`, c.name)
			c.send(`{"type":"join","kind":"join","group":"test","username":"x"}`)
			talker.send(`{"type":"chat","id":"%d","noecho":true,"value":"x"}`, i)
			newcomers = append(newcomers, c)
		}
		synctest.Wait()
		for _, c := range newcomers {
			c.checkNewcomer(rounds)
		}
	})
}

// checkNewcomer looks at all that a newcomer got: nothing of the group before
// joined, then messages up to the last one, each once and in order.
func (c *client) checkNewcomer(messages int) {
	c.t.Helper()
	joined, next := false, 0
	for {
		frame, ok := c.pipe.received()
		if !ok {
			break
		}
		var m struct{ Type, ID string }
		if err := json.Unmarshal(frame, &m); err != nil {
			c.t.Fatal(err)
		}
		switch m.Type {
		case "joined":
			joined = true
		case "chat", "chathistory":
			if !joined {
				c.t.Errorf("%v got %s before it had joined", c.name, frame)
			}
			if m.ID != fmt.Sprint(next) {
				c.t.Errorf("%v got message %v, want %v", c.name, m.ID, next)
			}
			next++
		}
	}
	if next != messages {
		c.t.Errorf("%v got %d messages, want %d", c.name, next, messages)
	}
}

func TestFloodIsHeldUpAndThenEnded(t *testing.T) {
	t.Parallel()
	l := Limits{MessageBurst: 10, MessageRate: 10, FloodTime: 5 * time.Second}
	withLimits(t, l, open, func(b *bench) {
		flooder := b.greeted("a")
		other := b.greeted("b")
		for range 1000 {
			flooder.send(`{"type":"pong"}`)
		}
		flooder.send(`{"type":"ping"}`)
		time.Sleep(4 * time.Second)
		flooder.expectNothing()
		other.send(`{"type":"ping"}`)
		other.expect(`{"type":"pong"}`)
		time.Sleep(2 * time.Second)
		flooder.expect(`{"type":"usermessage","kind":"error","dest":"a","privileged":true,"value":"too many messages"}`)
		flooder.expectEnd(1008, "too many messages")
	})
}

func TestMessageThatIsTooBigEndsTheConnection(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		c := b.greeted("a")
		c.pipe.mu.Lock()
		c.pipe.tooBig = true
		c.pipe.mu.Unlock()
		c.send(`{"type":"ping"}`)
		c.expectEnd(1009, "")
	})
}

func TestLimitsOfStreamsAndValues(t *testing.T) {
	t.Parallel()
	l := Limits{Streams: 2, SDPBytes: 100, StreamIDBytes: 10, ValueBytes: 20, RequestLabels: 1}
	withLimits(t, l, open, func(b *bench) {
		t := b.t
		c := b.joined("a", "test", "anna", "x")
		for _, id := range []string{"1", "2"} {
			c.send(`{"type":"offer","id":%q,"sdp":"audio"}`, id)
			c.expect(`{"type":"answer","id":"` + id + `","sdp":"answer to audio"}`)
		}
		for _, tt := range []struct{ offer, id, words string }{
			{`{"type":"offer","id":"3","sdp":"audio"}`, "3", "too many streams"},
			{`{"type":"offer","id":"1","sdp":"` + strings.Repeat(" ", 101) + `"}`, "1", "session description is too long"},
			{`{"type":"offer","id":"12345678901","sdp":"audio"}`, "12345678901", "stream id or label is too long"},
			{`{"type":"offer","id":"4","label":"12345678901","sdp":"audio"}`, "4", "stream id or label is too long"},
		} {
			c.send("%s", tt.offer)
			c.expect(`{"type":"abort","id":"` + tt.id + `"}`)
			c.expectError(tt.words)
		}
		// One may be replaced by another one.
		c.send(`{"type":"offer","id":"3","replace":"2","sdp":"audio"}`)
		c.expect(`{"type":"answer","id":"3","sdp":"answer to audio"}`)
		c.send(`{"type":"chat","value":"0123456789012345678"}`)
		c.expectError("message too long")
		c.send(`{"type":"request","request":{"a":[],"b":[]}}`)
		c.expectError("too many labels in request")
		if ups, _ := b.engine.open(); ups != 2 {
			t.Errorf("%d up connections are open, want 2", ups)
		}
	})
}

func (c *client) expectError(words string) {
	c.t.Helper()
	c.expect(fmt.Sprintf(
		`{"type":"usermessage","kind":"error","dest":%q,"privileged":true,"value":%q}`, c.name, words))
}

func TestTooMuchDataIsRefused(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		c := b.joined("a", "test", "anna", "x")
		big := strings.Repeat("x", 300<<10)
		c.send(`{"type":"useraction","kind":"setdata","dest":"a","value":{"k":%q}}`, big)
		c.expectError("too much data")
		c.send(`{"type":"groupaction","kind":"setdata","value":{"k":%q}}`, big)
		c.expectError("too much data")
	})
}

func TestEachClientIsToldOfICEServersOfItsOwn(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		b.server.rtcConfiguration = func(client string) any { return map[string]any{"for": client} }
		for _, name := range []string{"a", "b"} {
			c := b.greeted(name)
			c.send(`{"type":"join","kind":"join","group":"test","username":"anna","password":"x"}`)
			joined := c.next()
			if got, ok := joined["rtcConfiguration"].(map[string]any); !ok || got["for"] != name {
				b.t.Errorf("client %s is told %v, want what is for it", name, joined["rtcConfiguration"])
			}
		}
	})
}

func TestShutdownTellsClients(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		t := b.t
		a := b.joined("a", "test", "anna", "x")
		lobby := b.greeted("lobby")
		silent := b.client("silent")
		synctest.Wait()
		start := time.Now()
		b.server.registry.Shutdown(Farewell)
		b.server.Shutdown(t.Context())
		if took := time.Since(start); took > flushTimeout+lingerTimeout {
			t.Errorf("Shutdown took %v", took)
		}
		a.expect(`{"type":"joined","kind":"change","group":"test","username":"anna","permissions":"$any",
			"status":"$any","rtcConfiguration":{}}`)
		a.expect(`{"type":"usermessage","kind":"kicked","dest":"a","privileged":true,"value":"server is shutting down"}`)
		a.expectEnd(1000, "kicked out (server is shutting down)")
		lobby.expectEnd(1000, "server is shutting down")
		silent.expectEnd(1000, "server is shutting down")

		late := b.client("late")
		late.expectEnd(1000, "server is shutting down")
		b.server.Shutdown(t.Context()) // again, for nothing
	})
}

func TestShutdownWithoutRegistryTellsMembersToo(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		t := b.t
		a := b.joined("a", "test", "anna", "x")
		b.server.Shutdown(t.Context())
		a.expect(`{"type":"usermessage","kind":"kicked","dest":"a","privileged":true,"value":"server is shutting down"}`)
		a.expectEnd(1000, "server is shutting down")
	})
}

func TestShutdownDoesNotWaitForClientsThatHang(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		t := b.t
		a := b.joined("a", "test", "anna", "x")
		close(a.pipe.stuck)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		b.server.registry.Shutdown(Farewell)
		b.server.Shutdown(ctx)
		if took := time.Since(start); took != 100*time.Millisecond {
			t.Errorf("Shutdown took %v, want 100 ms", took)
		}
		a.expectEnd(0, "")
	})
}

func TestMessagesBeforeGoodbyeAreHandled(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		a := b.joined("a", "test", "anna", "x")
		c := b.client("c")
		c.send(`{"type":"handshake","version":["2"],"id":"c"}`)
		c.send(`{"type":"join","kind":"join","group":"test","username":"carl"}`)
		c.send(`{"type":"chat","id":"1","value":"hello and goodbye"}`)
		c.goAway()
		a.expect(`{"type":"user","kind":"add","id":"c","username":"carl","permissions":["present","message"]}`)
		a.expect(`{"type":"chat","id":"1","source":"c","username":"carl","time":"$time","value":"hello and goodbye"}`)
		a.expect(`{"type":"user","kind":"delete","id":"c","username":"carl"}`)
		c.expectEnd(1000, "")
	})
}

func TestLostConnectionEndsTheWaitForAJoin(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		t := b.t
		c := b.greeted("a")
		c.send(`{"type":"join","kind":"join","group":"test","username":"anna","password":"wrong"}`)
		synctest.Wait()
		start := time.Now()
		c.pipe.Cut()
		b.serving.Wait()
		if waited := time.Since(start); waited != 0 {
			t.Errorf("the session ended %v after its connection, want at once", waited)
		}
		c.over = true
	})
}

func TestUnansweredCloseFrameEndsByItself(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		t := b.t
		c := b.greeted("a")
		c.send(`{"type":"nonsense"}`)
		synctest.Wait()
		start := time.Now()
		b.serving.Wait()
		if waited := time.Since(start); waited != lingerTimeout {
			t.Errorf("the session waited %v for an answer, want %v", waited, lingerTimeout)
		}
		if _, ok := c.pipe.received(); !ok {
			t.Error("no error message was sent")
		}
	})
}

// What happens to many members at once ends in the same catalogue for all.
func TestManyPublishersAndSubscribersAgree(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		t := b.t
		const members = 12
		var all []*client
		for i := range members {
			c := b.joined(fmt.Sprintf("m%d", i), "test", "x", "")
			c.send(`{"type":"request","request":{"":["audio","video"]}}`)
			all = append(all, c)
		}
		var sending sync.WaitGroup
		for _, c := range all {
			sending.Go(func() {
				c.send(`{"type":"offer","id":"%[1]v-1","sdp":"audio"}`, c.name)
				c.send(`{"type":"offer","id":"%[1]v-2","replace":"%[1]v-1","sdp":"audio video"}`, c.name)
			})
		}
		sending.Wait()
		synctest.Wait()
		for _, c := range all {
			if got := c.receiving(); got != members-1 {
				t.Errorf("%v receives %d streams, want %d", c.name, got, members-1)
			}
		}
		for _, c := range all[1:] {
			c.goAway()
		}
		if got := all[0].receiving(); got != 0 {
			t.Errorf("when all others are gone %v still receives %d streams", all[0].name, got)
		}
		if ups, downs := b.engine.open(); ups != 1 || downs != 0 {
			t.Errorf("%d up and %d down connections are open, want 1 and 0", ups, downs)
		}
	})
}

// receiving follows the offers and closes that the client got so far, as a
// client would, and counts the streams that it then has.
func (c *client) receiving() int {
	c.t.Helper()
	synctest.Wait()
	if c.streams == nil {
		c.streams = make(map[string]bool)
	}
	for {
		frame, ok := c.pipe.received()
		if !ok {
			return len(c.streams)
		}
		var m Message
		if err := json.Unmarshal(frame, &m); err != nil {
			c.t.Fatal(err)
		}
		switch m.Type {
		case typeOffer:
			if m.Replace != "" {
				if !c.streams[m.Replace] {
					c.t.Errorf("%v: %v replaces %v, which it does not have", c.name, m.ID, m.Replace)
				}
				delete(c.streams, m.Replace)
			}
			c.streams[m.ID] = true
		case typeClose:
			if !c.streams[m.ID] {
				c.t.Errorf("%v: close of %v, which it does not have", c.name, m.ID)
			}
			delete(c.streams, m.ID)
		}
	}
}

// Members without a WebSocket are members, but nobody to talk to.
func TestMembersThatDoNotChat(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		t := b.t
		a := b.joined("a", "test", "anna", "x")
		name := "whip"
		box := mailbox.New[*group.Event](10)
		whip, err := b.server.registry.Join(t.Context(), "test", group.Credentials{Username: &name},
			group.Newcomer{ID: "w", Kind: group.WHIPMember, Address: "192.0.2.7:5", Mailbox: box})
		if err != nil {
			t.Fatal(err)
		}
		a.expect(`{"type":"user","kind":"add","id":"w","username":"whip","permissions":["present","message"]}`)
		for _, tt := range []struct{ message, words string }{
			{`{"type":"chat","dest":"w","value":"hello"}`, "this user doesn't chat"},
			{`{"type":"usermessage","dest":"w","kind":"mute"}`, "this user doesn't chat"},
			{`{"type":"useraction","kind":"unpresent","dest":"w"}`, "this is not a real user"},
		} {
			a.send("%s", tt.message)
			a.expectError(tt.words)
		}
		a.send(`{"type":"useraction","kind":"identify","dest":"w"}`)
		a.expect(`{"type":"usermessage","kind":"userinfo","dest":"a","privileged":true,
			"value":{"id":"w","username":"whip","address":"192.0.2.7:5"}}`)

		// Its streams are as good as anybody's.
		a.send(`{"type":"request","request":{"":["audio"]}}`)
		up := &fakeUp{engine: b.engine, closed: true, config: rtpconn.UpConfig{ID: "w"}}
		if _, err := up.Offer("audio"); err != nil {
			t.Fatal(err)
		}
		if err := whip.Publish(group.Stream{ID: "w", Up: up}); err != nil {
			t.Fatal(err)
		}
		a.expect(`{"type":"offer","id":"w","source":"w","username":"whip","sdp":"audio"}`)
		a.send(`{"type":"useraction","kind":"kick","dest":"w"}`)
		synctest.Wait()
		events, _ := box.Take(nil)
		if _, ok := events[len(events)-1].Body.(group.Kicked); !ok {
			t.Errorf("the last event is %T, want group.Kicked", events[len(events)-1].Body)
		}
		whip.Leave()
		a.expect(`{"type":"close","id":"w"}`)
		a.expect(`{"type":"user","kind":"delete","id":"w","username":"whip"}`)
	})
}

// A loss of permission that is still on its way to the client does not let it
// keep the stream that a refused offer would have replaced.
func TestRefusedOfferEndsWhatItReplaces(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		t := b.t
		a := b.joined("a", "test", "anna", "x")
		c := b.joined("c", "test", "carl", "")
		c.send(`{"type":"offer","id":"s","sdp":"audio"}`)
		c.expect(`{"type":"answer","id":"s","sdp":"answer to audio"}`)
		// All of this is there before the session looks at any of it.
		a.send(`{"type":"useraction","kind":"unpresent","dest":"c"}`)
		c.send(`{"type":"offer","id":"t","replace":"s","sdp":"audio"}`)
		synctest.Wait()
		if ups, _ := b.engine.open(); ups != 0 {
			t.Errorf("%d up connections are open, want none", ups)
		}
		a.forget()
		c.forget()
	})
}

func TestCloseCodes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		err    error
		code   int
		reason string
		frame  bool
	}{
		{"said goodbye", ErrClosed, 1000, "", true},
		{"breach of the protocol", errEmptyID, 1002, "empty id", true},
		{"left what it had not joined", errNotJoined, 1000, "you are not joined", true},
		{"too big", fmt.Errorf("wrapped: %w", ErrTooBig), 1009, "", true},
		{"too much", errFlood, 1008, "too many messages", true},
		{"dead", errDead, 1011, "", true},
		{"our mistake", errPanicked, 1011, "", true},
		{"not a message", errNotAnObject, 1011, "", true},
		{"dropped", errDropped, 0, "", false},
		{"gone", fmt.Errorf("%w: reset", ErrGone), 0, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, reason, frame := closeCode(tt.err)
			if code != tt.code || reason != tt.reason || frame != tt.frame {
				t.Errorf("closeCode(%v) = %d, %q, %v, want %d, %q, %v",
					tt.err, code, reason, frame, tt.code, tt.reason, tt.frame)
			}
		})
	}
}

// BenchmarkBroadcast sends chat messages to the members of a group.
func BenchmarkBroadcast(b *testing.B) {
	const members = 100
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "test.json"), []byte(open["test"]), 0o600); err != nil {
		b.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s := newServer(Options{
		Registry: group.NewRegistry(group.Options{Directory: dir, Log: log}),
		Log:      log, Limits: Limits{MessageRate: 1 << 30, MessageBurst: 1 << 30},
	}, &fakeEngine{})
	var serving sync.WaitGroup
	pipes := make([]*memoryPipe, members)
	for i := range pipes {
		p := newMemoryPipe()
		pipes[i] = p
		serving.Go(func() { s.Serve(b.Context(), p, "") })
		p.in <- fmt.Appendf(nil, `{"type":"handshake","version":["2"],"id":"m%d"}`, i)
		p.in <- []byte(`{"type":"join","kind":"join","group":"test","username":"x"}`)
		p.wait(`"kind":"join"`)
	}
	chat := []byte(`{"type":"chat","id":"1","value":"hello, everybody"}`)
	b.ReportAllocs()
	for b.Loop() {
		pipes[0].in <- chat
		for _, p := range pipes {
			p.wait(`"chat"`)
		}
	}
	for _, p := range pipes {
		p.Cut()
	}
	serving.Wait()
}

func TestShortMessagesThatMakeLongOnesCountForThose(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		t := b.t
		a := b.joined("a", "test", "anna", "x")
		c := b.joined("c", "test", "carl", "")
		a.send(`{"type":"useraction","kind":"setdata","dest":"a","value":{"k":%q}}`, strings.Repeat("x", 15<<10))
		for i := range 1000 {
			a.send(`{"type":"useraction","kind":"setdata","dest":"a","value":{"n":%d}}`, i)
		}
		synctest.Wait() // no time passes
		bytes := 0
		for frame, ok := c.pipe.received(); ok; frame, ok = c.pipe.received() {
			bytes += len(frame)
		}
		if limit := (Limits{}).withDefaults().QueueBytes; bytes == 0 || bytes > limit/2 {
			t.Errorf("another member was sent %d bytes at once, want some, and no more than half a queue of %d", bytes, limit)
		}
		a.forget()
	})
}

func TestRefusedAttemptsToJoinCountManyTimes(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		t := b.t
		c := b.greeted("a")
		for range 1000 {
			c.send(`{"type":"join","kind":"join","group":"nowhere","username":"x"}`)
		}
		synctest.Wait() // no time passes
		refusals := 0
		for _, ok := c.pipe.received(); ok; _, ok = c.pipe.received() {
			refusals++
		}
		if refusals == 0 || refusals > 50 {
			t.Errorf("%d attempts at once were refused, want a few of a thousand", refusals)
		}
	})
}
