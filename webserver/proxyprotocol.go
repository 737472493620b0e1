package webserver

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"galene/config"
	"galene/group"
)

// Bounds of a header of the PROXY protocol, in bytes.
const (
	maxProxyLine  = 107     // of version 1, its end included
	maxProxyBlock = 4 << 10 // of version 2, after the first 16 bytes
)

// What headers begin with: a word in version 1, and a signature in version 2.
const (
	proxyWord      = "PROXY "
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n"
)

// errProxyHeader is wrapped by all errors about headers of the PROXY protocol.
var errProxyHeader = errors.New("bad PROXY protocol header")

// proxyListener hands out connections that bear the address of the client, where
// they come from a trusted proxy that speaks the PROXY protocol.
type proxyListener struct {
	net.Listener
	settings func() *config.Settings
}

func (l *proxyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	settings := l.settings()
	if !settings.ProxyProtocol || !settings.Trusts(group.ParseAddress(c.RemoteAddr().String())) {
		return c, nil
	}
	return &proxyConn{Conn: c, reader: bufio.NewReaderSize(c, len(proxySignature)+4+maxProxyBlock)}, nil
}

// proxyConn is a connection that begins with a header. Whoever asks first for
// the address, or for data, waits for it.
type proxyConn struct {
	net.Conn
	reader *bufio.Reader // holds no more than came with the header

	once   sync.Once
	client net.Addr // nil if the header does not tell
	err    error    // why the connection cannot be used
}

// header reads the header once.
func (c *proxyConn) header() {
	c.once.Do(func() {
		if c.err = c.SetReadDeadline(time.Now().Add(readHeaderTimeout)); c.err != nil {
			return
		}
		var client netip.AddrPort
		if client, c.err = readProxyHeader(c.reader); c.err != nil {
			return
		}
		if client.IsValid() {
			c.client = net.TCPAddrFromAddrPort(client)
		}
		c.err = c.SetReadDeadline(time.Time{})
	})
}

// Read reads what follows the header.
func (c *proxyConn) Read(p []byte) (int, error) {
	c.header()
	if c.err != nil {
		return 0, c.err
	}
	if c.reader.Buffered() > 0 {
		return c.reader.Read(p)
	}
	return c.Conn.Read(p)
}

// RemoteAddr is the client's address, or the proxy's if it has not told.
func (c *proxyConn) RemoteAddr() net.Addr {
	c.header()
	if c.client == nil {
		return c.Conn.RemoteAddr()
	}
	return c.client
}

// readProxyHeader reads a header of the PROXY protocol, version 1 or 2, and no
// more. The address is invalid if the proxy speaks for itself, or for somebody
// whose address is not one of the Internet.
func readProxyHeader(r *bufio.Reader) (client netip.AddrPort, err error) {
	first, err := r.Peek(1)
	if err == nil && first[0] == proxySignature[0] {
		return readProxyBlock(r)
	}
	if err == nil {
		return readProxyLine(r)
	}
	return netip.AddrPort{}, fmt.Errorf("%w: %w", errProxyHeader, err)
}

// readProxyLine reads a header of version 1:
//
//	PROXY TCP4 192.0.2.1 192.0.2.2 50000 443
func readProxyLine(r *bufio.Reader) (netip.AddrPort, error) {
	var line []byte
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		b, err := r.ReadByte()
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("%w: %w", errProxyHeader, err)
		}
		if line = append(line, b); len(line) > maxProxyLine {
			return netip.AddrPort{}, fmt.Errorf("%w: line too long", errProxyHeader)
		}
		// Whoever speaks something else should not be waited for.
		if n := len(line); n <= len(proxyWord) && b != proxyWord[n-1] {
			return netip.AddrPort{}, fmt.Errorf("%w: there is none", errProxyHeader)
		}
	}
	fields := strings.Split(string(line[:len(line)-2]), " ")
	if len(fields) >= 2 && fields[1] == "UNKNOWN" {
		return netip.AddrPort{}, nil
	}
	if len(fields) != 6 || fields[1] != "TCP4" && fields[1] != "TCP6" {
		return netip.AddrPort{}, fmt.Errorf("%w: %q", errProxyHeader, line)
	}
	client, err := netip.ParseAddrPort(net.JoinHostPort(fields[2], fields[4]))
	if err != nil || client.Addr().Is4() != (fields[1] == "TCP4") {
		return netip.AddrPort{}, fmt.Errorf("%w: %q", errProxyHeader, line)
	}
	return client, nil
}

// readProxyBlock reads a header of version 2:
//
//	signature (12) | version, command (1) | family, protocol (1) | length (2)
//	source address (4 or 16) | destination address | source port (2) | …
func readProxyBlock(r *bufio.Reader) (netip.AddrPort, error) {
	const (
		version, versionMask = 0x20, 0xf0
		local, proxied       = 0x20, 0x21
		inet, inet6          = 0x1, 0x2
	)
	var head [len(proxySignature) + 4]byte
	for i := range head {
		var err error
		if head[i], err = r.ReadByte(); err != nil {
			return netip.AddrPort{}, fmt.Errorf("%w: %w", errProxyHeader, err)
		}
		if i < len(proxySignature) && head[i] != proxySignature[i] {
			return netip.AddrPort{}, fmt.Errorf("%w: there is none", errProxyHeader)
		}
	}
	command, family, length := head[12], head[13]>>4, int(binary.BigEndian.Uint16(head[14:]))
	if command&versionMask != version || length > maxProxyBlock {
		return netip.AddrPort{}, fmt.Errorf("%w: version %d, %d bytes", errProxyHeader, command>>4, length)
	}
	block := make([]byte, length)
	if _, err := io.ReadFull(r, block); err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", errProxyHeader, err)
	}
	var size int
	switch {
	case command == local:
		return netip.AddrPort{}, nil
	case command != proxied:
		return netip.AddrPort{}, fmt.Errorf("%w: command %d", errProxyHeader, command&^versionMask)
	case family == inet:
		size = net.IPv4len
	case family == inet6:
		size = net.IPv6len
	default:
		return netip.AddrPort{}, nil
	}
	if length < 2*size+4 {
		return netip.AddrPort{}, fmt.Errorf("%w: addresses cut short", errProxyHeader)
	}
	address, _ := netip.AddrFromSlice(block[:size]) // of a proper size
	return netip.AddrPortFrom(address, binary.BigEndian.Uint16(block[2*size:])), nil
}
