package signalling

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"galene/rtpconn"
)

// The files in testdata are conversations with the server, one case a file:
//
//	# comment
//	group test {"users": …}   the file of a group; before all else
//	a greets                  client a connects and shakes hands; its id is a
//	a joins test anna secret  … and joins as anna; nobody looks at the news
//	a> {"type": "ping"}       a sends; a new client connects
//	a< {"type": "pong"}       a receives
//	a! 1002 unexpected …      the server closes, with code and reason
//	a! cut                    the server drops the connection
//	a leaves                  a closes its connection
//	a stream s fails          ICE fails on the connection that publishes s
//	a stream s breaks         … that cannot go on
//	a stream s gathers c      … has candidate c for the client
//	a stream s has audio h l  … has other tracks now
//	a copy s fails            the same for the connection over which s is received
//	a copy s moves            … whose peer speaks from another address
//	wait 20s
//
// Patterns are those of [bench.match]; a name that was bound in one is replaced
// by its value in what is sent. At the end nobody may have received anything
// that is not in the file.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			contents, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			runTranscript(t, file, string(contents))
		})
	}
}

func runTranscript(t *testing.T, file, contents string) {
	t.Helper()
	groups := make(map[string]string)
	var lines []string
	for i, line := range strings.Split(contents, "\n") {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "group "); ok {
			name, description, _ := strings.Cut(rest, " ")
			groups[name] = description
			line = ""
		}
		if line != "" && line[0] != '#' {
			lines = append(lines, strconv.Itoa(i+1)+" "+line)
		}
	}
	withBench(t, groups, func(b *bench) {
		t := b.t
		at := ""
		defer func() {
			if t.Failed() {
				t.Logf("at %v:%v", file, at)
			}
		}()
		for _, line := range lines {
			number, line, _ := strings.Cut(line, " ")
			at = number + ": " + line
			b.play(line)
		}
		at = "end"
		for _, c := range b.order {
			c.expectNothing()
		}
	})
}

// play does what one line of a transcript says.
func (b *bench) play(line string) {
	b.t.Helper()
	if d, ok := strings.CutPrefix(line, "wait "); ok {
		wait, err := time.ParseDuration(d)
		if err != nil {
			b.t.Fatal(err)
		}
		time.Sleep(wait)
		synctest.Wait()
		return
	}
	subject, rest, _ := strings.Cut(line, " ")
	name := strings.TrimRight(subject, "<>!")
	switch strings.TrimPrefix(subject, name) {
	case ">":
		b.client(name).send("%s", b.substitute(rest))
	case "<":
		b.client(name).expect(rest)
	case "!":
		b.playEnd(b.client(name), rest)
	default:
		b.playAction(name, strings.Fields(rest))
	}
}

func (b *bench) playEnd(c *client, rest string) {
	b.t.Helper()
	if rest == "cut" {
		c.expectEnd(0, "")
		return
	}
	number, reason, _ := strings.Cut(rest, " ")
	code, err := strconv.Atoi(number)
	if err != nil {
		b.t.Fatal(err)
	}
	c.expectEnd(code, reason)
}

func (b *bench) playAction(name string, words []string) {
	b.t.Helper()
	words = append(words, "", "", "", "")
	switch words[0] {
	case "greets":
		b.greeted(name)
	case "joins":
		b.joined(name, words[1], words[2], words[3])
	case "leaves":
		b.client(name).goAway()
	case "stream":
		u := b.upOf(words[1])
		if words[2] == "has" {
			if _, err := u.Offer(strings.Join(words[3:], " ")); err != nil {
				b.t.Fatal(err)
			}
			u.config.Events.Changed()
			return
		}
		b.playEvent(u.config.Events, words[2], words[3])
	case "copy":
		b.playEvent(b.downOf(words[1]).config.Events, words[2], words[3])
	default:
		b.t.Fatalf("%v cannot %q", name, words[0])
	}
}

// playEvent is what a connection tells its session.
func (b *bench) playEvent(e rtpconn.Events, what, candidate string) {
	b.t.Helper()
	switch what {
	case "fails":
		e.Failed()
	case "moves":
		e.Moved()
	case "waits":
		e.Renegotiate()
	case "expires":
		e.Broken(&rtpconn.NegotiationError{Text: "no answer"})
	case "breaks":
		e.Broken(errors.New("asked for by a test"))
	case "gathers":
		mid, index := "0", uint16(0)
		e.Candidate(rtpconn.Candidate{Candidate: candidate, SDPMid: &mid, SDPMLineIndex: &index})
	default:
		b.t.Fatalf("connections cannot %q", what)
	}
}

// upOf returns the open connection of the stream with that id.
func (b *bench) upOf(id string) *fakeUp {
	b.t.Helper()
	synctest.Wait()
	b.engine.mu.Lock()
	defer b.engine.mu.Unlock()
	for _, u := range b.engine.ups {
		if u.config.ID == id && !u.closed {
			return u
		}
	}
	b.t.Fatalf("nobody sends %v", id)
	return nil
}

// downOf returns the first open connection over which a stream is received.
func (b *bench) downOf(id string) *fakeDown {
	b.t.Helper()
	synctest.Wait()
	b.engine.mu.Lock()
	defer b.engine.mu.Unlock()
	for _, d := range b.engine.downs {
		if d.config.Up.ID() == id && !d.closed {
			return d
		}
	}
	b.t.Fatalf("nobody receives %v", id)
	return nil
}

// substitute replaces names that are bound to texts.
func (b *bench) substitute(s string) string {
	for name, value := range b.names {
		if text, ok := value.(string); ok {
			s = strings.ReplaceAll(s, name, text)
		}
	}
	return s
}
