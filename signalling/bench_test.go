package signalling

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"galene/config"
	"galene/group"
	"galene/token"
)

// bench is a server with clients in memory, under a fake clock: everything that
// can happen has happened before a client looks at what it has received.
type bench struct {
	t      *testing.T
	server *Server
	engine *fakeEngine
	// settings may be changed before clients connect.
	settings *config.Settings
	journal  *bytes.Buffer  // what was logged; to be read when nothing goes on
	panics   bool           // a panic is expected
	names    map[string]any // values bound by $NAME in patterns
	clients  map[string]*client
	order    []*client
	serving  sync.WaitGroup
	cancel   context.CancelFunc
	ctx      context.Context
}

// client is one end of a memory pipe.
type client struct {
	*bench
	name string
	pipe *memoryPipe
	over bool // the end has been looked at
	// streams is what the client receives, as far as it has looked.
	streams map[string]bool
}

// withBench runs f with groups whose files have the given contents.
func withBench(t *testing.T, groups map[string]string, f func(b *bench)) {
	t.Helper()
	withLimits(t, Limits{}, groups, f)
}

func withLimits(t *testing.T, l Limits, groups map[string]string, f func(b *bench)) {
	t.Helper()
	dir := t.TempDir()
	for name, contents := range groups {
		writeGroup(t, dir, name, contents)
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, l, dir)
		defer b.stop()
		f(b)
	})
}

func writeGroup(t *testing.T, dir, name, contents string) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name)+".json")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(contents), 0o600); err != nil {
		t.Fatal(err)
	}
}

func newBench(t *testing.T, l Limits, dir string) *bench {
	t.Helper()
	settings := &config.Settings{}
	var journal bytes.Buffer
	log := slog.New(slog.NewTextHandler(&journal, nil))
	tokens, err := token.Open(filepath.Join(t.TempDir(), "tokens.jsonl"), log)
	if err != nil {
		t.Fatal(err)
	}
	registry := group.NewRegistry(group.Options{
		Directory: dir, Settings: func() *config.Settings { return settings }, Tokens: tokens, Log: log,
	})
	b := &bench{
		t: t, engine: &fakeEngine{}, settings: settings, journal: &journal,
		names: make(map[string]any), clients: make(map[string]*client),
	}
	b.server = newServer(Options{
		Registry: registry, Log: log, Limits: l,
		Configured: func() config.Limits { return settings.Limits },
	}, b.engine)
	b.ctx, b.cancel = context.WithCancel(t.Context())
	return b
}

// stop ends all sessions; nothing of them may be left.
func (b *bench) stop() {
	b.cancel()
	b.serving.Wait()
	if got := strings.Contains(b.journal.String(), "panic in session"); got != b.panics {
		b.t.Errorf("a session panicked: %v, want %v; the log:\n%s", got, b.panics, b.journal)
	}
	if ups, downs := b.engine.open(); ups+downs > 0 {
		b.t.Errorf("%d up and %d down connections are still open at the end", ups, downs)
	}
}

// client returns the client of that name, which is connected if it is new.
func (b *bench) client(name string) *client {
	if c := b.clients[name]; c != nil {
		return c
	}
	c := &client{bench: b, name: name, pipe: newMemoryPipe()}
	b.clients[name] = c
	b.order = append(b.order, c)
	b.serving.Go(func() { b.server.Serve(b.ctx, c.pipe, "192.0.2.1:1234") })
	return c
}

// greeted returns a new client that has shaken hands. Its id is its name.
func (b *bench) greeted(name string) *client {
	b.t.Helper()
	c := b.client(name)
	c.send(`{"type":"handshake","version":["2"],"id":%q}`, name)
	c.expect(`{"type":"handshake","version":["2"]}`)
	return c
}

// joined returns a new client that is in a group. What everybody is told about
// that has been received.
func (b *bench) joined(name, in, username, password string) *client {
	b.t.Helper()
	c := b.greeted(name)
	c.send(`{"type":"join","kind":"join","group":%q,"username":%q,"password":%q}`, in, username, password)
	m := c.next()
	if m["type"] != "joined" || m["kind"] != "join" {
		b.t.Fatalf("%v joins %v as %v: got %v", name, in, username, m)
	}
	for _, c := range b.order {
		c.forget()
	}
	return c
}

func (c *client) send(format string, args ...any) {
	c.t.Helper()
	frame := format
	if len(args) > 0 {
		frame = fmt.Sprintf(format, args...)
	}
	c.pipe.in <- []byte(frame)
}

// forget drops what was received.
func (c *client) forget() {
	synctest.Wait()
	for {
		if _, ok := c.pipe.received(); !ok {
			return
		}
	}
}

// next returns the next message, which must be there.
func (c *client) next() map[string]any {
	c.t.Helper()
	synctest.Wait()
	frame, ok := c.pipe.received()
	if !ok {
		code, reason, over := c.pipe.end()
		c.t.Fatalf("%v got nothing, want a message (ended %v, %d %q)", c.name, over, code, reason)
	}
	var m map[string]any
	if err := json.Unmarshal(frame, &m); err != nil {
		c.t.Fatalf("%v got %q: %v", c.name, frame, err)
	}
	return m
}

// expect compares the next message with a pattern; see match.
func (c *client) expect(pattern string) {
	c.t.Helper()
	var want any
	if err := json.Unmarshal([]byte(pattern), &want); err != nil {
		c.t.Fatalf("pattern %q: %v", pattern, err)
	}
	got := c.next()
	if !c.match(got, want) {
		b, _ := json.Marshal(got)
		c.t.Fatalf("%v got  %s\n     want %v", c.name, b, pattern)
	}
}

// expectNothing checks that all messages have been looked at.
func (c *client) expectNothing() {
	c.t.Helper()
	synctest.Wait()
	if frame, ok := c.pipe.received(); ok {
		c.t.Fatalf("%v got %s, want nothing", c.name, frame)
	}
	if code, reason, over := c.pipe.end(); over && !c.over {
		c.t.Fatalf("%v was closed with %d %q, want nothing", c.name, code, reason)
	}
}

// expectEnd checks that the connection was closed, after all that was expected
// before. Code 0 is for a connection that was cut.
func (c *client) expectEnd(code int, reason string) {
	c.t.Helper()
	synctest.Wait()
	c.over = true
	if frame, ok := c.pipe.received(); ok {
		c.t.Fatalf("%v got %s, want the end", c.name, frame)
	}
	gotCode, gotReason, over := c.pipe.end()
	if !over || gotCode != code || gotReason != reason {
		c.t.Fatalf("%v ended %v with %d %q, want %d %q", c.name, over, gotCode, gotReason, code, reason)
	}
}

// leave closes the client's side and takes what it still gets.
func (c *client) goAway() {
	close(c.pipe.in)
	synctest.Wait()
	c.forget()
	c.over = true
}

// match compares what was received with a pattern. In a pattern the text "$any"
// stands for any value, "$time" for a time of now, and another text with a
// dollar in front for a value that is the same wherever that text is.
func (b *bench) match(got, want any) bool {
	switch want := want.(type) {
	case string:
		if strings.HasPrefix(want, "$") {
			return b.matchName(got, want)
		}
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(want) {
			return false
		}
		for key, w := range want {
			if v, there := g[key]; !there || !b.match(v, w) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			return false
		}
		for i := range want {
			if !b.match(g[i], want[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(got, want)
}

func (b *bench) matchName(got any, name string) bool {
	switch name {
	case "$any":
		return true
	case "$time":
		s, _ := got.(string)
		at, err := time.Parse(time.RFC3339, s)
		return err == nil && time.Since(at) >= 0 && time.Since(at) <= time.Second
	}
	if value, bound := b.names[name]; bound {
		return reflect.DeepEqual(got, value)
	}
	b.names[name] = got
	return true
}
