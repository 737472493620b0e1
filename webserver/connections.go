package webserver

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"galene/config"
	"galene/netlimit"
)

const (
	// maxConnections bounds the connections to the web server, WebSockets
	// included. Each takes a file and, with TLS, some tens of kilobytes.
	maxConnections = 32768
	// connectionsPerWebSocket is how many connections one address may have for each
	// WebSocket that it may have: a page needs one or two besides.
	connectionsPerWebSocket = 4
	// acceptComplaint is how often it is logged that connections cannot be accepted.
	acceptComplaint = 10 * time.Second
)

// connectionsFrom tells how many connections may come from an address. Only
// maxConnections bounds those of proxies, with everybody behind them: of trusted
// ones, and of whatever runs on this machine.
func connectionsFrom(settings *config.Settings, address netip.Addr) int {
	if address.Unmap().IsLoopback() || settings.Trusts(address) {
		return maxConnections
	}
	return connectionsPerWebSocket * settings.Limits.WithDefaults().ConnectionsPerAddress
}

// boundedListener bounds the connections that it accepts. Closing it leaves them
// alone.
type boundedListener struct {
	*netlimit.Listener
	inner net.Listener
}

func newBoundedListener(l net.Listener, settings func() *config.Settings, log *slog.Logger) *boundedListener {
	of := func(address netip.Addr) int { return connectionsFrom(settings(), address) }
	l = &complainingListener{Listener: l, log: log}
	return &boundedListener{netlimit.New(l, netlimit.Limits{Total: maxConnections, Of: of}), l}
}

// Close stops listening.
func (l *boundedListener) Close() error { return l.inner.Close() }

// complainingListener logs, now and then, why connections cannot be accepted.
type complainingListener struct {
	net.Listener
	log  *slog.Logger
	last time.Time // owned by who accepts
}

func (l *complainingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil && !errors.Is(err, net.ErrClosed) && time.Since(l.last) >= acceptComplaint {
		l.last = time.Now()
		l.log.Warn("cannot accept connections", "error", err)
	}
	return c, err
}
