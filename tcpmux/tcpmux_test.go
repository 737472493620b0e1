package tcpmux

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to happen.
const patience = 30 * time.Second

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func dial(t *testing.T, address net.Addr) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", address.String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// frame is b as it travels on a stream.
func frame(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

func bindingRequest(t *testing.T, username string) []byte {
	t.Helper()
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(username))
	if err != nil {
		t.Fatal(err)
	}
	return m.Raw
}

func TestPacketsReachTheAgentThatTheFirstOneNames(t *testing.T) {
	t.Parallel()
	l := listen(t)
	m := New(l, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = m.Close() })
	agent, err := m.GetConnByUfrag("ada", false, net.IPv4(127, 0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer agent.Close()
	client := dial(t, l.Addr())
	check := bindingRequest(t, "ada:x")
	if _, err := client.Write(append(frame(check), frame([]byte("media"))...)); err != nil {
		t.Fatal(err)
	}
	var from net.Addr
	for _, want := range [][]byte{check, []byte("media")} {
		b := make([]byte, 2000)
		n, address, err := agent.ReadFrom(b)
		if err != nil || !bytes.Equal(b[:n], want) {
			t.Fatalf("read %x, %v, want %x", b[:n], err, want)
		}
		from = address
	}
	if _, err := agent.WriteTo([]byte("answer"), from); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 8)
	if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, frame([]byte("answer"))) {
		t.Errorf("the client gets %x, %v, want the answer", got, err)
	}
}

// A peer that does not read loses packets, and nobody waits for it.
func TestSlowPeersHoldNobodyUp(t *testing.T) {
	t.Parallel()
	l := listen(t)
	m := New(l, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = m.Close() })
	agent, err := m.GetConnByUfrag("ada", false, net.IPv4(127, 0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer agent.Close()
	client := dial(t, l.Addr())
	if _, err := client.Write(frame(bindingRequest(t, "ada:x"))); err != nil {
		t.Fatal(err)
	}
	_, from, err := agent.ReadFrom(make([]byte, 2000))
	if err != nil {
		t.Fatal(err)
	}
	lost := 0
	packet := make([]byte, 1200)
	for range (64 << 20) / len(packet) { // far more than all buffers
		if _, err := agent.WriteTo(packet, from); err != nil {
			lost++
		}
	}
	if lost == 0 {
		t.Error("everything is buffered")
	}
}

func TestCloseEndsConnectionsAtOnce(t *testing.T) {
	t.Parallel()
	l := listen(t)
	m := New(l, slog.New(slog.DiscardHandler))
	silent, stranger := dial(t, l.Addr()), dial(t, l.Addr())
	if _, err := stranger.Write(frame(bindingRequest(t, "nobody:x"))); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_ = m.Close()
	if took := time.Since(start); took >= helloTimeout {
		t.Errorf("Close took %v", took)
	}
	for _, c := range []net.Conn{silent, stranger} {
		if n, err := c.Read(make([]byte, 1)); err == nil {
			t.Errorf("read %d bytes after Close, want the end", n)
		}
	}
	if conn, err := m.GetConnByUfrag("ada", false, net.IPv4(127, 0, 0, 1)); err == nil {
		t.Errorf("GetConnByUfrag after Close = %v, want an error", conn)
	}
}

// accept returns the next connection of l.
func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	type result struct {
		net.Conn
		err error
	}
	accepted := make(chan result, 1)
	go func() {
		c, err := l.Accept()
		accepted <- result{c, err}
	}()
	select {
	case r := <-accepted:
		if r.err != nil {
			t.Fatal(r.err)
		}
		t.Cleanup(func() { _ = r.Close() })
		return r.Conn
	case <-time.After(patience):
		t.Fatal("nothing was accepted")
		return nil
	}
}

func TestSplitTellsByTheFirstByte(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		data  []byte
		media bool
	}{
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), false},
		{"TLS", []byte{22, 3, 1, 0, 5, 1}, false},
		{"a short frame", frame(make([]byte, 100)), true},
		{"a longer frame", frame(make([]byte, 300)), true},
		{"a frame too long for a first one", frame(make([]byte, 600)), false},
		{"one byte", []byte{0}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			web, media := Split(listen(t))
			t.Cleanup(func() { _ = media.Close() })
			client := dial(t, web.Addr())
			if _, err := client.Write(tt.data); err != nil {
				t.Fatal(err)
			}
			first := accept(t, web)
			_ = first.SetDeadline(time.Now().Add(patience))
			b := make([]byte, 10)
			n, err := first.Read(b)
			if !tt.media {
				if err != nil || !bytes.Equal(b[:n], tt.data[:n]) {
					t.Errorf("the web reads %x, %v, want %x", b[:n], err, tt.data)
				}
				return
			}
			if n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("the web reads %d bytes, %v, want the end", n, err)
			}
			// What the web server does then to its connection matters no more.
			_ = first.SetDeadline(time.Now().Add(-time.Hour))
			_, _ = first.Write([]byte("HTTP/1.1 400"))
			_ = first.Close()
			second := accept(t, media)
			_ = second.SetDeadline(time.Now().Add(patience))
			got := make([]byte, len(tt.data))
			if _, err := io.ReadFull(second, got); err != nil || !bytes.Equal(got, tt.data) {
				t.Errorf("media reads %x, %v, want %x", got, err, tt.data)
			}
			if _, err := second.Write([]byte("x")); err != nil {
				t.Errorf("media cannot answer: %v", err)
			}
			if n, err := client.Read(b); n != 1 || b[0] != 'x' {
				t.Errorf("the client reads %x, %v, want the answer", b[:n], err)
			}
		})
	}
}

func TestMediaThatNobodyAcceptsIsSentAway(t *testing.T) {
	t.Parallel()
	web, media := Split(listen(t))
	hand := func() net.Conn {
		client := dial(t, web.Addr())
		if _, err := client.Write([]byte{0}); err != nil {
			t.Fatal(err)
		}
		if _, err := accept(t, web).Read(make([]byte, 1)); err == nil {
			t.Fatal("the web keeps a connection for media")
		}
		return client
	}
	var waiting []net.Conn
	for range maxWaiting {
		waiting = append(waiting, hand())
	}
	ended := func(c net.Conn) bool {
		_, err := c.Read(make([]byte, 1))
		timeout, ok := errors.AsType[net.Error](err)
		return err != nil && (!ok || !timeout.Timeout())
	}
	if !ended(hand()) {
		t.Error("one connection too many waits")
	}
	_ = media.Close()
	for i, c := range waiting {
		if !ended(c) {
			t.Errorf("connection %d waits for a listener that is closed", i)
		}
	}
	if !ended(hand()) {
		t.Error("a late connection waits for a listener that is closed")
	}
	if c, err := media.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close = %v, %v, want %v", c, err, net.ErrClosed)
	}
}
