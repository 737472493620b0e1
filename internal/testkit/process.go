package testkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Process is a server in a process of its own, as its users run it.
type Process struct {
	// HTTP and WebSocket are the server's base URLs, without a slash at the
	// end.
	HTTP, WebSocket string

	command *exec.Cmd
	log     *journal
}

// BuildServer builds the command in directory, and returns the program, which is
// there until the test ends.
func BuildServer(tb testing.TB, directory string) (program string) {
	tb.Helper()
	program = filepath.Join(tb.TempDir(), "server")
	build := exec.CommandContext(tb.Context(), "go", "build", "-o", program, ".")
	build.Dir = directory
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// StartProcess builds the command in directory and runs it until the test ends.
func StartProcess(tb testing.TB, directory string, o ServerOptions) *Process {
	tb.Helper()
	return StartProgram(tb, BuildServer(tb, directory), o)
}

// StartProgram runs what [BuildServer] has built until the test ends.
func StartProgram(tb testing.TB, program string, o ServerOptions) *Process {
	tb.Helper()
	p := &Process{log: newJournal()}
	address := p.log.address
	p.command = exec.CommandContext(context.WithoutCancel(tb.Context()), program, o.arguments(tb)...)
	p.command.Stdout, p.command.Stderr = p.log, p.log
	if err := p.command.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.stop(tb) })
	select {
	case a := <-address:
		p.HTTP, p.WebSocket = o.urls(a)
	case <-time.After(Patience):
		tb.Fatal("the server does not listen")
	}
	return p
}

// stop tells the server to end, and kills it if it does not.
func (p *Process) stop(tb testing.TB) {
	tb.Helper()
	kill := time.AfterFunc(Patience, func() { _ = p.command.Process.Kill() })
	defer kill.Stop()
	_ = p.command.Process.Signal(os.Interrupt) // it may have ended already
	if err := p.command.Wait(); err != nil {
		tb.Errorf("the server ended with %v", err)
	}
	if tb.Failed() {
		tb.Logf("the server's log:\n%s", p.log)
	}
}

// Endpoint is where clients connect.
func (p *Process) Endpoint() string { return p.WebSocket + "/ws" }

// Log is what the server has printed so far.
func (p *Process) Log() string { return p.log.String() }

// CPU is the processor time that the server's threads have used so far. The
// Linux scheduler counts it in nanoseconds; elsewhere the error is
// [errors.ErrUnsupported].
func (p *Process) CPU() (time.Duration, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.command.Process.Pid))
	if err != nil || len(tasks) == 0 {
		return 0, fmt.Errorf("no scheduler statistics: %w", errors.ErrUnsupported)
	}
	var total time.Duration
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if errors.Is(err, os.ErrNotExist) {
			continue // the thread has ended
		}
		if err != nil {
			return 0, err
		}
		first, _, _ := strings.Cut(string(text), " ")
		nanos, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", task, err)
		}
		total += time.Duration(nanos)
	}
	return total, nil
}

// Memory is how many bytes of the server's memory are resident, as Linux counts
// them; elsewhere the error is [errors.ErrUnsupported].
func (p *Process) Memory() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("no process status: %w", errors.ErrUnsupported)
	}
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("no resident set size: %w", errors.ErrUnsupported)
}
