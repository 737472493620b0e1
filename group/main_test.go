package group

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"galene/mailbox"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirectory); dir != "" {
		writeUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

// ops is a definition with one user of each kind; passwords are "secret".
const ops = `{"users":{
	"op":{"password":"secret","permissions":"op"},
	"op2":{"password":"secret","permissions":"op"},
	"presenter":{"password":"secret","permissions":"present"},
	"listener":{"password":"secret","permissions":"message"}},
	"wildcard-user":{"password":"guest","permissions":"present"}}`

// house is a registry with a directory of its own.
type house struct {
	*Registry
	tb  testing.TB
	dir string
}

// newHouse makes a registry with definitions, by the names of their groups.
func newHouse(tb testing.TB, definitions map[string]string) *house {
	tb.Helper()
	h := &house{tb: tb, dir: tb.TempDir()}
	for name, data := range definitions {
		h.define(name, data)
	}
	h.Registry = NewRegistry(Options{Directory: h.dir, PollOnly: true, Log: slog.New(slog.DiscardHandler)})
	return h
}

// scan looks at all files, as the registry does when it starts to run.
func (h *house) scan() {
	h.tb.Helper()
	(&scanner{registry: h.Registry, watcher: newWatcher(true, h.log)}).scan(h.tb.Context())
}

func (h *house) define(name, data string) {
	h.tb.Helper()
	path := filepath.Join(h.dir, name+".json")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		h.tb.Fatal(err)
	}
}

func (h *house) undefine(name string) {
	h.tb.Helper()
	if err := os.Remove(filepath.Join(h.dir, name+".json")); err != nil {
		h.tb.Fatal(err)
	}
}

// peer is a member with what has reached it.
type peer struct {
	*Member
	tb  testing.TB
	box *mailbox.Mailbox[*Event]
}

// try joins group as username, who is also the id, and reports the refusal.
func (h *house) try(group, id, username, password string) (*peer, *JoinError) {
	h.tb.Helper()
	return h.tryAs(group, Credentials{Username: &username, Password: password}, Newcomer{ID: id})
}

func (h *house) tryAs(group string, c Credentials, n Newcomer) (*peer, *JoinError) {
	h.tb.Helper()
	n.Mailbox = mailbox.New[*Event](10_000)
	m, err := h.Join(h.tb.Context(), group, c, n)
	if err != nil {
		refusal, ok := errors.AsType[*JoinError](err)
		if !ok {
			h.tb.Fatalf("Join(%q) = %v, want a JoinError", group, err)
		}
		return &peer{tb: h.tb, box: n.Mailbox}, refusal
	}
	return &peer{Member: m, tb: h.tb, box: n.Mailbox}, nil
}

// join joins group as one of the users of ops; the id is the username.
func (h *house) join(group, username string) *peer {
	h.tb.Helper()
	p, refusal := h.try(group, username, username, "secret")
	if refusal != nil {
		h.tb.Fatalf("%s cannot join %s: %v", username, group, refusal)
	}
	return p
}

// take returns the bodies of the events since the last call.
func (p *peer) take() []any {
	p.tb.Helper()
	events, overflow := p.box.Take(nil)
	if overflow {
		p.tb.Fatal("mailbox overflowed")
	}
	bodies := make([]any, 0, len(events))
	for _, event := range events {
		if p.Member != nil && event.Group != p.Group() {
			p.tb.Errorf("event of group %q reached a member of %q", event.Group.Name(), p.Group().Name())
		}
		bodies = append(bodies, event.Body)
	}
	return bodies
}

// pick returns those of bodies that are of type T.
func pick[T any](bodies []any) []T {
	var picked []T
	for _, body := range bodies {
		if b, ok := body.(T); ok {
			picked = append(picked, b)
		}
	}
	return picked
}

// one returns the only event of type T since the last call.
func one[T any](p *peer) T {
	p.tb.Helper()
	bodies := p.take()
	picked := pick[T](bodies)
	if len(picked) != 1 {
		p.tb.Fatalf("%d events of type %T in %+v, want 1", len(picked), *new(T), bodies)
	}
	return picked[0]
}
