package signalling

import (
	"context"

	"galene/group"
)

// Farewell is what clients are told when the server stops: it is the text for
// [group.Registry.Shutdown].
const Farewell = "server is shutting down"

// Shutdown ends all sessions and refuses new ones. It is called after
// [group.Registry.Shutdown], which has told the members of groups why; clients
// that are in no group get a close frame only. It waits until each client has
// its close frame and everything of its session has ended; when ctx ends it cuts
// the connections that are left, and still waits for their sessions.
func (s *Server) Shutdown(ctx context.Context) {
	for _, session := range s.refuseNew() {
		session.stop()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.running.Wait()
	}()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	s.mu.Lock()
	for session := range s.sessions {
		session.out.drop()
	}
	s.mu.Unlock()
	<-done
}

// refuseNew makes the server refuse clients from now on, and returns the
// sessions that are still to be told to stop.
func (s *Server) refuseNew() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil
	}
	s.stopping = true
	running := make([]*session, 0, len(s.sessions))
	for session := range s.sessions {
		running = append(running, session)
	}
	return running
}

// shutDown ends the session because the server stops. A member has been kicked
// by its group, so that it knows why; that news is handled first.
func (s *session) shutDown() {
	s.drain()
	switch {
	case s.end != nil:
	case s.group != nil:
		s.kicked(group.Kicked{Message: Farewell, Reason: Farewell})
	default:
		s.end = &closeError{code: 1000, reason: Farewell}
	}
}
