package udpsocket

import (
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// maxMessages is how many messages one system call receives or sends.
	// Reading and sending more at once does not pay.
	maxReceive = 32
	maxSend    = 64
	// mergedSpace holds the longest run that the system hands over, in octets.
	mergedSpace = 65535
	// maxZones bounds the names of interfaces that a reader remembers.
	maxZones = 64
)

// Reader receives from a socket. One goroutine owns it.
type Reader struct {
	socket *Socket

	// Space that the system fills, one element of each per message. Only what has
	// ever been written to takes memory.
	messages []unix.Mmsghdr
	vectors  []unix.Iovec
	names    [][nameSpace]byte
	controls [][receiveControlSpace]byte
	space    []byte
	each     int // octets of space per message

	received  int // messages of the last call
	errno     syscall.Errno
	try       func(fd uintptr) // receive
	attempt   func(uintptr) bool
	datagrams []Datagram
	zones     map[uint32]string
}

// NewReader returns a reader.
func (s *Socket) NewReader() *Reader {
	r := &Reader{
		socket:   s,
		messages: make([]unix.Mmsghdr, maxReceive),
		vectors:  make([]unix.Iovec, maxReceive),
		names:    make([][nameSpace]byte, maxReceive),
		controls: make([][receiveControlSpace]byte, maxReceive),
		each:     MaxDatagram + 1, // the last shows truncation
	}
	if s.merges {
		r.each = mergedSpace
	}
	r.space = make([]byte, maxReceive*r.each)
	for i := range r.messages {
		r.vectors[i].Base = &r.space[i*r.each]
		r.vectors[i].SetLen(r.each)
		header := &r.messages[i].Hdr
		header.Name = &r.names[i][0]
		header.Iov = &r.vectors[i]
		header.SetIovlen(1)
		header.Control = &r.controls[i][0]
	}
	r.received = maxReceive // all are to be readied
	r.try, r.attempt = r.receive, r.receiveAny
	return r
}

// Read waits for datagrams and returns those that are there, in the order in
// which they came. Runs that the system merged come out as what was sent. What is
// returned is valid until the next Read. After an error reading may go on: some
// systems report here what became of datagrams sent. It fails with
// [net.ErrClosed] once the socket is closed.
func (r *Reader) Read() ([]Datagram, error) {
	r.ready()
	if err := r.socket.read(r.attempt); err != nil {
		return nil, err
	}
	switch r.errno {
	case 0:
	case unix.EBADF:
		return nil, net.ErrClosed
	default:
		r.socket.stats.receiveErrors.Add(1)
		return nil, r.errno
	}
	r.datagrams = r.datagrams[:0]
	octets, runs := 0, 0
	for i := range r.received {
		octets += int(r.messages[i].Len)
		before := len(r.datagrams)
		r.split(i)
		if len(r.datagrams) > before+1 {
			runs++
		}
	}
	c := &r.socket.stats
	c.receiveCalls.Add(1)
	c.received.Add(uint64(len(r.datagrams)))
	c.receivedOctets.Add(uint64(octets))
	if runs > 0 {
		c.receivedRuns.Add(uint64(runs))
	}
	return r.datagrams, nil
}

// ready restores the lengths that the last call changed.
func (r *Reader) ready() {
	for i := range r.received {
		header := &r.messages[i].Hdr
		header.Namelen = nameSpace
		header.SetControllen(receiveControlSpace)
		header.Flags = 0
	}
	r.received = 0
}

// receiveAny reports false if there is nothing to receive.
func (r *Reader) receiveAny(uintptr) bool {
	if r.socket.control(r.try) != nil {
		r.errno = unix.EBADF // it has been closed
	}
	return r.errno != unix.EAGAIN
}

// receive makes one system call.
func (r *Reader) receive(fd uintptr) {
	s := r.socket
	for {
		if !s.oneByOne.Load() {
			r.received, r.errno = s.calls.recvmmsg(fd, r.messages)
			if r.errno == unix.ENOSYS || r.errno == unix.EPERM {
				s.oneByOne.Store(true)
				continue
			}
		} else {
			var n int
			n, r.errno = s.calls.recvmsg(fd, &r.messages[0].Hdr)
			r.messages[0].Len, r.received = uint32(max(n, 0)), 1
		}
		if r.errno == unix.EINTR {
			continue
		}
		if r.errno != 0 {
			r.received = 0
		}
		return
	}
}

// split appends the datagrams of one message.
func (r *Reader) split(i int) {
	message := &r.messages[i]
	header := &message.Hdr
	from, zone := decodeName(r.names[i][:min(int(header.Namelen), nameSpace)])
	if zone != 0 {
		from = netip.AddrPortFrom(from.Addr().WithZone(r.zone(zone)), from.Port())
	}
	to, segment := decodeControl(r.controls[i][:min(int(header.Controllen), receiveControlSpace)])
	start := i * r.each
	rest := r.space[start : start+min(int(message.Len), r.each)]
	cut := header.Flags&unix.MSG_TRUNC != 0
	for {
		data := rest
		if segment > 0 && segment < len(rest) {
			data = rest[:segment]
		}
		rest = rest[len(data):]
		d := Datagram{From: from, To: to}
		d.Data, d.Truncated = clip(data)
		d.Truncated = d.Truncated || cut && len(rest) == 0
		r.datagrams = append(r.datagrams, d)
		if len(rest) == 0 {
			return
		}
	}
}

// zone returns the name of an interface.
func (r *Reader) zone(index uint32) string {
	name, ok := r.zones[index]
	if !ok {
		if r.zones == nil || len(r.zones) == maxZones {
			r.zones = make(map[uint32]string)
		}
		name = interfaceName(index)
		r.zones[index] = name
	}
	return name
}
