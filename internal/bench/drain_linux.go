package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How much a port takes at once: some datagrams, or some runs of datagrams that
// the system has left together.
const (
	drainMessages = 16
	drainDatagram = 2048    // octets
	drainRun      = 1 << 16 // octets
)

// drain receives on its ports, which it first tells opened, until ctx ends. A
// goroutine for each port waits in the runtime's poller, as those of the load
// test do: waking a receiver is charged to who sends.
func drain(ctx context.Context, o drainOptions, opened func(ports []int)) (drainCounts, error) {
	ports := make([]int, o.ports)
	drainers := make([]*drainer, o.ports)
	for i := range drainers {
		d, err := newDrainer(ctx, o)
		if err != nil {
			return drainCounts{}, err
		}
		defer d.close()
		ports[i], drainers[i] = d.port(), d
	}
	opened(ports)
	var running sync.WaitGroup
	for _, d := range drainers {
		running.Go(d.receive)
	}
	<-ctx.Done()
	for _, d := range drainers {
		d.stop()
	}
	running.Wait()
	var total drainCounts
	for _, d := range drainers {
		if d.err != nil {
			return drainCounts{}, d.err
		}
		total.Received += d.counts.Received
		total.Verified += d.counts.Verified
		total.Corrupt += d.counts.Corrupt
	}
	return total, nil
}

// drainer receives on one port. Its goroutine owns all fields, until it ends.
type drainer struct {
	conn     *net.UDPConn
	raw      syscall.RawConn
	verify   uint64
	sealers  []*sealer // of each flow
	messages []unix.Mmsghdr
	vectors  []unix.Iovec
	buffers  [][]byte
	controls []groControl
	plain    []byte
	counts   drainCounts
	err      error
}

func newDrainer(ctx context.Context, o drainOptions) (*drainer, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { prepareDrain(int(fd), o.gro) })
	}}
	conn, err := config.ListenPacket(ctx, "udp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a UDP port: %w", err)
	}
	d := &drainer{
		conn:     conn.(*net.UDPConn), //nolint:forcetypeassert // that is what udp4 makes
		verify:   uint64(o.verify),
		messages: make([]unix.Mmsghdr, drainMessages),
		vectors:  make([]unix.Iovec, drainMessages),
		buffers:  make([][]byte, drainMessages),
		controls: make([]groControl, drainMessages),
		plain:    make([]byte, 0, drainDatagram),
	}
	length := drainDatagram
	if o.gro {
		length = drainRun
	}
	for i := range d.messages {
		d.buffers[i] = make([]byte, length)
		d.vectors[i].Base = &d.buffers[i][0]
		d.vectors[i].SetLen(length)
		d.messages[i].Hdr.Iov = &d.vectors[i]
		d.messages[i].Hdr.SetIovlen(1)
	}
	d.raw, err = d.conn.SyscallConn()
	for i := 0; i < o.flows && err == nil; i++ {
		var s *sealer
		s, err = newSealer(i)
		d.sealers = append(d.sealers, s)
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func prepareDrain(fd int, gro bool) {
	growBuffer(fd, unix.SO_RCVBUF, unix.SO_RCVBUFFORCE)
	if gro {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) // without it, all comes in single datagrams
	}
}

func (d *drainer) close() { _ = d.conn.Close() }

func (d *drainer) port() int {
	return d.conn.LocalAddr().(*net.UDPAddr).Port //nolint:forcetypeassert // so is a UDP socket's address
}

// stop makes receive return once it has taken what has come. Any goroutine may
// call it.
func (d *drainer) stop() { _ = d.conn.SetReadDeadline(time.Unix(1, 0)) }

// receive takes what comes until stop is called.
func (d *drainer) receive() {
	for d.err == nil {
		err := d.raw.Read(func(fd uintptr) bool { return d.take(int(fd)) })
		switch {
		case err == nil:
		case os.IsTimeout(err):
			err = d.raw.Control(func(fd uintptr) {
				for d.take(int(fd)) && d.err == nil {
				}
			})
			if d.err == nil {
				d.err = err
			}
			return
		default:
			d.err = err
		}
	}
}

// take takes some of what has come, and tells whether there was anything.
func (d *drainer) take(fd int) bool {
	for i := range d.messages {
		d.controls[i].reset(&d.messages[i].Hdr)
	}
	n, errno := recvmmsg(fd, d.messages)
	switch errno {
	case 0:
	case unix.EAGAIN:
		return false
	case unix.EINTR:
		return true
	default:
		d.err = fmt.Errorf("receive: %w", errno)
		return true
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
	return true
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
