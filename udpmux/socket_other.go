//go:build !linux

package udpmux

import (
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// controlSpace has room for the control messages that are received, in bytes.
const controlSpace = 128

// source is a control message that names a datagram's local address; nil leaves
// the choice to the system.
type source []byte

// setPacketInfo asks the system to tell the local address of each datagram.
func (s *socket) setPacketInfo() error {
	if s.v6 {
		return ipv6.NewPacketConn(s.conn).SetControlMessage(ipv6.FlagDst, true)
	}
	return ipv4.NewPacketConn(s.conn).SetControlMessage(ipv4.FlagDst, true)
}

// source returns what makes datagrams leave from local.
func (s *socket) source(local netip.Addr) source {
	switch {
	case !s.info:
		return nil
	case s.v6:
		return (&ipv6.ControlMessage{Src: local.AsSlice()}).Marshal()
	default:
		return (&ipv4.ControlMessage{Src: local.AsSlice()}).Marshal()
	}
}

// destination finds the local address in received control messages. It is
// invalid if there is none.
func (s *socket) destination(oob []byte) netip.Addr {
	if !s.info || len(oob) == 0 {
		return netip.Addr{}
	}
	var ip []byte
	if s.v6 {
		var m ipv6.ControlMessage
		if m.Parse(oob) == nil {
			ip = m.Dst
		}
	} else {
		var m ipv4.ControlMessage
		if m.Parse(oob) == nil {
			ip = m.Dst
		}
	}
	local, _ := netip.AddrFromSlice(ip)
	return local.Unmap()
}

// send sends one datagram now. It may wait for room in the socket's buffer.
func (s *socket) send(b []byte, from source, to netip.AddrPort) error {
	_, _, err := s.conn.WriteMsgUDPAddrPort(b, from, to)
	return err
}
