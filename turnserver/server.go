package turnserver

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/turn/v5"

	"galene/config"
	"galene/netaddr"
	"galene/netlimit"
	"galene/pionlog"
)

// Options configure a [Server].
type Options struct {
	// Listen says where to listen, and has to be enabled.
	Listen config.TURN
	// Reach says how the server is reached, at first.
	Reach Reach
	// Media is where the server's own media connections are.
	Media Media
	// Quota bounds the allocations; zeros stand for defaults.
	Quota Quota
	// TLS is how clients that speak TLS are served; nil refuses them.
	TLS *tls.Config
	// Log is where errors go; slog.Default() if nil.
	Log *slog.Logger
}

// Reach says how a server is reached, and whom its clients reach. It may change
// while the server runs.
type Reach struct {
	// Public are addresses that a NAT maps to this machine, at most one of each
	// family.
	Public []netip.Addr
	// Peers are hosts that clients may send to although the rules forbid it.
	Peers []config.Peers
	// Host is the name that clients on TLS are told, if the certificate is for
	// it; otherwise it is taken from the certificate.
	Host string
}

// Server is a TURN server, which can be started and stopped again and again. Its
// credentials stay valid across that. Its methods may be called from any
// goroutine.
type Server struct {
	// Immutable.
	options     Options
	log         *slog.Logger
	loggers     pionlog.Factory
	credentials credentials
	local       func() ([]netip.Addr, error)
	policy      *policy
	accounts    *accounts

	running sync.WaitGroup // readers of relays and UDP sockets
	denied  atomic.Uint64
	urls    atomic.Pointer[[]string] // never nil; immutable
	sites   atomic.Pointer[[]site]   // those that are open; never nil; immutable

	mu      sync.Mutex // held while starting or stopping; guards the fields below
	sockets map[socketKey]*socket
}

// socketKey tells sockets apart.
type socketKey struct {
	site    site
	network string // "udp" or "tcp"
}

// socket is an open socket with what serves it.
type socket struct {
	pion    *turn.Server
	streams *netlimit.Listener // nil for UDP
}

// New returns a server that is stopped.
func New(o Options) *Server {
	return newServer(o, netaddr.Local)
}

// newServer is New with a list of local addresses of the caller's choice.
func newServer(o Options, local func() ([]netip.Addr, error)) *Server {
	log := cmp.Or(o.Log, slog.Default())
	s := &Server{
		options:     o,
		log:         log,
		loggers:     pionlog.New(log),
		credentials: credentials{secret: rand.Text()},
		local:       local,
		policy:      newPolicy(o.Media, o.Reach, local),
		accounts:    newAccounts(o.Quota),
		sockets:     make(map[socketKey]*socket),
	}
	s.urls.Store(new([]string))
	s.sites.Store(new([]site))
	return s
}

// Credentials returns a user name and a password that are good for new
// allocations for twelve hours from now, and for keeping them up for another
// twelve. Clients are told apart by whatever string, which cannot be found out
// from the user name; the empty one stands for the server itself.
func (s *Server) Credentials(client string, now time.Time) (username, password string) {
	return s.credentials.issue(client, now)
}

// URLs returns where the server is to be reached; nothing while it is stopped.
func (s *Server) URLs() []string { return slices.Clone(*s.urls.Load()) }

// Stats are figures for operators.
type Stats struct {
	Allocations int    // relayed addresses in use
	Denied      uint64 // packets and permissions that the rules forbade, since the beginning
}

// Stats returns the current figures.
func (s *Server) Stats() Stats { return Stats{s.accounts.count(), s.denied.Load()} }

// Start listens wherever the server is to and does not yet, and stops listening
// on addresses that this machine no longer has. The error joins all failures;
// what could be opened serves clients nevertheless.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	local, err := s.local()
	if err != nil {
		return err
	}
	sites, err := plan(s.options.Listen, s.policy.reach.Load().Public, local)
	errs := []error{err}
	for key, open := range s.sockets {
		if !slices.Contains(sites, key.site) {
			errs = append(errs, open.close())
			delete(s.sockets, key)
		}
	}
	for _, site := range sites {
		for _, network := range []string{"udp", "tcp"} {
			errs = append(errs, s.openLocked(socketKey{site, network}))
		}
	}
	s.publishLocked(sites)
	return errors.Join(errs...)
}

// Follow changes how the server is reached: for relayed packets within a second,
// for where it listens at the next call of Start. It keeps r's slices.
func (s *Server) Follow(r Reach) { s.policy.follow(&r) }

// Stop closes all sockets and waits until everything has ended.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publishLocked(nil)
	if len(s.sockets) == 0 {
		return
	}
	var streams []*netlimit.Listener
	for key, open := range s.sockets {
		if err := open.close(); err != nil {
			s.log.Warn("cannot close a TURN socket", "error", err)
		}
		if open.streams != nil {
			streams = append(streams, open.streams)
		}
		delete(s.sockets, key)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, l := range streams {
			l.Wait()
		}
		s.running.Wait()
	}()
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case <-ended:
	case <-timeout.C:
		s.log.Error("the TURN server does not end")
	}
}

func (o *socket) close() error {
	err := o.pion.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// openLocked opens one socket unless it is open.
func (s *Server) openLocked(key socketKey) error {
	if s.sockets[key] != nil {
		return nil
	}
	g := &guard{server: s, clients: make(map[string]*usage)}
	c := g.config()
	open := &socket{}
	address := netip.AddrPortFrom(key.site.bind, s.options.Listen.Port).String()
	var listen net.ListenConfig
	var closer interface{ Close() error }
	if key.network == "udp" {
		conn, err := listen.ListenPacket(context.Background(), "udp", address)
		if err != nil {
			return fmt.Errorf("TURN: %w", err)
		}
		s.running.Add(1)
		packets := &packets{PacketConn: conn, ended: s.running.Done}
		c.PacketConnConfigs = []turn.PacketConnConfig{{
			PacketConn: packets, RelayAddressGenerator: &generator{s, key.site}, PermissionHandler: g.permit,
		}}
		closer = packets
		defer func() {
			if open.pion == nil { // nobody will read
				packets.once.Do(packets.ended)
			}
		}()
	} else {
		listener, err := listen.Listen(context.Background(), "tcp", address)
		if err != nil {
			return fmt.Errorf("TURN: %w", err)
		}
		open.streams = netlimit.New(listener, streamLimits)
		c.ListenerConfigs = []turn.ListenerConfig{{
			Listener:              &streamListener{open.streams, s.options.TLS},
			RelayAddressGenerator: &generator{s, key.site}, PermissionHandler: g.permit,
		}}
		closer = listener
	}
	server, err := turn.NewServer(c)
	if err != nil {
		_ = closer.Close()
		return fmt.Errorf("TURN: %w", err)
	}
	open.pion = server
	s.sockets[key] = open
	return nil
}

// publishLocked makes known which sites are open.
func (s *Server) publishLocked(sites []site) {
	var urls []string
	add := func(url string) {
		if !slices.Contains(urls, url) {
			urls = append(urls, url)
		}
	}
	var open []site
	secure := false
	for _, site := range sites {
		address := netip.AddrPortFrom(site.advertised, s.options.Listen.Port)
		udp, tcp := s.sockets[socketKey{site, "udp"}], s.sockets[socketKey{site, "tcp"}]
		if udp != nil {
			add(fmt.Sprintf("turn:%v", address))
		}
		if tcp != nil {
			add(fmt.Sprintf("turn:%v?transport=tcp", address))
			secure = s.options.TLS != nil
		}
		if udp != nil || tcp != nil {
			open = append(open, site)
		}
	}
	if name := s.secureName(); secure && name != "" {
		add(fmt.Sprintf("turns:%s:%d?transport=tcp", name, s.options.Listen.Port))
	}
	s.urls.Store(&urls)
	s.sites.Store(&open)
}

// relaySite returns the site that a client of one site gets relayed addresses
// of a family on: preferably the same. The network is "udp4" or "udp6".
func (s *Server) relaySite(own site, network string) (site, bool) {
	want4 := network == "udp4"
	if own.advertised.Is4() == want4 {
		return own, true
	}
	for _, other := range *s.sites.Load() {
		if other.advertised.Is4() == want4 {
			return other, true
		}
	}
	return site{}, false
}

// packets is the socket of UDP clients. Errors that a client can provoke do not
// end it.
type packets struct {
	net.PacketConn
	ended func()
	once  sync.Once
}

// ReadFrom reads a packet. Only Pion's reader of this socket calls it, until
// there is an error.
func (p *packets) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, source, err := p.PacketConn.ReadFrom(b)
		if err == nil {
			return n, source, nil
		}
		if !retry(err) {
			p.once.Do(p.ended)
			return 0, nil, err
		}
	}
}

// readPause is how long a socket rests that has failed.
const readPause = 10 * time.Millisecond

// retry waits a little after an error that may pass, and reports false after
// one that will not.
func retry(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	time.Sleep(readPause)
	return true
}
