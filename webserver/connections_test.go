package webserver

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"galene/config"
	"galene/internal/testlog"
)

func TestHowManyConnectionsAnAddressMayHave(t *testing.T) {
	t.Parallel()
	var proxied config.Network
	if err := proxied.UnmarshalText([]byte("192.0.2.0/24")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		limit   int
		address string
		want    int
	}{
		{"of a visitor", 0, "198.51.100.7", 4096},
		{"of a visitor where more WebSockets are allowed", 2000, "198.51.100.7", 8000},
		{"of a trusted proxy", 1, "192.0.2.1", maxConnections},
		{"of a trusted proxy, on a socket for both families", 1, "::ffff:192.0.2.1", maxConnections},
		{"of this machine", 1, "127.0.0.1", maxConnections},
		{"of this machine, on a socket for both families", 1, "::ffff:127.0.0.1", maxConnections},
	}
	for _, tt := range tests {
		settings := config.Settings{
			TrustedProxies: []config.Network{proxied}, Limits: config.Limits{ConnectionsPerAddress: tt.limit},
		}
		if got := connectionsFrom(&settings, netip.MustParseAddr(tt.address)); got != tt.want {
			t.Errorf("connections %s (%s): %d, want %d", tt.name, tt.address, got, tt.want)
		}
	}
}

// distantListener makes connections seem to come from elsewhere.
type distantListener struct{ net.Listener }

func (l distantListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return distantConn{c}, err
}

type distantConn struct{ net.Conn }

func (distantConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("198.51.100.7:1000"))
}

// open connects, and says nothing.
func open(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestAnAddressCannotHoldAllConnections(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.settings.Limits.ConnectionsPerAddress = 1
	address := f.serveThrough(t, func(l net.Listener) net.Listener { return distantListener{l} })
	for range connectionsPerWebSocket {
		open(t, address)
	}
	c := open(t, address)
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second)) // shorter than readHeaderTimeout
	_, err := c.Read(make([]byte, 1))
	if timeout, ok := errors.AsType[net.Error](err); err == nil || ok && timeout.Timeout() {
		t.Errorf("reading from one connection too many: error %v, want that it has been closed", err)
	}
}

// tiredListener fails until it is closed.
type tiredListener struct {
	net.Listener
	failures int
}

func (l *tiredListener) Accept() (net.Conn, error) {
	if l.failures--; l.failures >= 0 {
		return nil, errors.New("too many open files")
	}
	return nil, net.ErrClosed
}

func TestItIsLoggedOnceThatConnectionsCannotBeAccepted(t *testing.T) {
	t.Parallel()
	log := new(testlog.Journal)
	listener := newBoundedListener(&tiredListener{failures: 3}, func() *config.Settings { return new(config.Settings) }, log.Logger())
	if _, err := listener.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v, want %v", err, net.ErrClosed)
	}
	if n := log.Count("too many open files"); n != 1 {
		t.Errorf("logged %d times, want once:\n%v", n, log)
	}
}

func TestAConnectionCannotHaveManyRequestsInProgress(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *Options) { o.Insecure = false })
	c := dialHTTP2(t, f.serve(t))
	if _, err := c.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")); err != nil {
		t.Fatal(err)
	}
	frame, err := http2.NewFramer(c, c).ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	settings, ok := frame.(*http2.SettingsFrame)
	if !ok {
		t.Fatalf("the first frame is %v, want settings", frame)
	}
	if got, ok := settings.Value(http2.SettingMaxConcurrentStreams); !ok || got != maxStreams {
		t.Errorf("streams: %d, %t, want %d", got, ok, maxStreams)
	}
}

func TestABodyIsReadNoFurtherThanItMayBeLong(t *testing.T) {
	t.Parallel()
	for _, length := range []int{maxOffer, maxOffer + 1, maxRequestBody} {
		body := &counted{rest: length}
		r := httptest.NewRequest(http.MethodPost, "/group/open/.whip", body)
		reply := httptest.NewRecorder()
		text, ok := readText(reply, r, maxOffer)
		switch {
		case length == maxOffer && (!ok || len(text) != length):
			t.Errorf("of %d bytes %d were read, %t, want all of them", length, len(text), ok)
		case length > maxOffer && (ok || reply.Code != http.StatusRequestEntityTooLarge):
			t.Errorf("of %d bytes %d were read, %t, and the status is %d, want %d",
				length, len(text), ok, reply.Code, http.StatusRequestEntityTooLarge)
		case body.read > maxOffer+1:
			t.Errorf("of %d bytes %d were taken, want at most %d", length, body.read, maxOffer+1)
		}
	}
}

// counted is a body that counts how much of it has been read.
type counted struct{ rest, read int }

func (c *counted) Read(b []byte) (int, error) {
	if c.rest == 0 {
		return 0, io.EOF
	}
	n := min(len(b), c.rest)
	c.rest, c.read = c.rest-n, c.read+n
	return n, nil
}
