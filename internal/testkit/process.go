package testkit

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
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

// StartProcess builds the command in directory and runs it until the test ends.
func StartProcess(tb testing.TB, directory string, o ServerOptions) *Process {
	tb.Helper()
	binary := filepath.Join(tb.TempDir(), "server")
	build := exec.CommandContext(tb.Context(), "go", "build", "-o", binary, ".")
	build.Dir = directory
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("build: %v\n%s", err, out)
	}
	p := &Process{log: newJournal()}
	address := p.log.address
	p.command = exec.CommandContext(context.WithoutCancel(tb.Context()), binary, o.arguments(tb)...)
	p.command.Stdout, p.command.Stderr = p.log, p.log
	if err := p.command.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.stop(tb) })
	select {
	case a := <-address:
		p.HTTP, p.WebSocket = "http://"+a, "ws://"+a
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
