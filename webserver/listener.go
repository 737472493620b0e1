package webserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// probeTimeout bounds the attempt to find out whether somebody listens on a
// Unix socket.
const probeTimeout = 2 * time.Second

// Listen opens the socket that the server accepts connections on. An address
// that starts with "/" is the path of a Unix socket, any other is host:port. A
// Unix socket gets the permissions mode, unless that is 0, when the umask decides.
//
// A Unix socket left behind by a process that has died is replaced; one that
// somebody answers on is not. Closing the listener removes the socket.
func Listen(ctx context.Context, address string, mode fs.FileMode) (net.Listener, error) {
	var config net.ListenConfig
	if !strings.HasPrefix(address, "/") {
		return config.Listen(ctx, "tcp", address)
	}
	listener, err := config.Listen(ctx, "unix", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		if err := removeStale(ctx, address); err != nil {
			return nil, fmt.Errorf("listen on %s: %w", address, err)
		}
		listener, err = config.Listen(ctx, "unix", address)
	}
	if err != nil || mode == 0 {
		return listener, err
	}
	if err := os.Chmod(address, mode); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// removeStale removes the Unix socket at path if nobody listens on it.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("there is a file of that name which is not a socket")
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var dialer net.Dialer
	probe, err := dialer.DialContext(ctx, "unix", path)
	if err == nil {
		_ = probe.Close()
		return errors.New("another process listens there")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}
