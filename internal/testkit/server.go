package testkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

// Patience is how long tests wait for what has to happen.
const Patience = time.Minute

// RunFunc is a whole server: it runs until ctx ends and returns the exit status.
type RunFunc func(ctx context.Context, args []string, stdout, stderr io.Writer) int

// Server is a server in this process.
type Server struct {
	// HTTP and WebSocket are the server's base URLs, without a slash at the
	// end.
	HTTP, WebSocket string

	cancel context.CancelFunc
	done   chan struct{} // closed when status is set
	status int
	log    *journal
}

// StartServer runs a server until the test ends or stops it. A server that
// ends with an exit status other than 0 fails the test.
func StartServer(tb testing.TB, run RunFunc, o ServerOptions) *Server {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	s := &Server{cancel: cancel, done: make(chan struct{}), log: newJournal()}
	args := o.arguments(tb)
	address := s.log.address
	go func() {
		defer close(s.done)
		s.status = run(ctx, args, s.log, s.log)
	}()
	tb.Cleanup(func() {
		if err := s.Stop(Patience); err != nil {
			tb.Error(err)
		}
		if tb.Failed() {
			tb.Logf("the server's log:\n%s", s.Log())
		}
	})
	select {
	case a := <-address:
		s.HTTP, s.WebSocket = o.urls(a)
	case <-s.done:
		tb.Fatal("the server has ended")
	case <-time.After(Patience):
		tb.Fatal("the server does not listen")
	}
	return s
}

// Endpoint is where clients connect.
func (s *Server) Endpoint() string { return s.WebSocket + "/ws" }

// Log is what the server has printed so far.
func (s *Server) Log() string { return s.log.String() }

// ErrStop is returned when a server does not end as it should.
var ErrStop = errors.New("testkit: server did not end as it should")

// Stop tells the server to end and waits until it has. It may be called again.
func (s *Server) Stop(limit time.Duration) error {
	s.cancel()
	select {
	case <-s.done:
	case <-time.After(limit):
		return fmt.Errorf("%w: still running after %v", ErrStop, limit)
	}
	if s.status != 0 {
		return fmt.Errorf("%w: exit status %d", ErrStop, s.status)
	}
	return nil
}
