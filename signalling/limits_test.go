package signalling

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"galene/config"
)

func TestConnectionsAreCountedByAddress(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		from    []string
		refused int // of them
	}{
		{"one address", []string{"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3"}, 1},
		{"several addresses", []string{"192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"}, 0},
		{"an IPv4 address in two forms", []string{"192.0.2.1:1", "[::ffff:192.0.2.1]:2", "192.0.2.1:3"}, 1},
		{"one IPv6 network", []string{"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3:4]:1"}, 1},
		{"several IPv6 networks", []string{"[2001:db8::1]:1", "[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1"}, 0},
		{"this machine", []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"}, 0},
		{"a Unix socket", []string{"@", "@", ""}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var a addresses
			refused := 0
			var entered []string
			for _, address := range tt.from {
				if a.enter(address, 2) {
					entered = append(entered, address)
				} else {
					refused++
				}
			}
			if refused != tt.refused {
				t.Errorf("%d of %v were refused, want %d", refused, tt.from, tt.refused)
			}
			for _, address := range entered {
				a.leave(address)
			}
			if len(a.count) != 0 {
				t.Errorf("%v is remembered when all have left", a.count)
			}
		})
	}
}

func TestOneConnectionTooManyIsRefused(t *testing.T) {
	t.Parallel()
	s := NewServer(Options{Limits: Limits{Connections: 1}})
	if !s.addresses.enter("192.0.2.1:1", 1) {
		t.Fatal("the first one is refused")
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ws", nil)
	r.RemoteAddr = "192.0.2.1:2"
	w := httptest.NewRecorder()
	s.ServeWebSocket(w, r)
	if w.Code != http.StatusTooManyRequests {
		t.Errorf("status = %d, want 429", w.Code)
	}
	// What is no upgrade is not counted.
	r.RemoteAddr = "192.0.2.2:1"
	w = httptest.NewRecorder()
	s.ServeWebSocket(w, r)
	if w.Code != http.StatusBadRequest || len(s.addresses.count) != 1 {
		t.Errorf("status = %d, count = %v, want 400 and one address", w.Code, s.addresses.count)
	}
}

// What the administrator sets holds for the clients that come later.
func TestLimitsAreTheAdministratorsToChange(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		a := b.joined("a", "test", "anna", "x")
		b.settings.Limits = config.Limits{
			ChatBytes: 10, StreamsPerClient: 1, SDPBytes: 8, UserDataBytes: 20, GroupDataBytes: 30,
			HistoryMessages: 1, MessagesPerSecond: 1, MessageBurst: 1000,
		}
		b.settings.Limits.MessageBytes = 8192
		c := b.joined("c", "test", "carl", "")
		a.send(`{"type":"chat","noecho":true,"id":"1","value":"as long as ever"}`)
		c.expect(`{"type":"chat","noecho":true,"id":"1","source":"a","username":"anna","privileged":true,"time":"$time","value":"as long as ever"}`)
		c.send(`{"type":"chat","value":"as long as ever"}`)
		c.expectError("message too long")
		c.send(`{"type":"usermessage","dest":"a","value":"as long as ever"}`)
		c.expectError("message too long")
		c.send(`{"type":"offer","id":"s","sdp":"audio"}`)
		c.expect(`{"type":"answer","id":"s","sdp":"answer to audio"}`)
		c.send(`{"type":"offer","id":"t","sdp":"audio"}`)
		c.expect(`{"type":"abort","id":"t"}`)
		c.expectError("too many streams")
		c.send(`{"type":"offer","id":"s","sdp":"audio video"}`)
		c.expect(`{"type":"abort","id":"s"}`)
		c.expectError("session description is too long")
		c.send(`{"type":"useraction","kind":"setdata","dest":"c","value":{"k":"0123456789012345678"}}`)
		c.expectError("too much data")
		a.send(`{"type":"groupaction","kind":"setdata","value":{"k":"01234567890123456789012345678"}}`)
		a.expectError("too much data")
		a.send(`{"type":"chat","noecho":true,"id":"2","value":"another"}`)
		c.expect(`{"type":"chat","noecho":true,"id":"2","source":"a","username":"anna","privileged":true,"time":"$time","value":"another"}`)

		d := b.greeted("d")
		d.send(`{"type":"join","kind":"join","group":"test","username":"dora","data":{"k":"0123456789012345678"}}`)
		d.expect(`{"type":"joined","kind":"fail","group":"test","username":"dora","value":"too much user data"}`)
		d.send(`{"type":"join","kind":"join","group":"test","username":"dora"}`)
		if m := d.next(); m["kind"] != "join" {
			b.t.Fatalf("got %v, want joined", m)
		}
		if m := d.next(); m["type"] != "chathistory" || m["id"] != "2" {
			b.t.Errorf("got %v, want the latest message", m)
		}
		if m := d.next(); m["type"] != "user" {
			b.t.Errorf("got %v, want no more history", m)
		}
	})
}

func TestLongIdentifiersOfMessagesAreRefused(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		a := b.joined("a", "test", "anna", "x")
		c := b.joined("c", "test", "carl", "")
		long := strings.Repeat("x", 256)
		for _, message := range []string{
			`{"type":"chat","id":%q,"value":"x"}`, `{"type":"chat","kind":%q,"value":"x"}`,
			`{"type":"usermessage","kind":%q}`, `{"type":"usermessage","id":%q,"kind":"info"}`,
		} {
			c.send(message, long)
			c.expectError("message id or kind is too long")
			c.send(message, long[1:])
			if m := a.next(); m["source"] != "c" {
				b.t.Errorf("%s with 255 bytes: another member got %v", fmt.Sprintf(message, "…"), m)
			}
			c.forget()
		}
		synctest.Wait()
		a.expectNothing()
	})
}
