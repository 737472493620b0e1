package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// stopTimeout is how long a process may take to end once it has been told.
const stopTimeout = 10 * time.Second

// child is a process that this program has started. It announces what it is at
// by lines on standard error, and prints its result to standard output.
type child struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout bytes.Buffer // may be read once done is closed
	stderr *announcements
	done   chan struct{} // closed when the process has ended
	err    error         // how; may be read once done is closed
}

// startChild starts a process, which is told to end when ctx ends.
func startChild(ctx context.Context, name, binary string, args ...string) (*child, error) {
	return startChildWith(ctx, nil, name, binary, args...)
}

// startChildWith is like startChild, with some more environment variables.
func startChildWith(ctx context.Context, environment []string, name, binary string, args ...string) (*child, error) {
	c := &child{
		name: name, stderr: newAnnouncements(), done: make(chan struct{}),
		cmd: exec.CommandContext(ctx, binary, args...), //nolint:gosec // the user has named it
	}
	c.cmd.Env = append(os.Environ(), environment...)
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(os.Interrupt) }
	c.cmd.WaitDelay = stopTimeout
	c.cmd.Stdout, c.cmd.Stderr = &c.stdout, c.stderr
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.stdin = stdin
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { // stop awaits it
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// await waits for an announcement that begins with prefix, and returns its rest.
func (c *child) await(ctx context.Context, prefix string) (string, error) {
	for {
		select {
		case line := <-c.stderr.lines:
			if rest, ok := strings.CutPrefix(line, prefix); ok {
				return strings.TrimSpace(rest), nil
			}
		case <-c.done:
			return "", c.failure("has ended before it announced " + prefix)
		case <-ctx.Done():
			return "", c.failure("has not announced " + prefix)
		}
	}
}

// result ends the process's standard input, waits for its end, and decodes what
// it has printed.
func (c *child) result(ctx context.Context, into any) error {
	_ = c.stdin.Close() // it may have ended already
	select {
	case <-c.done:
	case <-ctx.Done():
		return c.failure("does not end")
	}
	if err := json.Unmarshal(c.stdout.Bytes(), into); err != nil {
		if c.err != nil {
			return c.failure(c.err.Error())
		}
		return fmt.Errorf("%s: result: %w", c.name, err)
	}
	return nil
}

// failure is an error with what the process has said last.
func (c *child) failure(what string) error {
	return fmt.Errorf("%s %s; it printed:\n%s", c.name, what, c.stderr.tail())
}

// stop ends the process, if it still runs, and waits until it has ended.
func (c *child) stop() {
	_ = c.stdin.Close()
	_ = c.cmd.Process.Signal(os.Interrupt) // it may have ended already
	select {
	case <-c.done:
	case <-time.After(stopTimeout):
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

// maxTail is how much of what a process says is kept, in octets.
const maxTail = 1 << 13

// announcements takes what a process prints to standard error, and hands on the
// lines that announce something.
type announcements struct {
	lines chan string // the reader may leave some

	mu   sync.Mutex // guards the fields below
	last []byte     // what was printed last
	part []byte     // of a line that has not ended
}

func newAnnouncements() *announcements {
	return &announcements{lines: make(chan string, 16)}
}

// Write never fails for the process's sake: it keeps what fits.
func (a *announcements) Write(b []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = append(a.last, b...)
	a.last = a.last[max(0, len(a.last)-maxTail):]
	a.part = append(a.part, b...)
	for {
		line, rest, ok := bytes.Cut(a.part, []byte("\n"))
		if !ok {
			break
		}
		if s := string(line); announces(s) {
			select {
			case a.lines <- s:
			default: // nobody has asked for as many
			}
		}
		a.part = rest
	}
	if len(a.part) > maxTail {
		a.part = nil
	}
	return len(b), nil
}

// announces tells whether a line announces something.
func announces(line string) bool {
	return slices.ContainsFunc([]string{announceMeasure, announcePorts, announceThread}, func(prefix string) bool {
		return strings.HasPrefix(line, prefix)
	})
}

func (a *announcements) tail() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return string(a.last)
}
