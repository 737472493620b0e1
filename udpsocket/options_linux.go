package udpsocket

import (
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// sharding tells that the system spreads datagrams over sockets of one port.
const sharding = true

// platform is the part of a socket that only Linux has.
type platform struct {
	// Immutable after Open.
	*descriptor
	calls    systemCalls
	segments bool // it knows UDP_SEGMENT
	merges   bool // it knows UDP_GRO, and has been asked for it

	// oneByOne is set once the system has refused to send or receive several
	// messages in one call.
	oneByOne atomic.Bool

	transmitters sync.Pool // of *transmitter

	room sync.Mutex // held by the one goroutine that waits for room; its holder may occupy a thread
}

// Close ends reads and writes.
func (s *Socket) Close() error { return s.close() }

// prepare gives the socket its final form, and finds out what it can do (udp(7)).
func (s *Socket) prepare() error {
	d, err := newDescriptor(s.conn)
	if err != nil {
		return err
	}
	s.conn, s.descriptor, s.calls = nil, d, kernelCalls()
	// No segments by default; the option is there or it is not.
	s.segments = setOption(d.rawSocket, unix.IPPROTO_UDP, unix.UDP_SEGMENT, 0) == nil
	s.merges = setOption(d.rawSocket, unix.IPPROTO_UDP, unix.UDP_GRO, 1) == nil
	return nil
}

// setPacketInfo asks the system to tell the local address of each datagram
// (ip(7), ipv6(7)).
func (s *Socket) setPacketInfo() error {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return err
	}
	if s.v6 {
		return setOption(raw, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	}
	return setOption(raw, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
}

// share lets more sockets of this user be bound to the port.
func (s *Socket) share() error { return shareRaw(s.rawSocket) }

func shareRaw(raw syscall.RawConn) error {
	return setOption(raw, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
}

func setOption(raw syscall.RawConn, level, option, value int) error {
	var set error
	err := raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), level, option, value) })
	if err != nil {
		return err
	}
	return set
}
