package udpsocket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// descriptor is a socket apart from the runtime's poller, which would be woken whenever room for
// sending becomes free again: with each datagram that leaves. It is only told of
// datagrams that arrive, by an instance of epoll between it and the socket
// (epoll(7)). Its methods may be called from any goroutine.
type descriptor struct {
	// Immutable.
	socket, arrivals       *os.File
	rawSocket, rawArrivals syscall.RawConn

	closed atomic.Bool
}

// newDescriptor takes conn's place, which it closes unless it fails.
func newDescriptor(conn *net.UDPConn) (d *descriptor, err error) {
	d = new(descriptor)
	defer func() {
		if err != nil {
			_ = d.close()
		}
	}()
	if d.socket, err = duplicate(conn); err != nil {
		return nil, err
	}
	if d.rawSocket, err = d.socket.SyscallConn(); err != nil {
		return nil, err
	}
	if d.arrivals, err = watch(d.rawSocket); err != nil {
		return nil, err
	}
	if d.rawArrivals, err = d.arrivals.SyscallConn(); err != nil {
		return nil, err
	}
	return d, conn.Close()
}

// duplicate returns another descriptor of conn's socket, which is in blocking mode, so that the
// poller leaves it alone.
func duplicate(conn *net.UDPConn) (*os.File, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	number := -1
	controlErr := raw.Control(func(fd uintptr) {
		if err = unix.SetNonblock(int(fd), false); err == nil {
			number, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
		}
	})
	if err := errors.Join(controlErr, os.NewSyscallError("fcntl", err)); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(number), "udp"), nil
}

// watch returns a file that is readable when the socket is.
func watch(socket syscall.RawConn) (*os.File, error) {
	number, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	controlErr := socket.Control(func(fd uintptr) {
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		err = unix.EpollCtl(number, unix.EPOLL_CTL_ADD, int(fd), &event)
	})
	if err == nil {
		err = unix.SetNonblock(number, true) // the poller takes it
	}
	if err := errors.Join(controlErr, os.NewSyscallError("epoll_ctl", err)); err != nil {
		_ = unix.Close(number)
		return nil, err
	}
	return os.NewFile(uintptr(number), "arrivals"), nil
}

// control has f use the socket. It fails with [net.ErrClosed].
func (d *descriptor) control(f func(fd uintptr)) error { return d.failure(d.rawSocket.Control(f)) }

// read calls f whenever there may be datagrams, until it returns true. It fails with
// [net.ErrClosed].
func (d *descriptor) read(f func(uintptr) bool) error { return d.failure(d.rawArrivals.Read(f)) }

// awaitRoom waits until there is room for sending, but not beyond limit, when it fails
// with [os.ErrDeadlineExceeded]. It occupies a thread meanwhile.
func (d *descriptor) awaitRoom(limit time.Time) error {
	left := time.Until(limit)
	if left <= 0 {
		return os.ErrDeadlineExceeded
	}
	var err error
	controlErr := d.control(func(fd uintptr) {
		wanted := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		_, err = unix.Poll(wanted, int((left+time.Millisecond-1)/time.Millisecond))
	})
	if errors.Is(err, unix.EINTR) {
		err = nil
	}
	return errors.Join(controlErr, os.NewSyscallError("poll", err))
}

// close ends reads and control.
func (d *descriptor) close() error {
	d.closed.Store(true)
	var errs []error
	for _, f := range []*os.File{d.arrivals, d.socket} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// failure gives the error of closed files the form that it has for sockets.
func (d *descriptor) failure(err error) error {
	if err != nil && d.closed.Load() {
		return fmt.Errorf("udpsocket: %w", net.ErrClosed)
	}
	return err
}
