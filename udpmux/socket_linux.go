package udpmux

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// controlSpace has room for the control messages that are received, in bytes:
// one packet information of either family (32 and 40 on 64-bit machines).
const controlSpace = 64

// source is a control message that names a datagram's local address; nil leaves
// the choice to the system.
type source []byte

// setPacketInfo asks the system to tell the local address of each datagram
// (ip(7), ipv6(7)).
func (s *socket) setPacketInfo() error {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return err
	}
	level, option := unix.IPPROTO_IP, unix.IP_PKTINFO
	if s.v6 {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
	}
	var set error
	err = raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), level, option, 1) })
	if err != nil {
		return err
	}
	return set
}

// source returns what makes datagrams leave from local.
func (s *socket) source(local netip.Addr) source {
	switch {
	case !s.info:
		return nil
	case s.v6:
		return unix.PktInfo6(&unix.Inet6Pktinfo{Addr: local.As16()})
	default:
		return unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: local.As4()})
	}
}

// destination finds the local address in received control messages. It is
// invalid if there is none.
func (s *socket) destination(oob []byte) netip.Addr {
	for len(oob) > 0 {
		header, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return netip.Addr{}
		}
		switch {
		case header.Level == unix.IPPROTO_IP && header.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			return netip.AddrFrom4([4]byte(data[8:12])) // ipi_addr
		case header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			return netip.AddrFrom16([16]byte(data[:16])) // ipi6_addr
		}
		oob = rest
	}
	return netip.Addr{}
}

// send sends one datagram now. It may wait for room in the socket's buffer.
func (s *socket) send(b []byte, from source, to netip.AddrPort) error {
	_, _, err := s.conn.WriteMsgUDPAddrPort(b, from, to)
	return err
}
