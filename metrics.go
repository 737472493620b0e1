package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"galene/buildinfo"
	"galene/config"
	"galene/metrics"
	"galene/netlimit"
	"galene/webserver"
)

// What a scraper may take. There are few of them, and each asks now and then.
const (
	scraperTimeout   = 30 * time.Second // for a request and its reply
	scraperIdle      = 5 * time.Minute
	scraperHeader    = 16 << 10
	maxScrapers      = 64
	maxScrapersOfOne = 16
)

// newCollector returns what collects statistics of the parts and of media.
func newCollector(flags config.Flags, p *parts, m *media, log *slog.Logger) (*metrics.Collector, error) {
	options := metrics.Options{
		Registry:   p.registry,
		Engine:     m.engine,
		Sessions:   p.sessions.Sessions,
		GroupNames: flags.MetricGroups,
		Version:    buildinfo.Version(),
		Log:        log,
	}
	if m.mux != nil {
		options.Sockets = m.mux
	}
	if m.relay != nil {
		options.Relay = m.relay
	}
	return metrics.New(options)
}

// scrapers is the server of those who ask for metrics at an address of their own.
// It does nothing if there is none. Only close may be called from any goroutine.
type scrapers struct {
	listener net.Listener // nil if there is none
	http     *http.Server
	log      *slog.Logger
}

// listenForScrapers opens the address for metrics, if there is to be one. The
// caller closes the result.
func listenForScrapers(ctx context.Context, flags config.Flags, log *slog.Logger) (*scrapers, error) {
	s := &scrapers{log: log, http: &http.Server{
		ReadTimeout:    scraperTimeout,
		WriteTimeout:   scraperTimeout,
		IdleTimeout:    scraperIdle,
		MaxHeaderBytes: scraperHeader,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}}
	if flags.Metrics == "" {
		return s, nil
	}
	listener, err := webserver.Listen(ctx, flags.Metrics, flags.SocketMode)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s (-metrics chooses another address): %w", flags.Metrics, err)
	}
	s.listener = netlimit.New(listener, netlimit.Limits{Total: maxScrapers, Source: maxScrapersOfOne})
	log.Info("metrics are served", "address", listener.Addr().String())
	return s, nil
}

// handle says what is served.
func (s *scrapers) handle(metrics http.Handler) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	s.http.Handler = mux
}

// serve serves until close.
func (s *scrapers) serve() {
	if s.listener == nil {
		return
	}
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("metrics are served no longer", "error", err)
	}
}

// close ends serving, after the replies that are being made if that is soon. It may
// be called again, and when ctx has ended.
func (s *scrapers) close(ctx context.Context) {
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestsTimeout)
	defer cancel()
	if s.http.Shutdown(limit) != nil {
		_ = s.http.Close()
	}
	if s.listener != nil {
		_ = s.listener.Close()
	}
}
