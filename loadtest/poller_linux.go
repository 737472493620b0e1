package loadtest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// busyTick is the time between looks at the ports while connections are made, and easyTick afterwards. What has come is
	// dated by the system: neither adds to a delay of media, but the first does to handshakes.
	busyTick = 500 * time.Microsecond
	easyTick = 4 * time.Millisecond
	// maxReady is how many ports one system call tells of.
	maxReady = 128
	// maxReceive is how many messages one system call receives; maxRounds how often one port is read in a row.
	maxReceive = 16
	maxRounds  = 8
	// messageSpace holds the longest run of datagrams that the system hands over as one, in octets.
	messageSpace = 65535
	// controlSpace holds a time stamp and the size of a run's segments.
	controlSpace = 96
)

// poller reads all ports. The runtime's own poller would wake a goroutine for nearly every packet, which costs several times
// what reading it does; a look at all ports every now and then finds many packets.
type poller struct {
	// Immutable.
	epoll int
	now   func() int64 // the run's clock
	local []netip.Addr // at most one per family

	buffers sync.Pool    // of *datagram
	tick    atomic.Int64 // time between looks

	mu    sync.Mutex // guards the fields below
	ports map[int32]*pollPort

	// Owned by poll.
	events   [maxReady]unix.EpollEvent
	messages [maxReceive]mmsghdr
	vectors  [maxReceive]unix.Iovec
	names    [maxReceive]unix.RawSockaddrInet6
	controls [maxReceive][controlSpace]byte
	space    []byte
	offset   int64 // what the system's clock is ahead of the run's
}

// mmsghdr is what recvmmsg(2) fills.
type mmsghdr struct {
	header unix.Msghdr
	length uint32
	_      [unsafe.Sizeof(uintptr(0)) - 4]byte
}

// newPoller returns a poller whose ports have candidates at the local addresses.
func newPoller(now func() int64, local []netip.Addr) (*poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("poll: %w", err)
	}
	p := &poller{
		epoll: epoll, now: now, local: local,
		ports: make(map[int32]*pollPort),
		space: make([]byte, maxReceive*messageSpace),
	}
	p.tick.Store(int64(busyTick))
	for i := range p.messages {
		p.vectors[i].Base = &p.space[i*messageSpace]
		p.vectors[i].SetLen(messageSpace)
		h := &p.messages[i].header
		h.Name = (*byte)(unsafe.Pointer(&p.names[i])) //nolint:gosec // the system wants an address
		h.Iov = &p.vectors[i]
		h.SetIovlen(1)
		h.Control = &p.controls[i][0]
	}
	return p, nil
}

// ease says that no more connections are made for now.
func (p *poller) ease() { p.tick.Store(int64(easyTick)) }

// close gives back what a poller has of the system's. Nothing may use the poller then, nor its ports.
func (p *poller) close() { _ = unix.Close(p.epoll) }

// poll reads all ports, and calls work whenever that asks for it, until ctx ends. Both are done by one goroutine, which
// makes few others run.
func (p *poller) poll(ctx context.Context, work func() time.Duration) {
	look := p.now()
	for ctx.Err() == nil {
		if now := p.now(); now >= look {
			look = now + p.tick.Load()
			p.look(now)
		}
		wait := work()
		pause(min(wait, durationBetween(p.now(), look)))
	}
}

// look reads the ports that have something.
func (p *poller) look(now int64) {
	p.offset = time.Now().UnixNano() - now
	for {
		n := p.ready()
		for _, event := range p.events[:n] {
			p.mu.Lock()
			port := p.ports[event.Fd]
			p.mu.Unlock()
			if port != nil {
				p.read(port)
			}
		}
		if n < maxReady {
			return
		}
	}
}

// pause waits. A goroutine that sleeps as the runtime has it costs much more: each time it searches all
// processors for other work before, and wakes its monitor after.
func pause(d time.Duration) {
	runtime.Gosched() // to whom something was read for
	if d <= 0 {
		return
	}
	if runtime.GOMAXPROCS(0) == 1 {
		time.Sleep(d)
		return
	}
	span := unix.NsecToTimespec(int64(d))
	_, _, _ = syscall.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&span)), 0, 0) //nolint:gosec // the system wants an address
}

// ready asks which ports have something, and returns how many.
func (p *poller) ready() int {
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll),
		uintptr(unsafe.Pointer(&p.events)), maxReady, 0, 0, 0) //nolint:gosec // the system wants an address
	if errno != 0 {
		return 0
	}
	return int(n)
}

// read reads what one port has.
func (p *poller) read(port *pollPort) {
	for range maxRounds {
		n := p.receive(port)
		for i := range n {
			p.deliver(port, i)
		}
		if n < maxReceive {
			return
		}
	}
}

// receive receives messages, and returns how many.
func (p *poller) receive(port *pollPort) int {
	port.mu.RLock()
	defer port.mu.RUnlock()
	if port.closed {
		return 0
	}
	for i := range p.messages {
		h := &p.messages[i].header
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(controlSpace)
		h.Flags = 0
	}
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(port.fd),
		uintptr(unsafe.Pointer(&p.messages)), maxReceive, unix.MSG_DONTWAIT, 0, 0) //nolint:gosec // the system wants an address
	if errno != 0 {
		return 0
	}
	return int(n)
}

// deliver hands on the datagrams of one message.
func (p *poller) deliver(port *pollPort, i int) {
	m := &p.messages[i]
	from := address(&p.names[i])
	at, segment := p.control(p.controls[i][:min(int(m.header.Controllen), controlSpace)])
	rest := p.space[i*messageSpace:][:min(int(m.length), messageSpace)]
	for len(rest) > 0 {
		data := rest
		if segment > 0 && segment < len(rest) {
			data = rest[:segment]
		}
		rest = rest[len(data):]
		port.deliver(data, from, at)
	}
}

// control returns when a message came, on the run's clock, and the size of the datagrams in it; 0 for one.
func (p *poller) control(b []byte) (at int64, segment int) {
	at = p.now()
	for len(b) > 0 {
		header, data, rest, err := unix.ParseOneSocketControlMessage(b)
		if err != nil {
			break
		}
		switch {
		case header.Level == unix.SOL_SOCKET && header.Type == unix.SCM_TIMESTAMPNS && len(data) >= int(unsafe.Sizeof(unix.Timespec{})):
			stamp := (*unix.Timespec)(unsafe.Pointer(&data[0])) //nolint:gosec // that is what it is
			at = min(at, stamp.Nano()-p.offset)
		case header.Level == unix.IPPROTO_UDP && header.Type == unix.UDP_GRO && len(data) >= 4:
			segment = int(*(*int32)(unsafe.Pointer(&data[0]))) //nolint:gosec // that is what it is
		}
		b = rest
	}
	return at, segment
}

// address returns what the system says that a message came from.
func address(name *unix.RawSockaddrInet6) netip.AddrPort {
	swap := func(port uint16) uint16 { // it is in network order
		b := *(*[2]byte)(unsafe.Pointer(&port)) //nolint:gosec // that is what it is
		return uint16(b[0])<<8 | uint16(b[1])
	}
	if name.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name)) //nolint:gosec // that is what it is
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), swap(v4.Port))
	}
	return netip.AddrPortFrom(netip.AddrFrom16(name.Addr).Unmap(), swap(name.Port))
}

// listen opens a port of both families, or of IPv4 if there is no other.
func (p *poller) listen() (port, error) {
	fd, family, err := openSocket()
	if err != nil {
		return nil, fmt.Errorf("open a UDP port: %w", err)
	}
	number, err := portOf(fd)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	port := &pollPort{poller: p, fd: fd, mapped: family == unix.AF_INET6, number: number}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ports[int32(fd)] = port
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		delete(p.ports, int32(fd))
		_ = unix.Close(fd)
		return nil, fmt.Errorf("poll: %w", err)
	}
	return port, nil
}

// openSocket opens a UDP socket on a port of the system's choice, which waits when it sends.
func openSocket() (fd, family int, err error) {
	const kind = unix.SOCK_DGRAM | unix.SOCK_CLOEXEC
	family = unix.AF_INET6
	var any6 unix.Sockaddr = &unix.SockaddrInet6{}
	if fd, err = unix.Socket(unix.AF_INET6, kind, 0); err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
		if err == nil {
			err = unix.Bind(fd, any6)
		}
		if err != nil {
			_ = unix.Close(fd)
		}
	}
	if err != nil {
		family = unix.AF_INET
		if fd, err = unix.Socket(unix.AF_INET, kind, 0); err != nil {
			return 0, 0, err
		}
		if err = unix.Bind(fd, &unix.SockaddrInet4{}); err != nil {
			_ = unix.Close(fd)
			return 0, 0, err
		}
	}
	// Without the first one, packets are dated when they are read; without the second, they come one by one. The third is as
	// large as the system allows.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<20)
	return fd, family, nil
}

func portOf(fd int) (uint16, error) {
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	switch a := name.(type) {
	case *unix.SockaddrInet6:
		return uint16(a.Port), nil
	case *unix.SockaddrInet4:
		return uint16(a.Port), nil
	default:
		return 0, errors.New("a UDP port without a number")
	}
}
