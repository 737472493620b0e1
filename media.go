package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"galene/config"
	"galene/ice"
	"galene/netaddr"
	"galene/rtpconn"
	"galene/tcpmux"
	"galene/turnserver"
	"galene/udpmux"
)

// media is everything that media goes through.
type media struct {
	engine  *rtpconn.Engine
	mux     *udpmux.Mux        // nil if each connection has sockets of its own
	relay   *turnserver.Server // nil if there is none
	servers *ice.Source
	web     net.Listener // where the web server is to listen
	log     *slog.Logger
	closers []func() error // of what is under the engine, last first

	reach atomic.Pointer[reach] // immutable
}

// certificateFunc returns the certificate of the moment.
type certificateFunc func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// openMedia opens the sockets for media, unless each connection is to have its
// own, and prepares what makes connections on them. The web server's listener
// may become media's as well, if it has the same port. The caller closes the
// result, and runs its servers.
func openMedia(
	flags config.Flags, settings func() *config.Settings, web net.Listener, certificate certificateFunc, log *slog.Logger,
) (*media, error) {
	m := &media{web: web, log: log}
	options := rtpconn.Options{Loopback: flags.Loopback, MDNS: flags.MDNS, Log: log}
	reach, err := newReach(flags, settings())
	m.reach.Store(reach)
	var ports turnserver.Media
	if err == nil {
		options.PublicAddresses = reach.public.List()
		ports, err = m.openPorts(flags, &options)
	}
	if err == nil {
		err = m.makeEngine(flags, options, ports, certificate, func() { m.follow(flags, settings()) })
	}
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// reach is how others reach this machine.
type reach struct {
	public config.PublicAddresses
	peers  []config.Peers // that the TURN server allows
	name   string         // the host's name, if it is known
}

func newReach(flags config.Flags, settings *config.Settings) (*reach, error) {
	r := &reach{public: flags.PublicAddresses, name: settings.CanonicalHost}
	var err error
	if r.public == (config.PublicAddresses{}) {
		if r.public, err = config.ParsePublicAddresses(settings.PublicAddresses); err != nil {
			return r, fmt.Errorf("public addresses: %w", err)
		}
	}
	for _, s := range settings.TURNPeers {
		peers, err := config.ParsePeers(s)
		if err != nil {
			return r, fmt.Errorf("peers of the TURN server: %w", err)
		}
		r.peers = append(r.peers, peers)
	}
	if host, _, err := net.SplitHostPort(r.name); err == nil {
		r.name = host
	}
	return r, nil
}

// relay is what the TURN server is to know of it.
func (r *reach) relay() turnserver.Reach {
	return turnserver.Reach{Public: r.public.List(), Peers: r.peers, Host: r.name}
}

// equal tells whether nothing has changed.
func (r *reach) equal(other *reach) bool {
	return r.public == other.public && r.name == other.name && slices.Equal(r.peers, other.peers)
}

// follow takes over what the configuration says about how this machine is reached.
// Connections that there are stay as they are.
func (m *media) follow(flags config.Flags, settings *config.Settings) {
	next, err := newReach(flags, settings)
	before := m.reach.Load()
	if err != nil || next.equal(before) {
		return // settings with a mistake have been logged, and are not in force
	}
	m.reach.Store(next)
	if next.public != before.public {
		m.log.Info("the public addresses have changed", "addresses", next.public.List())
		logError(m.log, "cannot use the public addresses", m.engine.SetPublicAddresses(next.public.List()))
	}
	if m.relay != nil {
		m.relay.Follow(next.relay())
	}
}

// behindNAT reports whether clients on the IPv4 Internet do not reach this
// machine by the addresses that it knows of.
func (r *reach) behindNAT() bool {
	local, err := netaddr.Local()
	return err == nil && !r.public.IPv4.IsValid() &&
		!slices.ContainsFunc(local, func(a netip.Addr) bool { return a.Is4() && netaddr.Public(a) })
}

// openPorts opens the ports for media, puts them into options, and returns which
// they are.
func (m *media) openPorts(flags config.Flags, options *rtpconn.Options) (turnserver.Media, error) {
	ports := flags.UDPRange
	if ports == (config.PortRange{}) || ports.Single() {
		mux, err := udpmux.Listen(udpmux.Options{Port: int(ports.Min), Loopback: flags.Loopback, Log: m.log})
		if err != nil {
			return turnserver.Media{}, fmt.Errorf("cannot open the UDP port for media (-udp-range chooses another one): %w", err)
		}
		m.closers = append(m.closers, mux.Close)
		m.log.Info("media is on one UDP port", "port", mux.Port())
		m.mux, options.Mux = mux, mux
		ports = config.PortRange{Min: uint16(mux.Port()), Max: uint16(mux.Port())}
	} else {
		m.log.Info("media is on a range of UDP ports", "first", ports.Min, "last", ports.Max)
		options.PortMin, options.PortMax = ports.Min, ports.Max
	}
	if mux := m.openTCP(ports.Min); mux != nil {
		m.closers = append(m.closers, mux.Close)
		options.TCPMux = mux
	}
	return turnserver.Media{Min: ports.Min, Max: ports.Max, Loopback: flags.Loopback}, nil
}

// openTCP accepts media over TCP on a port, which may be the web server's. It is
// not there if that is impossible: then those whose UDP is blocked need a relay.
func (m *media) openTCP(port uint16) *tcpmux.Mux {
	var listener net.Listener
	if address, ok := m.web.Addr().(*net.TCPAddr); ok && address.AddrPort().Port() == port {
		m.web, listener = tcpmux.Split(m.web)
	} else {
		var err error
		listener, err = net.ListenTCP("tcp", &net.TCPAddr{Port: int(port)})
		if err != nil {
			m.log.Warn("there is no media over TCP, for clients whose UDP is blocked", "error", err)
			return nil
		}
	}
	m.log.Info("media is on a TCP port too", "port", port)
	return tcpmux.New(listener, m.log)
}

// makeEngine makes the engine and the ICE servers, with the TURN server among
// them. From time to time they call follow.
func (m *media) makeEngine(
	flags config.Flags, options rtpconn.Options, ports turnserver.Media, certificate certificateFunc, follow func(),
) error {
	settings, err := rtpconn.NewSettingEngine(options)
	if err != nil {
		return fmt.Errorf("prepare for media: %w", err)
	}
	servers := ice.Options{
		File:      filepath.Join(flags.Data, "ice-servers.json"),
		Auto:      flags.Turn.Auto,
		RelayOnly: flags.RelayOnly,
		BehindNAT: func() bool { return m.reach.Load().behindNAT() },
		Reload:    follow,
		Settings:  settings,
		Log:       m.log,
	}
	if flags.Turn.Enabled() {
		relay := turnserver.Options{
			Listen: flags.Turn, Reach: m.reach.Load().relay(), Media: ports, Log: m.log,
		}
		if !flags.Insecure {
			relay.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate}
		}
		m.relay = turnserver.New(relay)
		servers.Relay = m.relay
	}
	m.servers = ice.NewSource(servers)
	options.Configuration = m.servers.Configuration
	if m.engine, err = rtpconn.NewEngine(options); err != nil {
		return fmt.Errorf("prepare for media: %w", err)
	}
	return nil
}

// forClient is what a client is told about ICE.
func (m *media) forClient(client string) any {
	return m.servers.ClientConfiguration(client, time.Now())
}

// iceServers are those that a client without a page is told of.
func (m *media) iceServers(client string) []ice.Server {
	return m.servers.ForClient(client, time.Now())
}

// close closes all connections, and then the sockets under them.
func (m *media) close() {
	if m.engine != nil {
		logError(m.log, "cannot close all connections", m.engine.Close())
	}
	for _, closer := range slices.Backward(m.closers) {
		logError(m.log, "cannot close a port for media", closer())
	}
}
