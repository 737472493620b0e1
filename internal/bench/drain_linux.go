package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// How the load test receives: it looks at all ports now and then, so that the
// sender is not charged for waking it, and has the system date what comes.
const (
	drainInterval = 4 * time.Millisecond
	drainBuffer   = 1 << 20 // octets of each socket
	drainReady    = 128     // ports at once
	drainMessages = 16      // of one port at once
	drainRun      = 1 << 16 // longest run of datagrams, in octets
	drainDatagram = 2048    // longest datagram, in octets
)

// drain receives on its ports, which it first tells opened, until ctx ends and
// nothing is left.
func drain(ctx context.Context, o drainOptions, opened func(ports []int)) (drainCounts, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	d, err := newDrainer(o)
	if err != nil {
		return drainCounts{}, err
	}
	defer d.close()
	ports, err := d.open(o)
	if err != nil {
		return drainCounts{}, err
	}
	opened(ports)
	for {
		ended := ctx.Err() != nil // before looking, so that nothing is left
		n, err := d.look()
		switch {
		case err != nil:
			return drainCounts{}, err
		case n == 0 && ended:
			return d.counts, nil
		case n < drainReady && !ended:
			sleep(drainInterval)
		}
	}
}

// drainer is a running drain.
type drainer struct {
	epoll    int
	fds      []int
	verify   uint64
	sealers  []*sealer // of each flow
	ready    []unix.EpollEvent
	messages []unix.Mmsghdr
	vectors  []unix.Iovec
	buffers  [][]byte
	controls []groControl
	plain    []byte
	counts   drainCounts
}

func newDrainer(o drainOptions) (*drainer, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("poll: %w", err)
	}
	d := &drainer{
		epoll:    epoll,
		verify:   uint64(o.verify),
		ready:    make([]unix.EpollEvent, drainReady),
		messages: make([]unix.Mmsghdr, drainMessages),
		vectors:  make([]unix.Iovec, drainMessages),
		buffers:  make([][]byte, drainMessages),
		controls: make([]groControl, drainMessages),
		plain:    make([]byte, 0, drainDatagram),
	}
	for i := range d.messages {
		d.buffers[i] = make([]byte, drainRun)
		d.vectors[i].Base = &d.buffers[i][0]
		d.vectors[i].SetLen(drainRun)
		d.messages[i].Hdr.Iov = &d.vectors[i]
		d.messages[i].Hdr.SetIovlen(1)
	}
	for i := range o.flows {
		s, err := newSealer(i)
		if err != nil {
			d.close()
			return nil, err
		}
		d.sealers = append(d.sealers, s)
	}
	return d, nil
}

func (d *drainer) close() {
	for _, fd := range d.fds {
		_ = unix.Close(fd)
	}
	_ = unix.Close(d.epoll)
}

// open opens all ports and returns them.
func (d *drainer) open(o drainOptions) ([]int, error) {
	var ports []int
	for range o.ports {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("open a UDP socket: %w", err)
		}
		d.fds = append(d.fds, fd)
		port, err := openPort(fd)
		if err != nil {
			return nil, fmt.Errorf("open a UDP port: %w", err)
		}
		ports = append(ports, port)
		// Without any of these it still receives, if differently.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, drainBuffer)
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
		if o.gro {
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1)
		}
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		if err := unix.EpollCtl(d.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
			return nil, fmt.Errorf("poll: %w", err)
		}
	}
	return ports, nil
}

// openPort gives a socket a port of 127.0.0.1.
func openPort(fd int) (int, error) {
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	address, ok := name.(*unix.SockaddrInet4)
	if !ok {
		return 0, errors.New("the socket is of another family")
	}
	return address.Port, nil
}

// look takes some of what each port has, and returns how many had something.
func (d *drainer) look() (int, error) {
	n, errno := epollLook(d.epoll, d.ready)
	if errno != 0 {
		return 0, fmt.Errorf("poll: %w", errno)
	}
	for _, event := range d.ready[:n] {
		if err := d.take(int(event.Fd)); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// take takes some of what a port has.
func (d *drainer) take(fd int) error {
	for i := range d.messages {
		d.controls[i].offer(&d.messages[i].Hdr)
	}
	n, errno := recvmmsg(fd, d.messages)
	switch errno {
	case 0:
	case unix.EAGAIN, unix.EINTR:
		return nil
	default:
		return fmt.Errorf("receive: %w", errno)
	}
	for i := range n {
		datagrams := d.buffers[i][:d.messages[i].Len]
		size := d.controls[i].segment(&d.messages[i].Hdr)
		if size == 0 {
			size = max(1, len(datagrams))
		}
		for len(datagrams) > size {
			d.count(datagrams[:size])
			datagrams = datagrams[size:]
		}
		d.count(datagrams)
	}
	return nil
}

// count counts a datagram, and verifies it if it is its turn.
func (d *drainer) count(datagram []byte) {
	d.counts.Received++
	if d.verify == 0 || d.counts.Received%d.verify != 0 {
		return
	}
	if len(datagram) >= headerLength+tagLength {
		flow := flowOf(binary.BigEndian.Uint32(datagram[8:]))
		if flow >= 0 && flow < len(d.sealers) {
			if _, err := d.sealers[flow].open(d.plain, datagram); err == nil {
				d.counts.Verified++
				return
			}
		}
	}
	d.counts.Corrupt++
}
