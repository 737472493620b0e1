// Command galene is a videoconference server: it forwards audio and video
// between browsers, speaks its signalling protocol over WebSocket, and carries
// its own web client.
//
// This package only reads the command line, puts the parts together, and takes
// them apart again when the process is told to end. It holds no state of its
// own, so that several servers can run in one process.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"galene/buildinfo"
	"galene/config"
	"galene/group"
	"galene/ice"
	"galene/signalling"
	"galene/static"
	"galene/token"
	"galene/webserver"
)

// How long the parts may take to end. They end at the same time, and the whole
// takes less than five seconds.
const (
	sessionsTimeout = 3 * time.Second // for clients to be told
	requestsTimeout = 2 * time.Second // for HTTP requests in progress
)

// Exit statuses.
const (
	statusDone   = 0
	statusFailed = 1 // the server could not start, or could not go on
	statusUsage  = 2 // the command line cannot be understood
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program. It returns the exit status, after ctx has ended
// and nothing that it started is left.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags, err := config.ParseFlags(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return statusDone
	}
	if _, ok := errors.AsType[*config.UsageError](err); ok {
		return statusUsage
	}
	log := newLogger(stderr)
	if err == nil && flags.Version {
		_, _ = fmt.Fprintln(stdout, "galene", buildinfo.Version())
		return statusDone
	}
	if err == nil {
		err = start(ctx, flags, stdout, log)
	}
	if err != nil {
		log.Error("the server has failed", "error", err)
		return statusFailed
	}
	return statusDone
}

// start makes what surrounds the server, and runs it until ctx ends.
func start(ctx context.Context, flags config.Flags, stdout io.Writer, log *slog.Logger) (err error) {
	profiles, err := startProfiles(flags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, profiles.stop()) }()

	announce := func(net.Addr) {}
	if flags.Demo {
		d, err := newDemo()
		if err != nil {
			return fmt.Errorf("prepare the demonstration: %w", err)
		}
		defer d.remove(log)
		flags.Data, flags.Groups, flags.Recordings = d.data(), d.groups(), d.recordings()
		announce = func(address net.Addr) { d.announce(stdout, flags, address) }
	}
	checkSurroundings(flags, log)
	return serve(ctx, flags, announce, log)
}

// checkSurroundings says what will not be as its administrator may expect.
func checkSurroundings(flags config.Flags, log *slog.Logger) {
	if _, err := os.Stat(flags.Data); err != nil {
		log.Warn("no data directory: the configuration is the default one, and the certificate self-signed",
			"directory", flags.Data, "error", err)
	}
	if _, err := os.Stat(flags.Groups); err != nil {
		log.Warn("no groups directory: nobody can enter a group until it is made",
			"directory", flags.Groups, "error", err)
	}
	const enough = 65535
	if limit, ok := fileLimit(); ok && limit < enough {
		log.Warn("few files may be open at once, which limits the number of clients",
			"limit", limit, "recommended", enough)
	}
}

// serve runs the server until ctx ends. It calls announce once the server
// accepts connections.
func serve(ctx context.Context, flags config.Flags, announce func(net.Addr), log *slog.Logger) error {
	listener, err := webserver.Listen(ctx, flags.HTTP, flags.SocketMode)
	if err != nil {
		return fmt.Errorf("cannot listen on %s (-http chooses another address): %w", flags.HTTP, err)
	}
	defer func() { _ = listener.Close() }() // closed already, unless an error follows

	scrapers, err := listenForScrapers(ctx, flags, log)
	if err != nil {
		return err
	}
	defer scrapers.close(ctx)

	settings := config.Open(filepath.Join(flags.Data, "config.json"), log)
	parts := &parts{scrapers: scrapers, log: log}
	media, err := openMedia(flags, settings.Settings, listener, parts.certificate, log)
	if err != nil {
		return err
	}
	defer media.close()
	parts.servers = media.servers

	tokens, err := token.Open(filepath.Join(flags.Data, "var", "tokens.jsonl"), log)
	if err != nil {
		return err
	}
	parts.tokens = tokens
	parts.registry = group.NewRegistry(group.Options{
		Directory: flags.Groups,
		Settings:  settings.Settings,
		Tokens:    tokens,
		Log:       log,
	})
	parts.sessions = signalling.NewServer(signalling.Options{
		Registry: parts.registry, Engine: media.engine, RTCConfiguration: media.forClient, Log: log,
		Configured: func() config.Limits { return settings.Settings().Limits },
	})
	collector, err := newCollector(flags, parts, media, log)
	if err != nil {
		return err
	}
	parts.web, err = webserver.New(webserver.Options{
		Registry:        parts.registry,
		WebSockets:      parts.sessions,
		Media:           parts.sessions,
		ICEServers:      media.iceServers,
		Settings:        settings.Settings,
		Static:          static.Files(),
		StaticDirectory: flags.Static,
		Recordings:      flags.Recordings,
		Data:            flags.Data,
		Insecure:        flags.Insecure,
		Log:             log,
		Metrics:         collector.Handler(),
		Stats:           func() any { return collector.Stats() },
	})
	if err != nil {
		return err
	}

	parts.servers.Refresh() // so that the first client gets all of them
	log.Info("listening", "version", buildinfo.Version(), "address", listener.Addr().String(), "tls", !flags.Insecure)
	announce(listener.Addr())
	parts.scrapers.handle(collector.Handler())
	return parts.operate(ctx, media.web)
}

// parts are what runs until the server ends.
type parts struct {
	registry *group.Registry
	tokens   *token.Store
	sessions *signalling.Server
	web      *webserver.Server
	scrapers *scrapers
	servers  *ice.Source
	log      *slog.Logger
}

// certificate returns the web server's certificate. It is not called before
// that has been made.
func (p *parts) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return p.web.Certificate(hello)
}

// operate runs the parts until ctx ends or the web server fails, and ends them
// in order: users hear why before their connections end.
func (p *parts) operate(ctx context.Context, listener net.Listener) error {
	var running sync.WaitGroup
	defer running.Wait()
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	running.Go(func() { p.registry.Run(background) })
	running.Go(func() { p.tokens.Run(background) })
	running.Go(func() { p.servers.Run(background) })
	running.Go(p.scrapers.serve)
	served := make(chan error, 1)
	running.Go(func() { served <- p.web.Serve(listener) })

	var err error
	select {
	case <-ctx.Done():
		p.log.Info(signalling.Farewell)
	case err = <-served:
	}

	var ending sync.WaitGroup
	ending.Go(func() {
		limit, cancel := context.WithTimeout(background, requestsTimeout)
		defer cancel()
		p.web.Shutdown(limit)
	})
	ending.Go(func() { p.scrapers.close(ctx) })
	ending.Go(func() {
		limit, cancel := context.WithTimeout(background, sessionsTimeout)
		defer cancel()
		p.registry.Shutdown(signalling.Farewell)
		p.sessions.Shutdown(limit)
	})
	ending.Wait()
	return err
}

func logError(log *slog.Logger, message string, err error) {
	if err != nil {
		log.Error(message, "error", err)
	}
}
