package turnserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"galene/netlimit"
)

// errFrame says that a client on a stream sends something other than TURN.
var errFrame = errors.New("not a TURN message")

const (
	stunHeader    = 20
	stunCookie    = 0x2112a442 // RFC 8489 §5
	channelHeader = 4
	tlsHandshake  = 22 // a TLS record's type, RFC 8446 §5.1
)

// streamListener accepts TCP connections, on which clients speak TURN or TLS.
type streamListener struct {
	*netlimit.Listener
	config *tls.Config // nil for no TLS
}

// Accept waits for a connection. It does not wait for data on it.
func (l *streamListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &stream{Conn: conn, config: l.config}, nil
}

// stream is a client's TCP connection. Each Read returns one whole message, so
// that nobody has to look for its end, and no length that a client claims
// matters beyond this file.
type stream struct {
	net.Conn             // the TCP connection
	config   *tls.Config // immutable

	// Owned by the reader until the first message has been read, then immutable.
	inner  net.Conn // what TURN is spoken on: Conn, or TLS on it
	reader *bufio.Reader

	allocated atomic.Bool // there is or was an allocation
}

// Read reads one message. b has to have room for maxFrame bytes.
func (s *stream) Read(b []byte) (int, error) {
	if s.reader == nil {
		if err := s.open(); err != nil {
			return 0, err
		}
	}
	timeout := newTimeout
	if s.allocated.Load() {
		timeout = idleTimeout
	}
	if err := s.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return 0, err
	}
	return readFrame(s.reader, b)
}

// open finds out what the client speaks.
func (s *stream) open() error {
	ctx, cancel := context.WithTimeout(context.Background(), helloTimeout)
	defer cancel()
	if err := s.SetDeadline(time.Now().Add(helloTimeout)); err != nil {
		return err
	}
	raw := bufio.NewReaderSize(s.Conn, maxFrame+1)
	first, err := raw.Peek(1)
	if err != nil {
		return err
	}
	s.inner, s.reader = s.Conn, raw
	if first[0] == tlsHandshake && s.config != nil {
		secure := tls.Server(&peeked{s.Conn, raw}, s.config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return fmt.Errorf("TLS handshake: %w", err)
		}
		s.inner, s.reader = secure, bufio.NewReaderSize(secure, maxFrame+1)
	}
	return s.SetDeadline(time.Time{})
}

// peeked is a connection of which something has been read ahead.
type peeked struct {
	net.Conn
	reader *bufio.Reader
}

// Read reads what has been read ahead first.
func (p *peeked) Read(b []byte) (int, error) { return p.reader.Read(b) }

// readFrame reads a STUN message (RFC 8489 §5) or ChannelData (RFC 8656 §12.4),
// with its padding, into b, and returns its length. What is longer than
// maxFrame, or neither, is an error.
func readFrame(r *bufio.Reader, b []byte) (int, error) {
	header, err := r.Peek(channelHeader)
	if err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint16(header[2:]))
	switch header[0] >> 6 {
	case 0:
		if header, err = r.Peek(stunHeader); err != nil {
			return 0, err
		}
		if n%4 != 0 || binary.BigEndian.Uint32(header[4:]) != stunCookie {
			return 0, errFrame
		}
		n += stunHeader
	case 1:
		n = channelHeader + (n+3)&^3
	default:
		return 0, errFrame
	}
	if n > maxFrame || n > len(b) {
		return 0, errFrame
	}
	return io.ReadFull(r, b[:n])
}

// allocateSuccess is the type of the message that tells a client that it has an
// allocation (RFC 8656 §17).
const allocateSuccess = 0x0103

// Write sends one message. A client that does not take it in time is cut off.
func (s *stream) Write(b []byte) (int, error) {
	if len(b) >= 2 && binary.BigEndian.Uint16(b) == allocateSuccess {
		s.allocated.Store(true)
	}
	if err := s.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return 0, err
	}
	n, err := s.inner.Write(b)
	if err != nil {
		_ = s.Conn.Close() // a part of a message may have been sent
	}
	return n, err
}
