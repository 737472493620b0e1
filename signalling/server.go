package signalling

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"galene/config"
	"galene/group"
	"galene/rtpconn"
)

// Options is what a [Server] works with.
type Options struct {
	// Registry has the groups.
	Registry *group.Registry
	// Engine makes media connections. Without one, offers are refused.
	Engine *rtpconn.Engine
	// RTCConfiguration returns what the client with an id is told about ICE
	// servers whenever it is told how things stand in its group: a value that
	// marshals to a browser's RTCConfiguration. It may be called by any
	// goroutine; nil stands for an empty configuration.
	RTCConfiguration func(client string) any
	// Log takes what operators should know; nil is [slog.Default].
	Log *slog.Logger
	// Recorder records groups; without one, they cannot be recorded.
	Recorder Recorder
	// Limits bounds what a client may do.
	Limits Limits
	// Configured returns what the administrator has chosen instead of some
	// Limits, for each new client. It may be called by any goroutine; nil
	// stands for nothing.
	Configured func() config.Limits
}

// Server serves the protocol to any number of clients. Its methods may be
// called from any goroutine.
type Server struct {
	// Immutable after NewServer.
	registry         *group.Registry
	engine           mediaEngine
	rtcConfiguration func(client string) any
	log              *slog.Logger
	recorder         Recorder
	limits           func() Limits
	upgrader         *websocket.Upgrader
	buffers          *buffers

	addresses addresses
	running   sync.WaitGroup // sessions; added to under mu only

	mu       sync.Mutex // guards the fields below
	sessions map[*session]struct{}
	http     httpSessions
	stopping bool
}

// NewServer returns a server that serves nobody yet.
func NewServer(o Options) *Server {
	return newServer(o, engine{o.Engine})
}

// newServer is NewServer with an engine of the caller's choice.
func newServer(o Options, e mediaEngine) *Server {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.RTCConfiguration == nil {
		o.RTCConfiguration = func(string) any { return struct{}{} }
	}
	if o.Configured == nil {
		o.Configured = func() config.Limits { return config.Limits{} }
	}
	return &Server{
		registry:         o.Registry,
		engine:           e,
		rtcConfiguration: o.RTCConfiguration,
		log:              o.Log,
		recorder:         o.Recorder,
		limits:           func() Limits { return o.Limits.configured(o.Configured()).withDefaults() },
		upgrader:         newUpgrader(),
		buffers:          new(buffers),
		sessions:         make(map[*session]struct{}),
		http:             newHTTPSessions(),
	}
}

// Serve serves one client and returns when it is gone and everything of it has
// ended: its membership, its streams, all goroutines. It owns p. When ctx ends
// the client is dropped. The address is what operators who ask for it are told.
func (s *Server) Serve(ctx context.Context, p Pipe, address string) {
	if session := s.admit(ctx, s.limits(), p, address); session != nil {
		s.serve(session)
	}
}

// admit makes a session for a client, or turns it away and returns nil if the
// server is about to end.
func (s *Server) admit(ctx context.Context, l Limits, p Pipe, address string) *session {
	session := newSession(ctx, s, l, p, address)
	s.mu.Lock()
	refused := s.stopping
	if !refused {
		s.sessions[session] = struct{}{}
		s.running.Add(1)
	}
	s.mu.Unlock()
	if !refused {
		return session
	}
	session.unbind()
	session.giveUp()
	_ = p.Close(websocket.CloseNormalClosure, Farewell, time.Now().Add(writeTimeout))
	p.Cut()
	return nil
}

// serve runs a session that was admitted.
func (s *Server) serve(session *session) {
	defer func() {
		s.mu.Lock()
		delete(s.sessions, session)
		s.mu.Unlock()
		s.addresses.leave(session.counted)
		s.running.Done()
	}()
	session.run()
}

// Sessions is how many clients are being served, members of a group or not.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}
