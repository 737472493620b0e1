package signalling

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever a client says, it harms nobody but itself: nothing panics, what others
// get from it is well formed and in its name, only an operator's is privileged,
// clients elsewhere notice nothing, and nothing of it is left when it has gone.
func FuzzMessages(f *testing.F) {
	for _, r := range rules() {
		f.Add(true, r.message)
		f.Add(false, r.message)
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		contents, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var said []string
		for line := range strings.Lines(string(contents)) {
			if _, message, ok := strings.Cut(line, "> "); ok {
				said = append(said, strings.TrimSpace(message))
			}
		}
		f.Add(true, strings.Join(said, "\n"))
	}
	dir := f.TempDir()
	contents := matrixGroup(`"present"`)["test"]
	for _, name := range []string{"test", "elsewhere"} {
		if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(contents), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, op bool, messages string) {
		if strings.Contains(messages, "panic") {
			t.Skip("the engine would") // see fakeEngine
		}
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, Limits{}, dir)
			defer b.stop()
			fuzzMessages(b, op, messages)
		})
	})
}

func fuzzMessages(b *bench, op bool, messages string) {
	b.t.Helper()
	username := "u"
	if op {
		username = "o"
	}
	bystander := b.joined("bystander", "elsewhere", "o", "x")
	other := b.joined("other", "test", "o", "x")
	me := b.joined("me", "test", username, "x")
	for message := range strings.Lines(messages) {
		me.send("%s", strings.TrimSuffix(message, "\n"))
	}
	synctest.Wait()
	time.Sleep(time.Second) // some replies are delayed
	other.checkHeard(op)
	me.goAway()
	synctest.Wait()

	bystander.send(`{"type":"ping"}`)
	bystander.expect(`{"type":"pong"}`)
	bystander.expectNothing()
	for session := range b.server.sessions {
		if session.id == "me" {
			b.t.Error("the session goes on")
		}
	}
}

// checkHeard looks at all that a client was told about one called me.
func (c *client) checkHeard(mayBePrivileged bool) {
	c.t.Helper()
	for synctest.Wait(); ; {
		frame, ok := c.pipe.received()
		if !ok {
			return
		}
		var m struct {
			Type, Source string
			Privileged   bool
		}
		if err := json.Unmarshal(frame, &m); err != nil || m.Type == "" {
			c.t.Errorf("%v got %q: %v", c.name, frame, err)
		}
		if m.Source != "" && m.Source != "me" || m.Source == "me" && m.Privileged && !mayBePrivileged {
			c.t.Errorf("%v got %s in the name of somebody else", c.name, frame)
		}
	}
}

// A description either is refused, in words that clients know, or says no more
// than its fields.
func FuzzTokenOf(f *testing.F) {
	for _, seed := range []string{
		`{"group":"g","expires":1000,"permissions":["op"],"username":"u"}`,
		`{"expires":"2030-01-01T00:00:00Z","not-before":-1e3}`,
		`{"token":null,"expires":1e300}`, `[]`, `null`, ``, `{"permissions":[null]}`,
	} {
		f.Add([]byte(seed))
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := tokenOf(data, now)
		if err != nil {
			if _, ok := err.(*userError); !ok { //nolint:errorlint // it is not wrapped
				t.Errorf("tokenOf(%q) = %v, want words for the client", data, err)
			}
			return
		}
		if _, err := json.Marshal(got); err != nil {
			t.Errorf("tokenOf(%q) = %+v, which cannot be sent: %v", data, got, err)
		}
	})
}
