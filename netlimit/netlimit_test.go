package netlimit

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to happen.
const patience = 30 * time.Second

// listen returns a limited listener whose connections come out of accepted.
func listen(t *testing.T, limits Limits) (l *Listener, accepted chan net.Conn) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l = New(inner, limits)
	accepted = make(chan net.Conn, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l, accepted
}

// dial connects from the given address.
func dial(t *testing.T, l *Listener, from string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	c, err := d.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// refused reports whether the other side has closed c.
func refused(c net.Conn) bool {
	_, err := c.Read(make([]byte, 1))
	timeout, ok := errors.AsType[net.Error](err)
	return err != nil && (!ok || !timeout.Timeout())
}

func accept(t *testing.T, accepted chan net.Conn) net.Conn {
	t.Helper()
	select {
	case c := <-accepted:
		return c
	case <-time.After(patience):
		t.Fatal("no connection was accepted")
		return nil
	}
}

func TestConnectionsBeyondALimitAreClosed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		limits Limits
		from   []string // two connections that are accepted, and one that is not
	}{
		{"from one source", Limits{Total: 3, Source: 1}, []string{"127.0.0.1", "127.0.0.2", "127.0.0.1"}},
		{"altogether", Limits{Total: 2, Source: 2}, []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}},
		{"altogether, where sources have no limit", Limits{Total: 2, Of: func(netip.Addr) int { return 9 }}, []string{"127.0.0.1", "127.0.0.1", "127.0.0.1"}},
		{"from a source with a limit of its own", Limits{Total: 9, Of: func(a netip.Addr) int { return int(a.As4()[3]) }}, []string{"127.0.0.1", "127.0.0.2", "127.0.0.1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, accepted := listen(t, tt.limits)
			dial(t, l, tt.from[0])
			first := accept(t, accepted)
			dial(t, l, tt.from[1])
			second := accept(t, accepted)
			if !refused(dial(t, l, tt.from[2])) {
				t.Errorf("a third connection is accepted, with %+v", tt.limits)
			}
			_ = first.Close()
			_ = first.Close() // counts once
			dial(t, l, tt.from[2])
			third := accept(t, accepted)
			if !refused(dial(t, l, tt.from[2])) {
				t.Errorf("a fourth connection is accepted, with %+v", tt.limits)
			}
			_, _ = second.Close(), third.Close()
			l.Wait()
		})
	}
}

func TestCloseCutsConnections(t *testing.T) {
	t.Parallel()
	l, accepted := listen(t, Limits{Total: 1, Source: 1})
	client := dial(t, l, "127.0.0.1")
	c := accept(t, accepted)
	_ = l.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("reading after Close: error %v, want %v", err, net.ErrClosed)
	}
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the client reads error %v, want %v", err, io.EOF)
	}
	_ = c.Close()
	l.Wait()
}

// faulty is a listener that fails at first.
type faulty struct {
	net.Listener
	failures int
}

func (f *faulty) Accept() (net.Conn, error) {
	if f.failures--; f.failures >= 0 {
		return nil, errors.New("too many open files")
	}
	return nil, net.ErrClosed
}

func TestAcceptGoesOnAfterErrorsThatPass(t *testing.T) {
	t.Parallel()
	inner := &faulty{failures: 2}
	if c, err := New(inner, Limits{Total: 1, Source: 1}).Accept(); !errors.Is(err, net.ErrClosed) || inner.failures >= 0 {
		t.Errorf("Accept() = %v, %v with %d failures left, want the last error", c, err, inner.failures)
	}
}
