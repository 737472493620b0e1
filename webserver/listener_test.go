package webserver

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestListenOnUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "socket")
	listener, err := Listen(t.Context(), path, 0)
	if err != nil {
		t.Fatal(err)
	}
	go func() { // somebody answers
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_ = connection.Close()
		}
	}()
	if second, err := Listen(t.Context(), path, 0); err == nil {
		_ = second.Close()
		t.Error("the socket of a living process was taken over")
	}
	_ = listener.Close()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket was not removed: %v", err)
	}
}

func TestListenReplacesStaleUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "socket")
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = stale.Close()

	listener, err := Listen(t.Context(), path, 0)
	if err != nil {
		t.Fatalf("Listen over a stale socket: %v", err)
	}
	_ = listener.Close()
}

func TestUnixSocketsHaveThePermissionsThatAreAskedFor(t *testing.T) {
	t.Parallel()
	for _, mode := range []os.FileMode{0o600, 0o660, 0o666} {
		path := filepath.Join(t.TempDir(), "socket")
		for range 2 { // the second time there is a stale one
			listener, err := Listen(t.Context(), path, mode)
			if err != nil {
				t.Fatal(err)
			}
			if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != mode {
				t.Errorf("permissions %v, %v, want %v", info.Mode().Perm(), err, mode)
			}
			listener.(*net.UnixListener).SetUnlinkOnClose(false)
			_ = listener.Close()
		}
	}
}

func TestListenLeavesOtherFilesAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notes")
	write(t, path, "precious")
	if listener, err := Listen(t.Context(), path, 0); err == nil {
		_ = listener.Close()
		t.Error("listening on an existing file succeeded")
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "precious" {
		t.Errorf("the file is now %q, %v", data, err)
	}
}

func TestShutdownCutsRequestsThatTakeTooLong(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	entered := make(chan struct{})
	f.http.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	connection, err := net.Dial("tcp", f.serve(t))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := connection.Write([]byte("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	<-entered

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	f.Shutdown(ctx)
	if _, err := io.ReadAll(connection); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the connection ended with %v", err)
	}
}
