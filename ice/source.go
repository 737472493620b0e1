package ice

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"galene/config"
)

const (
	// refreshPeriod is how often the file is looked at.
	refreshPeriod = time.Minute
	// testPeriod is how often the relay is tested, beginning at the start.
	testPeriod = 12 * time.Hour
)

// Relay is the built-in TURN server. Its methods may be called from any
// goroutine.
type Relay interface {
	// Start opens what is not open yet. It may be called again, to retry what
	// failed; the error joins everything that does not work.
	Start() error
	// Stop closes everything, and returns when it has ended.
	Stop()
	// URLs are where the relay is to be reached; none while it is stopped. The
	// result is the caller's.
	URLs() []string
	// Credentials returns what the client, or the server itself if that is
	// empty, identifies itself with from now on for some hours.
	Credentials(client string, now time.Time) (username, password string)
}

// Options configure a [Source]. The zero value is valid.
type Options struct {
	// File is the path of ice-servers.json; there are no such servers if it is
	// empty.
	File string
	// Relay is the built-in TURN server; nil for none. If Auto is set, it runs
	// only while there is no file.
	Relay Relay
	Auto  bool
	// RelayOnly forbids connections that are not relayed.
	RelayOnly bool
	// BehindNAT, if it is not nil, says whether the server's own connections need the servers of the
	// file. Otherwise they are reachable as they are, and go without: each
	// relayed address would cost an allocation for each connection. It is asked at
	// each refresh.
	BehindNAT func() bool
	// Reload, if it is not nil, is called at the beginning of each refresh, for what
	// has to follow the configuration.
	Reload func()
	// Settings are those of a connection that media arrives on, for the test of
	// the relay.
	Settings webrtc.SettingEngine
	// Log takes what the administrator should know; slog.Default() if nil.
	Log *slog.Logger
}

// Source knows the ICE servers. Its methods may be called from any goroutine.
type Source struct {
	// Immutable.
	options Options
	log     *slog.Logger
	test    func(context.Context) (relayTest, error)

	entries atomic.Pointer[[]*entry] // of the last good file; never nil
	outside atomic.Bool              // the server's own connections need these servers

	mu       sync.Mutex // held by whoever refreshes; guards the fields below
	tag      config.Tag // of the file that was read last, good or bad
	present  bool       // the last good state: there is a file
	contents []byte     // of the last good file
	failed   string     // the last error that was logged; empty when all is well
	relaying []string   // the relay's URLs that were logged
	relayErr string     // the relay's error that was logged
}

// NewSource returns a source that has read the file, but not started the relay.
// A file that is missing or faulty does not prevent that.
func NewSource(o Options) *Source {
	s := &Source{options: o, log: cmp.Or(o.Log, slog.Default())}
	s.test = s.testRelay
	s.entries.Store(new([]*entry))
	s.look()
	s.load()
	return s
}

// look finds out whether the server's own connections need servers.
func (s *Source) look() {
	if s.options.BehindNAT != nil {
		s.outside.Store(s.options.BehindNAT())
	}
}

// ForClient returns the ICE servers for a client, with credentials that are
// valid from now on for some hours. The client is whatever tells it from others:
// quotas of the built-in TURN server go by it, and it is not shown to anybody.
func (s *Source) ForClient(client string, now time.Time) []Server {
	servers := s.fromFile(now)
	if s.options.Relay == nil {
		return servers
	}
	if urls := s.options.Relay.URLs(); len(urls) > 0 {
		username, password := s.options.Relay.Credentials(client, now)
		servers = append(servers, passwordServer(urls, username, password))
	}
	return servers
}

// ClientConfiguration returns everything that a client is told about ICE.
func (s *Source) ClientConfiguration(client string, now time.Time) Configuration {
	c := Configuration{Servers: s.ForClient(client, now)}
	if s.options.RelayOnly {
		c.TransportPolicy = "relay"
	}
	return c
}

// Configuration returns the ICE servers and policy of the server's own
// connections.
func (s *Source) Configuration() webrtc.Configuration {
	now := time.Now()
	var servers []Server
	if s.outside.Load() || s.options.RelayOnly {
		servers = s.fromFile(now)
	}
	if s.options.RelayOnly && s.options.Relay != nil {
		// The relay is this process: one way to it is enough.
		urls := slices.DeleteFunc(s.options.Relay.URLs(), func(url string) bool { return strings.Contains(url, "transport=tcp") })
		if len(urls) > 0 {
			username, password := s.options.Relay.Credentials("", now)
			servers = append(servers, passwordServer(urls, username, password))
		}
	}
	c := webrtc.Configuration{ICEServers: toPion(servers)}
	if s.options.RelayOnly {
		c.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	return c
}

func (s *Source) fromFile(now time.Time) []Server {
	entries := *s.entries.Load()
	servers := make([]Server, 0, len(entries)+1)
	for _, e := range entries {
		servers = append(servers, e.server(now))
	}
	return servers
}

// toPion translates those servers whose credentials are passwords.
func toPion(servers []Server) []webrtc.ICEServer {
	var result []webrtc.ICEServer
	for _, s := range servers {
		pion := webrtc.ICEServer{URLs: s.URLs, Username: s.Username}
		if s.CredentialType != "" {
			password, ok := s.Password()
			if !ok || s.CredentialType != typePassword {
				continue
			}
			pion.Credential = password
		}
		result = append(result, pion)
	}
	return result
}

// Run keeps the servers up to date and tests the relay, at the start and every
// twelve hours, until ctx ends. Then it stops the relay. It must be called once.
func (s *Source) Run(ctx context.Context) {
	var testing sync.WaitGroup
	if s.options.Relay != nil {
		defer s.options.Relay.Stop()
	}
	defer testing.Wait()

	s.Refresh()
	refresh := time.NewTicker(refreshPeriod)
	defer refresh.Stop()
	test := time.NewTicker(testPeriod)
	defer test.Stop()
	testing.Go(func() { s.logTest(ctx) })
	for {
		select {
		case <-refresh.C:
			s.Refresh()
		case <-test.C:
			testing.Go(func() { s.logTest(ctx) })
		case <-ctx.Done():
			return
		}
	}
}

// Refresh looks at the file, and starts or stops the relay accordingly. Run does
// it all the time; a caller that wants the relay to be there before it serves
// clients calls it first.
func (s *Source) Refresh() {
	if s.options.Reload != nil {
		s.options.Reload()
	}
	s.look()
	s.load()
	s.steer()
}

// load reads the file if it has changed. While it is faulty, everything stays
// as it is.
func (s *Source) load() {
	if s.options.File == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	info, err := os.Stat(s.options.File)
	if errors.Is(err, fs.ErrNotExist) {
		if s.present {
			s.log.Info("ICE servers were removed", "file", s.options.File)
		}
		s.tag, s.failed, s.present, s.contents = config.Tag{}, "", false, nil
		s.entries.Store(new([]*entry))
		return
	}
	if err == nil && s.tag.Same(info) {
		return
	}
	data, tag, err := config.Read(s.options.File)
	s.tag = tag
	var entries []*entry
	var skipped []error
	if err == nil {
		entries, skipped, err = parse(s.options.File, data)
	}
	if err != nil {
		if s.failed != err.Error() {
			s.failed = err.Error()
			s.log.Error("ICE servers not read, keeping the last good ones", "error", err)
		}
		return
	}
	if s.present && s.failed == "" && bytes.Equal(data, s.contents) {
		return // it was touched, or is too new to be sure by its time alone
	}
	for _, err := range skipped {
		s.log.Warn("an ICE server cannot be used", "error", err)
	}
	s.log.Info("ICE servers read", "file", s.options.File, "servers", len(entries))
	s.failed, s.present, s.contents = "", true, data
	s.entries.Store(&entries)
}

// steer starts or stops the relay.
func (s *Source) steer() {
	relay := s.options.Relay
	if relay == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var failure string
	if s.options.Auto && s.present {
		relay.Stop()
	} else if err := relay.Start(); err != nil {
		failure = err.Error()
	}
	if failure != s.relayErr && failure != "" {
		s.log.Warn("the TURN server does not work everywhere", "error", failure)
	}
	s.relayErr = failure
	if urls := relay.URLs(); !slices.Equal(urls, s.relaying) {
		if len(urls) > 0 {
			s.log.Info("the TURN server is running", "urls", strings.Join(urls, " "))
		} else {
			s.log.Info("the TURN server was stopped")
		}
		s.relaying = urls
	}
}
