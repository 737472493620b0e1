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
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"galene/config"
	"galene/group"
	"galene/rtpconn"
	"galene/signalling"
	"galene/static"
	"galene/token"
	"galene/udpmux"
	"galene/webserver"
)

// How long the parts may take to end. They end at the same time, and the whole
// takes less than five seconds.
const (
	sessionsTimeout = 3 * time.Second // for clients to be told
	requestsTimeout = 2 * time.Second // for HTTP requests in progress
)

// shutdownMessage is what users are told when the server ends.
const shutdownMessage = "server is shutting down"

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
		_, _ = fmt.Fprintln(stdout, "galene", version())
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

// version is the module's version, or the revision that was built, as far as the
// build tells.
func version() string {
	const unknown = "(devel)"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknown
	}
	if version := info.Main.Version; version != "" && version != unknown {
		return version
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return unknown
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
	servers := filepath.Join(flags.Data, "ice-servers.json")
	if _, err := os.Stat(servers); err == nil {
		log.Warn("ICE servers have no effect in this version", "file", servers)
	}
	if flags.Turn != "" && flags.Turn != "auto" {
		log.Warn("-turn has no effect in this version: there is no built-in TURN server")
	}
	if flags.RelayOnly {
		log.Warn("-relay-only has no effect in this version")
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
	listener, err := webserver.Listen(ctx, flags.HTTP)
	if err != nil {
		return fmt.Errorf("cannot listen on %s (-http chooses another address): %w", flags.HTTP, err)
	}
	defer func() { _ = listener.Close() }() // closed already, unless an error follows

	engine, closeMedia, err := openMedia(flags, log)
	if err != nil {
		return err
	}
	defer closeMedia()

	settings := config.Open(filepath.Join(flags.Data, "config.json"), log)
	tokens, err := token.Open(filepath.Join(flags.Data, "var", "tokens.jsonl"), log)
	if err != nil {
		return err
	}
	registry := group.NewRegistry(group.Options{
		Directory: flags.Groups,
		Settings:  settings.Settings,
		Tokens:    tokens,
		Log:       log,
	})
	sessions := signalling.NewServer(signalling.Options{Registry: registry, Engine: engine, Log: log})
	web, err := webserver.New(webserver.Options{
		Registry:        registry,
		WebSockets:      sessions,
		Settings:        settings.Settings,
		Static:          static.Files(),
		StaticDirectory: flags.Static,
		Recordings:      flags.Recordings,
		Data:            flags.Data,
		Insecure:        flags.Insecure,
		Log:             log,
	})
	if err != nil {
		return err
	}

	log.Info("listening", "version", version(), "address", listener.Addr().String(), "tls", !flags.Insecure)
	announce(listener.Addr())
	return (&parts{registry, tokens, sessions, web, log}).operate(ctx, listener)
}

// parts are what runs until the server ends.
type parts struct {
	registry *group.Registry
	tokens   *token.Store
	sessions *signalling.Server
	web      *webserver.Server
	log      *slog.Logger
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
	served := make(chan error, 1)
	running.Go(func() { served <- p.web.Serve(listener) })

	var err error
	select {
	case <-ctx.Done():
		p.log.Info(shutdownMessage)
	case err = <-served:
	}

	var ending sync.WaitGroup
	ending.Go(func() {
		limit, cancel := context.WithTimeout(background, requestsTimeout)
		defer cancel()
		p.web.Shutdown(limit)
	})
	ending.Go(func() {
		limit, cancel := context.WithTimeout(background, sessionsTimeout)
		defer cancel()
		p.registry.Shutdown(shutdownMessage)
		p.sessions.Shutdown(limit)
	})
	ending.Wait()
	return err
}

// openMedia opens the sockets for media, unless each connection is to have its
// own, and what makes connections on them.
func openMedia(flags config.Flags, log *slog.Logger) (*rtpconn.Engine, func(), error) {
	options := rtpconn.Options{Loopback: flags.Loopback, MDNS: flags.MDNS, Log: log}
	closeMux := func() {}
	if ports := flags.UDPRange; ports == (config.PortRange{}) || ports.Single() {
		mux, err := udpmux.Listen(udpmux.Options{Port: int(ports.Min), Loopback: flags.Loopback, Log: log})
		if err != nil {
			return nil, nil, fmt.Errorf("cannot open the UDP port for media (-udp-range chooses another one): %w", err)
		}
		log.Info("media is on one UDP port", "port", mux.Port())
		options.Mux = mux
		closeMux = func() { logError(log, "cannot close the UDP port", mux.Close()) }
	} else {
		log.Info("media is on a range of UDP ports", "first", ports.Min, "last", ports.Max)
		options.PortMin, options.PortMax = ports.Min, ports.Max
	}

	engine, err := rtpconn.NewEngine(options)
	if err != nil {
		closeMux()
		return nil, nil, fmt.Errorf("prepare for media: %w", err)
	}
	return engine, func() {
		logError(log, "cannot close all connections", engine.Close())
		closeMux()
	}, nil
}

func logError(log *slog.Logger, message string, err error) {
	if err != nil {
		log.Error(message, "error", err)
	}
}
