package signalling

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"galene/group"
)

// rule says what becomes of one kind of message.
type rule struct {
	message string // to send
	needs   string // permissions, all of which the sender must have; empty is none
	// inside is what happens to a member that has the permissions, and outside
	// to a client in no group: done, what it is told, or how it is closed.
	inside, outside string
}

const (
	done          = "done"
	notAuthorised = "not authorised"
	joinFirst     = "join a group first"
)

// rules is who may send what. In the group are the sender, whose id is me, and
// an operator, whose id is other.
func rules() []rule {
	return []rule{
		{`{"type":"handshake","version":["2"],"id":"me"}`, "", "1002 unexpected message", "1002 unexpected message"},
		{`{"type":"ping"}`, "", done, done},
		{`{"type":"pong"}`, "", done, done},
		{`{"type":"join","kind":"join","group":"test","username":"u","password":"x"}`, "", "1002 cannot join multiple groups", done},
		{`{"type":"join","kind":"leave","group":"test"}`, "", done, "1000 you are not joined"},
		{`{"type":"join","kind":"change","group":"test"}`, "", "1002 unknown kind", "1002 unknown kind"},

		{`{"type":"chat","value":"x"}`, "message", done, joinFirst},
		{`{"type":"chat","kind":"me","value":"x"}`, "message", done, joinFirst},
		{`{"type":"chat","kind":"caption","value":"x"}`, "caption", done, joinFirst},
		{`{"type":"chat","kind":"unheard of","value":"x"}`, "message", done, joinFirst},
		{`{"type":"chat","dest":"other","value":"x"}`, "message", done, joinFirst},
		{`{"type":"chat","kind":"caption","dest":"other","value":"x"}`, "caption", done, joinFirst},
		{`{"type":"chat","dest":"nobody","value":"x"}`, "message", "user unknown", joinFirst},
		{`{"type":"usermessage","kind":"info","value":"x"}`, "message", done, joinFirst},
		{`{"type":"usermessage","kind":"caption","value":"x"}`, "message", done, joinFirst},
		{`{"type":"usermessage","kind":"mute","noecho":true}`, "message", done, joinFirst},
		{`{"type":"usermessage","kind":"filetransfer","dest":"other","value":{}}`, "message", done, joinFirst},

		{`{"type":"useraction","kind":"op","dest":"other"}`, "op", done, joinFirst},
		{`{"type":"useraction","kind":"unop","dest":"other"}`, "op", done, joinFirst},
		{`{"type":"useraction","kind":"present","dest":"other"}`, "op", done, joinFirst},
		{`{"type":"useraction","kind":"unpresent","dest":"other"}`, "op", done, joinFirst},
		{`{"type":"useraction","kind":"shutup","dest":"other"}`, "op", done, joinFirst},
		{`{"type":"useraction","kind":"unshutup","dest":"other"}`, "op", done, joinFirst},
		{`{"type":"useraction","kind":"identify","dest":"other"}`, "op", done, joinFirst},
		{`{"type":"useraction","kind":"kick","dest":"other","value":"go"}`, "op", done, joinFirst},
		{`{"type":"useraction","kind":"kick","dest":"me"}`, "op", "1000 kicked out by u", joinFirst},
		{`{"type":"useraction","kind":"setdata","dest":"me","value":{"k":1}}`, "", done, joinFirst},
		{`{"type":"useraction","kind":"setdata","dest":"other","value":{"k":1}}`, "", notAuthorised, joinFirst},
		{`{"type":"useraction","kind":"bless","dest":"other"}`, "", "unknown user action", joinFirst},

		{`{"type":"groupaction","kind":"clearchat"}`, "op", done, joinFirst},
		{`{"type":"groupaction","kind":"lock"}`, "op", done, joinFirst},
		{`{"type":"groupaction","kind":"unlock"}`, "op", done, joinFirst},
		{`{"type":"groupaction","kind":"subgroups"}`, "op", done, joinFirst},
		{`{"type":"groupaction","kind":"setdata","value":{"k":1}}`, "op", done, joinFirst},
		{`{"type":"groupaction","kind":"record"}`, "record", done, joinFirst},
		{`{"type":"groupaction","kind":"unrecord"}`, "record", done, joinFirst},
		{`{"type":"groupaction","kind":"maketoken","value":{"group":"test","expires":1000}}`, "token", done, joinFirst},
		{`{"type":"groupaction","kind":"edittoken","value":{"token":"x"}}`, "op token", "unknown token", joinFirst},
		{`{"type":"groupaction","kind":"listtokens"}`, "op token", done, joinFirst},
		{`{"type":"groupaction","kind":"dance"}`, "", "unknown group action", joinFirst},

		{`{"type":"request","request":{"":["audio"]}}`, "", done, "1011 "},
		{`{"type":"requestStream","id":"s","request":["audio"]}`, "", done, joinFirst},
		{`{"type":"offer","id":"s","sdp":"audio"}`, "present", done, notAuthorised},
		{`{"type":"answer","id":"s","sdp":"x"}`, "", done, done},
		{`{"type":"renegotiate","id":"s"}`, "", done, done},
		{`{"type":"close","id":"s"}`, "", done, done},
		{`{"type":"abort","id":"s"}`, "", done, done},
		{`{"type":"ice","id":"s","candidate":{"candidate":""}}`, "", done, done},

		// What only the server says.
		{`{"type":"joined","kind":"join","group":"test"}`, "", "1002 unexpected message", "1002 unexpected message"},
		{`{"type":"user","kind":"add","id":"x"}`, "", "1002 unexpected message", "1002 unexpected message"},
		{`{"type":"chathistory","value":"x"}`, "", "1002 unexpected message", "1002 unexpected message"},
		{`{"type":""}`, "", "1002 unexpected message", "1002 unexpected message"},
	}
}

// permissionSets maps the named sets of definitions, and lists of permissions, to
// what they permit in a group that may be recorded.
func permissionSets() map[string]string {
	return map[string]string{
		`"op"`:                          "op present message caption token record",
		`"present"`:                     "present message",
		`"message"`:                     "message",
		`"observe"`:                     "",
		`"caption"`:                     "caption",
		`"admin"`:                       "",
		`[]`:                            "",
		`["op"]`:                        "op",
		`["present"]`:                   "present",
		`["message"]`:                   "message",
		`["caption"]`:                   "caption",
		`["token"]`:                     "token",
		`["record"]`:                    "record",
		`["admin"]`:                     "",
		`["system"]`:                    "",
		`["op","token"]`:                "op token",
		`["present","message","token"]`: "present message token",
		`["unheard of"]`:                "",
	}
}

// matrixGroup has the sender with a set of permissions, and an operator.
func matrixGroup(set string) map[string]string {
	return map[string]string{"test": `{"allow-recording":true,"users":{
		"u":{"password":"x","permissions":` + set + `},"o":{"password":"x","permissions":"op"}}}`}
}

func TestWhoMaySendWhat(t *testing.T) {
	t.Parallel()
	for set, permitted := range permissionSets() {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			for _, r := range rules() {
				withBench(t, matrixGroup(set), func(b *bench) { checkInside(b, set, strings.Fields(permitted), r) })
			}
		})
	}
	t.Run("outside", func(t *testing.T) {
		t.Parallel()
		for _, r := range rules() {
			withBench(t, matrixGroup(`"op"`), func(b *bench) {
				b.server.recorder = &fakeRecorder{}
				other := b.joined("other", "test", "o", "x")
				if got := b.greeted("me").outcome(r.message); got != r.outside {
					b.t.Errorf("in no group: %s: %s, want %s", r.message, got, r.outside)
				}
				if r.outside == joinFirst || r.outside == notAuthorised {
					other.expectNothing()
				}
			})
		}
	})
}

func checkInside(b *bench, set string, permitted []string, r rule) {
	b.t.Helper()
	b.server.recorder = &fakeRecorder{}
	other := b.joined("other", "test", "o", "x")
	me := b.joined("me", "test", "u", "x")
	want := r.inside
	for _, p := range strings.Fields(r.needs) {
		if !slices.Contains(permitted, p) {
			want = notAuthorised
		}
	}
	if got := me.outcome(r.message); got != want {
		b.t.Errorf("with %s: %s: %s, want %s", set, r.message, got, want)
	}
	if want == notAuthorised {
		other.expectNothing()
	}
}

// outcome sends a message and says what becomes of it.
func (c *client) outcome(message string) string {
	c.send("%s", message)
	synctest.Wait()
	result := done
	for {
		frame, ok := c.pipe.received()
		if !ok {
			break
		}
		var m struct{ Type, Kind, Error, Value any }
		if err := json.Unmarshal(frame, &m); err != nil {
			c.t.Fatalf("%s: %v", frame, err)
		}
		if m.Type == "usermessage" && (m.Kind == "error" || m.Error != nil) {
			result = fmt.Sprint(m.Value)
		}
	}
	if code, reason, over := c.pipe.end(); over {
		result = fmt.Sprintf("%d %s", code, reason)
	}
	return result
}

// Whoever adds a kind of message must say here who may send it.
func TestEveryKindOfMessageHasARule(t *testing.T) {
	t.Parallel()
	types, users, groups := make(map[string]bool), make(map[string]bool), make(map[string]bool)
	for _, r := range rules() {
		var m struct{ Type, Kind string }
		if err := json.Unmarshal([]byte(r.message), &m); err != nil {
			t.Fatalf("%s: %v", r.message, err)
		}
		types[m.Type] = true
		switch m.Type {
		case typeUserAction:
			users[m.Kind] = true
		case typeGroupAction:
			groups[m.Kind] = true
		}
	}
	for _, tt := range []struct {
		what  string
		known []string
		ruled map[string]bool
	}{
		{"type", slices.Collect(maps.Keys(routes)), types},
		{"useraction", slices.Collect(maps.Keys(userActions)), users},
		{"groupaction", slices.Collect(maps.Keys(groupActions)), groups},
	} {
		for _, name := range tt.known {
			if !tt.ruled[name] {
				t.Errorf("there is no rule for %s %q", tt.what, name)
			}
		}
	}
}

// fakeRecorder is a recorder that joins groups and records nothing.
type fakeRecorder struct {
	fails error

	mu      sync.Mutex // guards members
	members map[*group.Group]*group.Member
}

func (r *fakeRecorder) Record(g *group.Group) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fails != nil {
		return r.fails
	}
	if r.members[g] != nil {
		return ErrRecording
	}
	m, err := g.JoinSystem("RECORDING", group.Newcomer{ID: "recorder"})
	if err != nil {
		return err
	}
	if r.members == nil {
		r.members = make(map[*group.Group]*group.Member)
	}
	r.members[g] = m
	return nil
}

func (r *fakeRecorder) Unrecord(g *group.Group) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.members[g]; m != nil {
		m.Leave()
		delete(r.members, g)
	}
}

func TestRecordingIsTheRecordersAffair(t *testing.T) {
	t.Parallel()
	withBench(t, matrixGroup(`["record"]`), func(b *bench) {
		r := &fakeRecorder{}
		b.server.recorder = r
		other := b.joined("other", "test", "o", "x")
		me := b.joined("me", "test", "u", "x")
		me.send(`{"type":"groupaction","kind":"unrecord"}`)
		me.expectNothing()
		me.send(`{"type":"groupaction","kind":"record"}`)
		const recorder = `{"type":"user","kind":"add","id":"recorder","username":"RECORDING","permissions":["system"]}`
		me.expect(recorder)
		other.expect(recorder)
		me.send(`{"type":"groupaction","kind":"record"}`)
		me.expectError("already recording")
		other.send(`{"type":"chat","dest":"recorder","value":"x"}`)
		other.expectError("this user doesn't chat")
		other.send(`{"type":"useraction","kind":"op","dest":"recorder"}`)
		other.expectError("this is not a real user")
		me.send(`{"type":"groupaction","kind":"unrecord"}`)
		const gone = `{"type":"user","kind":"delete","id":"recorder","username":"RECORDING"}`
		me.expect(gone)
		other.expect(gone)

		r.fails = errors.New("no room on the disk")
		me.send(`{"type":"groupaction","kind":"record"}`)
		me.expectError("the recording could not be started")
		me.send(`{"type":"ping"}`)
		me.expect(`{"type":"pong"}`)
	})
}
