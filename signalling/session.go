package signalling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"galene/group"
	"galene/mailbox"
)

// session is one client's connection. Fields are grouped by who may touch them.
type session struct {
	// Immutable.
	server  *Server
	limits  Limits // as they were when the client came
	pipe    Pipe
	address string
	counted string // the address that has the connection in its count; may be empty
	out     *writer
	in      chan inbound                 // from the reader
	media   *mailbox.Mailbox[mediaEvent] // from connections
	turns   *duty                        // handles what there is
	over    chan struct{}                // closed when nothing is handled any more
	giveUp  context.CancelFunc           // ends what is done on behalf of the client
	unbind  func() bool                  // from the context of whoever serves the client

	// Any goroutine.
	charged  atomic.Int64 // bytes that earlier messages of the client are found to have cost
	overdue  atomic.Bool  // the clock has gone off
	stopping atomic.Bool  // the server shuts down

	// Owned by the turns.
	log     *slog.Logger
	state   state
	id      string      // the client's, from its handshake
	group   *membership // nil unless the state is member
	ups     map[string]*upStream
	clock   *time.Timer    // tells when to look whether the client lives
	heard   time.Time      // when the latest message came
	end     error          // why the session ends; nil while it goes on
	queued  int            // bytes that were queued for the client
	bad     int            // answers of the client that were refused
	closing sync.WaitGroup // connections that are being closed
	posted  []*group.Event // memory for taking from mailboxes
	news    []mediaEvent   // likewise
}

// inbound is what the reader hands over: a message, or why there will be none.
type inbound struct {
	message *Message
	err     error
}

const (
	// readAhead is how many messages are decoded before they are needed.
	readAhead = 4
	// keptEvents is how many events memory is kept for.
	keptEvents = 8
)

// errPanicked is why a session ends in which there was a mistake of ours.
var errPanicked = errors.New("signalling: panic")

// newSession prepares for a client, who is dropped when ctx ends. The caller calls
// run.
func newSession(ctx context.Context, server *Server, limits Limits, p Pipe, address string) *session {
	s := &session{
		server:  server,
		limits:  limits,
		pipe:    p,
		address: address,
		in:      make(chan inbound, readAhead),
		turns:   newDuty(),
		over:    make(chan struct{}),
		log:     server.log.With("address", address),
		ups:     make(map[string]*upStream),
	}
	// Whatever waits for something on behalf of a client that is gone gives up.
	work, giveUp := context.WithCancel(ctx)
	s.giveUp = giveUp
	s.out = newWriter(s.pipe, limits, func() {
		giveUp()
		s.turns.call()
	}, func(r any) { s.logPanic("write", r) })
	s.media = mailbox.NewCalling[mediaEvent](limits.Events, s.turns.call)
	s.turns.do = func() bool { return s.turn(work) }
	s.unbind = context.AfterFunc(ctx, s.out.drop)
	return s
}

// run serves the client until it is gone and everything of it has ended. The
// calling goroutine is the one that reads, and the only one of a client while it
// is silent.
func (s *session) run() {
	defer s.giveUp()
	defer s.unbind()
	s.turns.call()
	if !s.read() {
		s.giveUp()
	}
	<-s.turns.done
	<-s.out.done
	s.pipe.Cut()
}

// stop tells the session that the server shuts down. Any goroutine.
func (s *session) stop() {
	s.stopping.Store(true)
	s.turns.call()
}

// recovered ends the session, and nothing else, after a panic in what.
func (s *session) recovered(what string) {
	if r := recover(); r != nil {
		s.logPanic(what, r)
		s.out.drop()
	}
}

// logPanic is called by whoever has recovered r, on the same stack.
func (s *session) logPanic(what string, r any) {
	s.server.log.Error("panic in session", "in", what, "panic", fmt.Sprint(r),
		"address", s.address, "stack", string(debug.Stack()))
}

// turn handles what has arrived, one thing after another, and ends the session
// when its time has come; then it reports false.
func (s *session) turn(ctx context.Context) (more bool) {
	if s.clock == nil {
		s.clock = time.AfterFunc(handshakeTimeout, func() {
			s.overdue.Store(true)
			s.turns.call()
		})
	}
	s.handle(ctx)
	if s.end == nil {
		return true
	}
	s.clock.Stop()
	s.sayGoodbye()
	close(s.over)
	s.cleanUp()
	return false
}

func (s *session) handle(ctx context.Context) {
	defer func() {
		if r := recover(); r != nil {
			s.logPanic("turn", r)
			s.end = errPanicked
		}
	}()
	for acted := true; acted && s.end == nil; {
		acted = s.step(ctx)
		acted = s.drain() || acted
		s.out.flush()
	}
}

// step does at most one thing of each kind, so that none keeps the others
// waiting. It reports whether there was anything.
func (s *session) step(ctx context.Context) (acted bool) {
	switch {
	case isClosed(s.out.done):
		s.end = errDropped
		return true
	case s.stopping.Load():
		s.shutDown()
		return true
	case s.overdue.Swap(false):
		s.checkAlive(time.Now())
		s.clock.Reset(scanInterval)
		acted = true
	}
	if s.group != nil && len(s.group.dirty) > 0 && s.end == nil {
		s.reconcileNext()
		acted = true
	}
	select {
	case in := <-s.in:
		if s.end == nil {
			s.receive(ctx, in)
		}
		acted = true
	default:
	}
	return acted
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// receive handles what the reader has read.
func (s *session) receive(ctx context.Context, in inbound) {
	s.heard = time.Now()
	switch {
	case s.state == connected:
		s.report(s.greet(in))
		s.clock.Reset(scanInterval)
	case in.err != nil:
		s.report(in.err)
	default:
		s.report(s.dispatch(ctx, in.message))
	}
}

// drain handles the events that have been posted. It reports whether there were
// any.
func (s *session) drain() (acted bool) {
	if s.group != nil && s.end == nil {
		acted = s.drainGroup(s.group)
	}
	var lost bool
	s.news, lost = s.media.Take(kept(s.news))
	acted = acted || len(s.news) > 0
	for _, ev := range s.news {
		if s.end == nil {
			s.handleMedia(ev)
		}
	}
	clear(s.news)
	if lost && s.end == nil {
		s.log.Warn("media events lost, dropping the client")
		s.end = errDropped
	}
	return acted
}

// kept is the memory of events that were handled, unless it is much.
func kept[T any](events []T) []T {
	if cap(events) > keptEvents {
		return nil
	}
	return events[:0]
}

func (s *session) drainGroup(in *membership) (acted bool) {
	var lost bool
	s.posted, lost = in.mailbox.Take(kept(s.posted))
	for _, ev := range s.posted {
		if s.end != nil {
			break
		}
		// Of the group that the client is in now, or of none.
		if ev.Group == in.group {
			s.handleEvent(in, ev)
		}
	}
	clear(s.posted)
	if lost && s.end == nil {
		s.log.Warn("group events lost, dropping the client")
		s.end = errDropped
	}
	return len(s.posted) > 0
}

// report tells the client what went wrong, and ends the session unless the
// client may go on.
func (s *session) report(err error) {
	if err == nil {
		return
	}
	if u, ok := errors.AsType[*userError](err); ok {
		s.sendError(u.text)
		return
	}
	if c, ok := errors.AsType[*closeError](err); ok {
		if c.told {
			s.sendError(c.reason)
		}
	} else {
		s.log.Debug("session ends", "error", err)
	}
	if s.end == nil {
		s.end = err
	}
}

// checkAlive asks a silent client for a sign of life, and ends the session when
// there has been none for too long. Pings of the WebSocket layer do not count:
// they are answered by a browser whose page hangs.
func (s *session) checkAlive(now time.Time) {
	silence := now.Sub(s.heard)
	switch {
	case s.state == connected:
		s.end = errDropped
	case silence > deadAfter:
		s.end = errDead
	case silence >= pingAfter:
		s.send(&Message{Type: typePing})
	}
}

// send queues m for the client, and ends the session if it does not keep up.
func (s *session) send(m *Message) {
	frame, err := m.Encode()
	if err != nil {
		s.log.Error("message not sent", "error", err)
		return
	}
	s.sendFrame(frame)
}

// sendFrame queues an encoded message, which may be shared with other sessions.
func (s *session) sendFrame(frame []byte) {
	s.queued += len(frame)
	if s.out.send(frame) || s.end != nil {
		return
	}
	s.log.Info("client does not keep up")
	s.end = errDropped
}

// charge makes the client's next message count as so many bytes more: a short
// message can make the server send a lot.
func (s *session) charge(bytes int) { s.charged.Add(int64(bytes)) }

func (s *session) sendError(words string) { s.send(notice("error", s.id, words)) }

// sayGoodbye has the writer end with a close frame, or without one.
func (s *session) sayGoodbye() {
	s.state, _ = s.state.next(ended)
	if code, reason, ok := closeCode(s.end); ok {
		s.out.finish(code, reason)
	} else {
		s.out.drop()
	}
}

// cleanUp ends everything that the client had, and waits for it.
func (s *session) cleanUp() {
	defer s.recovered("clean up")
	defer s.closing.Wait()
	s.media.Close()
	s.dropMembership()
	s.closeStreams()
}

// move changes the session's state; that t is possible was checked.
func (s *session) move(t transition) {
	next, ok := s.state.next(t)
	if !ok {
		panic(fmt.Sprintf("signalling: transition %d in state %v", t, s.state))
	}
	s.state = next
}
