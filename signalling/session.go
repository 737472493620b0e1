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
	pipe    Pipe
	address string
	out     *writer
	in      chan inbound                 // from the reader
	media   *mailbox.Mailbox[mediaEvent] // from connections
	stop    chan struct{}                // closed when the server shuts down
	over    chan struct{}                // closed when nothing is handled any more

	// Any goroutine.
	charged atomic.Int64 // bytes that earlier messages of the client are found to have cost

	// Owned by run and what it calls.
	log     *slog.Logger
	state   state
	id      string      // the client's, from its handshake
	group   *membership // nil unless the state is member
	ups     map[string]*upStream
	heard   time.Time      // when the latest message came
	end     error          // why the session ends; nil while it goes on
	queued  int            // bytes that were queued for the client
	closing sync.WaitGroup // connections that are being closed
	posted  []*group.Event // memory for taking from mailboxes
	news    []mediaEvent   // likewise
}

// inbound is what the reader hands over: a message, or why there will be none.
type inbound struct {
	message *Message
	err     error
}

// readAhead is how many messages are decoded before they are needed.
const readAhead = 4

// errPanicked is why a session ends in which there was a mistake of ours.
var errPanicked = errors.New("signalling: panic")

func newSession(server *Server, p Pipe, address string) *session {
	return &session{
		server:  server,
		pipe:    p,
		address: address,
		out:     newWriter(p, server.limits),
		in:      make(chan inbound, readAhead),
		media:   mailbox.New[mediaEvent](server.limits.Events),
		stop:    make(chan struct{}),
		over:    make(chan struct{}),
		log:     server.log.With("address", address),
		ups:     make(map[string]*upStream),
	}
}

// run serves the client until it is gone and everything of it has ended. When
// ctx ends the client is dropped.
func (s *session) run(ctx context.Context) {
	defer context.AfterFunc(ctx, s.out.drop)()
	// Whatever waits for something on behalf of a client that is gone gives up.
	work, giveUp := context.WithCancel(ctx)
	defer giveUp()

	var helpers sync.WaitGroup
	helpers.Go(func() {
		if !s.read() {
			giveUp()
		}
	})
	helpers.Go(func() {
		defer giveUp()
		defer s.recovered("write")
		s.out.run()
	})

	s.loop(work)
	s.sayGoodbye()
	close(s.over)
	s.cleanUp()
	helpers.Wait()
	s.pipe.Cut()
}

// recovered ends the session, and nothing else, after a panic in what.
func (s *session) recovered(what string) {
	if r := recover(); r != nil {
		s.server.log.Error("panic in session", "in", what, "panic", fmt.Sprint(r),
			"address", s.address, "stack", string(debug.Stack()))
		s.out.drop()
	}
}

// loop handles what arrives, one thing after another, until the session ends.
func (s *session) loop(ctx context.Context) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("panic in session", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			s.end = errPanicked
		}
	}()
	clock := time.NewTicker(handshakeTimeout) // and scanInterval once greeted
	defer clock.Stop()
	for s.end == nil {
		s.step(ctx, clock)
		s.drain()
	}
}

// always is ready to be received from.
var always = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (s *session) step(ctx context.Context, clock *time.Ticker) {
	var events, work <-chan struct{}
	if s.group != nil {
		events = s.group.mailbox.Wake()
		if len(s.group.dirty) > 0 {
			work = always
		}
	}
	select {
	case in := <-s.in:
		s.receive(ctx, in, clock)
	case <-events: // drained below
	case <-s.media.Wake():
	case <-work:
		s.reconcileNext()
	case now := <-clock.C:
		s.checkAlive(now)
	case <-s.stop:
		s.shutDown()
	case <-s.out.done:
		s.end = errDropped
	}
}

// receive handles what the reader has read.
func (s *session) receive(ctx context.Context, in inbound, clock *time.Ticker) {
	s.heard = time.Now()
	switch {
	case s.state == connected:
		s.report(s.greet(in))
		clock.Reset(scanInterval)
	case in.err != nil:
		s.report(in.err)
	default:
		s.report(s.dispatch(ctx, in.message))
	}
}

// drain handles the events that have been posted.
func (s *session) drain() {
	if s.group != nil && s.end == nil {
		s.drainGroup(s.group)
	}
	var lost bool
	s.news, lost = s.media.Take(s.news[:0])
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
}

func (s *session) drainGroup(in *membership) {
	var lost bool
	s.posted, lost = in.mailbox.Take(s.posted[:0])
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
