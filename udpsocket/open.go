package udpsocket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
)

const (
	// socketBuffer is asked for in each direction, in octets: a fifth of a second
	// at 150 Mbit/s. The system may grant less.
	socketBuffer = 4 << 20
	// portAttempts bounds the search for a port that is free in both families.
	portAttempts = 16
	// maxShards bounds the sockets of one family.
	maxShards = 256
)

// Options say which sockets to open. The zero value is valid.
type Options struct {
	Port   int          // 0 lets the system choose
	Shards int          // sockets per family, 1 to 256; 0 is 1. Only Linux spreads datagrams, elsewhere there is one
	Log    *slog.Logger // slog.Default() if nil
}

// Open opens sockets of both families on one port, which it returns. A family
// that the system lacks is left out, both are an error. So is a port that another
// socket has, even if that one would share it.
func Open(o Options) ([]*Socket, int, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	o.Shards = min(max(o.Shards, 1), maxShards)
	if !sharding {
		o.Shards = 1
	}
	var err error
	for range portAttempts {
		var sockets []*Socket
		var port int
		sockets, port, err = openPair(o)
		if err == nil {
			return sockets, port, nil
		}
		if o.Port != 0 || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, 0, fmt.Errorf("udpsocket: %w", err)
}

// openPair tries one port, for port 0 one of the system's choice. A family whose
// port is taken is an error.
func openPair(o Options) (sockets []*Socket, port int, err error) {
	port = o.Port
	var missing []error
	for _, v6 := range []bool{false, true} {
		shards, err := openFamily(port, v6, o)
		switch {
		case err == nil:
			sockets = append(sockets, shards...)
			port = shards[0].port
		case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, syscall.EACCES):
			closeAll(sockets)
			return nil, 0, err
		default:
			missing = append(missing, err)
		}
	}
	if len(sockets) == 0 {
		return nil, 0, errors.Join(missing...)
	}
	for _, err := range missing {
		o.Log.Info("address family not available", "error", err)
	}
	return sockets, port, nil
}

// openFamily opens all sockets of one family. The first is bound without sharing,
// which fails if anybody has the port; only then does it let the others join.
func openFamily(port int, v6 bool, o Options) ([]*Socket, error) {
	first, err := openSocket(port, v6, false, o.Log)
	if err != nil {
		return nil, err
	}
	sockets := []*Socket{first}
	if o.Shards == 1 {
		return sockets, nil
	}
	if err := first.share(); err != nil {
		o.Log.Info("one socket receives all datagrams of its family", "network", first.network(), "error", err)
		return sockets, nil
	}
	for len(sockets) < o.Shards {
		s, err := openSocket(first.port, v6, true, o.Log)
		if err != nil {
			closeAll(sockets)
			return nil, err
		}
		sockets = append(sockets, s)
	}
	return sockets, nil
}

func openSocket(port int, v6, shared bool, log *slog.Logger) (*Socket, error) {
	s := &Socket{v6: v6}
	var config net.ListenConfig
	if shared {
		config.Control = func(_, _ string, raw syscall.RawConn) error { return shareRaw(raw) }
	}
	conn, err := config.ListenPacket(context.Background(), s.network(), fmt.Sprintf(":%d", port))
	if err != nil {
		return nil, err
	}
	s.conn = conn.(*net.UDPConn)                    //nolint:forcetypeassert // it is a UDP network
	s.port = s.conn.LocalAddr().(*net.UDPAddr).Port //nolint:forcetypeassert // it is a UDP socket
	if err := s.setPacketInfo(); err != nil {
		log.Warn("replies may leave from another address than they should", "network", s.network(), "error", err)
	} else {
		s.info = true
	}
	// The buffers the system has by default do, for fewer connections.
	if err := errors.Join(s.conn.SetReadBuffer(socketBuffer), s.conn.SetWriteBuffer(socketBuffer)); err != nil {
		log.Info("cannot enlarge socket buffers", "network", s.network(), "error", err)
	}
	if err := s.prepare(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return s, nil
}

func closeAll(sockets []*Socket) {
	for _, s := range sockets {
		_ = s.Close()
	}
}

// Socket is a UDP socket of one address family. Its methods may be called from
// any goroutine.
type Socket struct {
	// Immutable after Open.
	conn *net.UDPConn // nil where there is something better
	port int
	v6   bool
	info bool // the system tells, and obeys, local addresses
	platform

	// Any goroutine.
	stats counters
}

// IPv6 tells the address family.
func (s *Socket) IPv6() bool { return s.v6 }

func (s *Socket) network() string {
	if s.v6 {
		return "udp6"
	}
	return "udp4"
}

// Canonical gives every transport address one form: IPv4 never mapped into
// IPv6, zones only where they tell interfaces apart.
func Canonical(a netip.AddrPort) netip.AddrPort {
	ip := a.Addr().Unmap()
	if !ip.IsLinkLocalUnicast() {
		ip = ip.WithZone("")
	}
	return netip.AddrPortFrom(ip, a.Port())
}
