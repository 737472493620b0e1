package webserver

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"galene/config"
	"galene/group"
	"galene/ice"
	"galene/signalling"
)

// How long and how much a client may take. Whoever serves something long, such
// as a recording, moves the deadlines of its own reply.
const (
	readHeaderTimeout = 30 * time.Second
	readTimeout       = time.Minute // header and body
	writeTimeout      = 5 * time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
	// maxStreams bounds the requests in progress on a connection. RFC 9113 §6.5.2
	// recommends no fewer.
	maxStreams = 100
)

// WebSockets takes over a client that asks for a WebSocket, of an origin that
// is allowed. ServeWebSocket replies to the request, with 400 if it asks for
// something else, and returns while the client goes on.
type WebSockets interface {
	ServeWebSocket(w http.ResponseWriter, r *http.Request)
}

// Options is what a [Server] depends on.
type Options struct {
	Registry   *group.Registry
	WebSockets WebSockets
	// Media makes sessions for who publishes or watches without a page; nil if
	// nobody may.
	Media *signalling.Server
	// ICEServers returns the ICE servers for one of them. The client is whatever
	// tells it from others. It may be nil, and is called from any goroutine.
	ICEServers func(client string) []ice.Server
	Settings   func() *config.Settings // called at each request, from any goroutine; never nil

	// Static is the embedded web client. StaticDirectory, unless empty, is a
	// directory that is served instead; its contents may change at any time.
	Static          fs.FS
	StaticDirectory string

	Recordings string // directory of recordings, which need not exist; none are served if empty

	Data     string // directory of cert.pem and key.pem, and of var, where other certificates are kept
	Insecure bool   // speak plain HTTP instead of HTTPS
	Log      *slog.Logger

	// Stats, if not nil, returns the statistics of all groups as a value for
	// JSON. It is called at each request for them, from any goroutine.
	Stats func() any
	// Metrics, if not nil, serves metrics, which administrators of the server
	// get at /metrics.
	Metrics http.Handler
}

// Server is the HTTP server. Its methods may be called from any goroutine.
type Server struct {
	// Immutable.
	registry   *group.Registry
	webSockets WebSockets
	media      *signalling.Server
	iceServers func(client string) []ice.Server
	settings   func() *config.Settings
	metrics    http.Handler // nil if there are none
	files      *files
	root       *os.Root // what files reads; nil with the embedded client
	policy     policy
	api        map[string]*endpoint // by shape
	stats      func() any           // may be nil
	recordings string               // may be empty
	log        *slog.Logger
	http       *http.Server // TLSConfig is nil if it speaks plain HTTP

	recordingsPage *template.Template
	certificates   *certificates // nil if it speaks plain HTTP

	closing atomic.Bool // Shutdown was called
}

// New prepares a server. It fails if the static directory cannot be opened;
// otherwise the caller ends the server with Shutdown, whether it served or not.
func New(o Options) (*Server, error) {
	s := &Server{
		registry:   o.Registry,
		webSockets: o.WebSockets,
		media:      o.Media,
		iceServers: o.ICEServers,
		settings:   o.Settings,
		metrics:    o.Metrics,
		policy:     embeddedPolicy,
		api:        newAPI(endpoints()),
		stats:      o.Stats,
		recordings: o.Recordings,
		log:        o.Log,

		recordingsPage: newRecordingsPage(),
	}
	if err := s.openFiles(o); err != nil {
		return nil, err
	}
	s.http = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:          errorLog(o.Log),
	}
	if !o.Insecure {
		s.certificates = newCertificates(o, time.Now)
		s.http.TLSConfig = s.certificates.config()
	}
	return s, nil
}

// openFiles opens the web client.
func (s *Server) openFiles(o Options) error {
	if o.StaticDirectory == "" {
		embedded, err := newEmbedded(o.Static, func() string { return s.site().prefix() }, o.Log)
		s.files = embedded
		return err
	}
	root, err := os.OpenRoot(o.StaticDirectory)
	if err != nil {
		return fmt.Errorf("open the static directory: %w", err)
	}
	s.root = root
	s.files = &files{root: root.FS(), log: o.Log}
	s.policy = foreignPolicy
	return nil
}

// ServeHTTP replies to one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.http.Handler.ServeHTTP(w, r)
}

// Serve accepts connections from the listener, which it closes, until
// Shutdown. It returns nil after Shutdown, otherwise why it had to end.
func (s *Server) Serve(listener net.Listener) error {
	listener = &proxyListener{newBoundedListener(listener, s.settings, s.log), s.settings}
	serve := s.http.Serve
	if s.http.TLSConfig != nil {
		serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
	}
	if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// Shutdown stops accepting connections and waits for the requests in progress
// until ctx ends, when it cuts them. It leaves WebSockets alone.
func (s *Server) Shutdown(ctx context.Context) {
	s.closing.Store(true)
	if err := s.http.Shutdown(ctx); err != nil {
		s.log.Info("HTTP requests in progress were cut", "error", err)
		_ = s.http.Close()
	}
	if s.root != nil {
		_ = s.root.Close()
	}
}

// site reads the settings for one request.
func (s *Server) site() site { return newSite(s.settings()) }

// serveWebSocket hands a client over to signalling.
func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	if !s.site().allows(r) {
		http.Error(w, "this origin is not allowed", http.StatusForbidden)
		return
	}
	s.webSockets.ServeWebSocket(w, r)
}
