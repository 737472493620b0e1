package udpmux

import (
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"syscall"
)

const (
	// socketBuffer is asked for in each direction, in bytes: a fifth of a second
	// at 150 Mbit/s. The system may grant less.
	socketBuffer = 4 << 20
	// portAttempts bounds the search for a port that is free in both families.
	portAttempts = 16
)

// socket is the UDP socket of one address family. One goroutine receives, any
// may send. Platform files hold how: setPacketInfo, source, send, and the
// buffers of an inbox.
type socket struct {
	conn *net.UDPConn
	v6   bool
	info bool // the system tells, and obeys, local addresses
}

// inbox is what one call of receive got. It belongs to one reader, and its
// buffers are reused.
type inbox struct {
	next *datagram // to receive into; the reader provides it
	full bool      // next holds a datagram
	oob  [controlSpace]byte
}

// all hands over the datagrams received; the loop's body owns each.
func (in *inbox) all() iter.Seq[*datagram] {
	return func(yield func(*datagram) bool) {
		if !in.full {
			return
		}
		d := in.next
		in.next, in.full = nil, false
		yield(d)
	}
}

// receive waits for at least one datagram and puts what came into the inbox,
// which must have a buffer.
func (s *socket) receive(in *inbox) error {
	d := in.next
	n, oobn, _, from, err := s.conn.ReadMsgUDPAddrPort(d.buf[:], in.oob[:])
	if err != nil {
		return err
	}
	d.n, d.from, d.to = n, canonical(from), s.destination(in.oob[:oobn])
	in.full = true
	return nil
}

func (s *socket) close() error { return s.conn.Close() }

// openSockets opens one socket per family on the same port.
func openSockets(port int, log *slog.Logger) ([]*socket, int, error) {
	var err error
	for range portAttempts {
		var sockets []*socket
		var got int
		sockets, got, err = openPair(port, log)
		if err == nil {
			return sockets, got, nil
		}
		if port != 0 || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, 0, fmt.Errorf("udpmux: %w", err)
}

// openPair tries one port, for port 0 one of the system's choice. A family that
// the system lacks is left out; one whose port is taken is an error.
func openPair(port int, log *slog.Logger) (sockets []*socket, got int, err error) {
	var missing []error
	for _, v6 := range []bool{false, true} {
		s, err := openSocket(port, v6, log)
		switch {
		case err == nil:
			sockets = append(sockets, s)
			port = s.conn.LocalAddr().(*net.UDPAddr).Port //nolint:forcetypeassert // it is a UDP socket
		case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, syscall.EACCES):
			for _, s := range sockets {
				_ = s.close()
			}
			return nil, 0, err
		default:
			missing = append(missing, err)
		}
	}
	if len(sockets) == 0 {
		return nil, 0, errors.Join(missing...)
	}
	for _, err := range missing {
		log.Info("address family not available", "error", err)
	}
	return sockets, port, nil
}

func openSocket(port int, v6 bool, log *slog.Logger) (*socket, error) {
	network := "udp4"
	if v6 {
		network = "udp6"
	}
	conn, err := net.ListenUDP(network, &net.UDPAddr{Port: port})
	if err != nil {
		return nil, err
	}
	s := &socket{conn: conn, v6: v6}
	if err := s.setPacketInfo(); err != nil {
		log.Warn("replies may leave from another address than they should", "network", network, "error", err)
	} else {
		s.info = true
	}
	// The buffers the system has by default do, for fewer connections.
	if err := errors.Join(conn.SetReadBuffer(socketBuffer), conn.SetWriteBuffer(socketBuffer)); err != nil {
		log.Info("cannot enlarge socket buffers", "network", network, "error", err)
	}
	return s, nil
}
