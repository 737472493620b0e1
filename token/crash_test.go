package token

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The test runs itself again with crashVariable naming a directory; that process
// then does nothing but change tokens there, until it is killed. roundsVariable
// says how often.
const (
	crashVariable  = "GALENE_CRASH_DIRECTORY"
	roundsVariable = "GALENE_CRASH_ROUNDS"
	crashRounds    = 50
	crashWorkers   = 2
)

// crash changes tokens for ever. Each worker has tokens of its own, and says on
// standard output what it is about to do, and that it was acknowledged.
func crash(directory string) {
	s, err := Open(filepath.Join(directory, "tokens.jsonl"), nil)
	if err != nil {
		panic(err)
	}
	var output sync.Mutex
	say := func(words ...any) {
		output.Lock()
		defer output.Unlock()
		fmt.Println(words...)
	}
	var wg sync.WaitGroup
	for w := range crashWorkers {
		wg.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				long := strings.Repeat("x", rand.IntN(900))
				token := &Token{Token: name, Group: "g", Username: &long, Expires: in(time.Hour)}
				do := func(what string, f func() error) {
					say("begin", name, what)
					if err := f(); err != nil {
						panic(err)
					}
					say("done", name, what)
				}
				do("1", func() error { _, err := s.Add(token); return err })
				if rand.IntN(2) == 0 {
					token.Permissions = []string{"2"}
					do("2", func() error { _, err := s.Update(token, AnyTag); return err })
				}
				if rand.IntN(3) > 0 {
					do("0", func() error { return s.Delete(name, AnyTag) })
				}
			}
		})
	}
	wg.Wait()
}

// ledger is what a process has said about each token: "1" if it was added, "2"
// if it was updated, "0" if it was deleted.
type ledger struct {
	done, begun map[string]string
}

// read takes note of what a process says until its output ends. A last line
// without an end was not said.
func (l *ledger) read(output io.Reader) (count int) {
	reader := bufio.NewReader(output)
	for {
		text, err := reader.ReadString('\n')
		if err != nil {
			return count
		}
		words := strings.Fields(text)
		if words[0] == "begin" {
			l.begun[words[1]] = words[2]
		} else {
			l.done[words[1]] = words[2]
			count++
		}
	}
}

// A process that is killed in the midst of changing tokens loses nothing that it
// has acknowledged. The line that it was writing may be torn; after the next
// start none is, and no file is left behind.
func TestNothingAcknowledgedIsLostInACrash(t *testing.T) {
	t.Parallel()
	rounds := crashRounds
	if text := os.Getenv(roundsVariable); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		rounds = n
	}
	directory := t.TempDir()
	l := ledger{make(map[string]string), make(map[string]string)}
	acknowledged, leftovers, torn := 0, 0, 0
	for round := range rounds {
		acknowledged += killOne(t, directory, &l)
		left, err := filepath.Glob(filepath.Join(directory, "*"+temporary))
		if err != nil {
			t.Fatal(err)
		}
		leftovers += len(left)
		torn += tornLines(t, directory)
		if checkLedger(t, directory, &l); t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	t.Logf("%d rounds, %d changes acknowledged, %d temporary files and %d torn lines removed",
		rounds, acknowledged, leftovers, torn)
	if acknowledged == 0 {
		t.Errorf("nothing was acknowledged in %d rounds, which shows nothing", rounds)
	}
}

// killOne runs a process for a random time, and kills it.
func killOne(t *testing.T, directory string, l *ledger) (acknowledged int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	command := exec.CommandContext(ctx, os.Args[0]) // killed when ctx ends
	command.Env = append(os.Environ(), crashVariable+"="+directory)
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	command.Stderr = &complaints
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(output)
	if _, err := reader.Peek(1); err != nil { // it has begun
		t.Fatalf("%v: %s", err, complaints.String())
	}
	time.AfterFunc(time.Duration(rand.IntN(60_000))*time.Microsecond, cancel)
	acknowledged = l.read(reader)
	if err := command.Wait(); complaints.Len() > 0 {
		t.Fatalf("%v: %s", err, complaints.String())
	}
	return acknowledged
}

// checkLedger compares the file with what was acknowledged. What was begun may
// have been done or not.
func checkLedger(t *testing.T, directory string, l *ledger) {
	t.Helper()
	s := &shelf{tb: t, path: filepath.Join(directory, "tokens.jsonl")}
	s.open()
	if n := tornLines(t, directory); n != 0 {
		t.Errorf("%d torn lines after a start; log:\n%s", n, s.log)
	}
	for name, begun := range l.begun {
		state := "0"
		token, err := s.Get(name)
		switch {
		case errors.Is(err, ErrNotExist):
		case err != nil:
			t.Fatal(err)
		case len(token.Permissions) == 1:
			state = "2"
		default:
			state = "1"
		}
		done, ok := l.done[name]
		if !ok {
			done = "0"
		}
		if state != done && state != begun {
			t.Errorf("token %s is in state %s; acknowledged %s, begun %s", name, state, done, begun)
		}
		delete(l.begun, name)
		if l.done[name] = state; state == "0" {
			delete(l.done, name)
			continue
		}
		l.begun[name] = state // it has to stay from now on
	}
	if left, err := filepath.Glob(filepath.Join(directory, "*"+temporary)); err != nil || left != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// tornLines counts the lines of the file that are no token. There can be one,
// the last.
func tornLines(t *testing.T, directory string) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(directory, "tokens.jsonl"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	_, problems := parse(data)
	if len(problems) > 1 || len(problems) == 1 && strings.HasSuffix(string(data), "\n") {
		t.Errorf("%d torn lines, want at most the last one", len(problems))
	}
	return len(problems)
}
