package udpsocket

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// nameSpace holds a socket address of either family, in octets.
	nameSpace = unix.SizeofSockaddrInet6
	// sendControlSpace holds packet information of either family (32 and 40
	// octets on 64-bit machines) and the size of segments (24).
	sendControlSpace = 64
	// receiveControlSpace holds the same, and a little more than the system sends.
	receiveControlSpace = 96
)

// encoded is a destination in the system's own form.
type encoded struct {
	name    [nameSpace]byte
	nameLen int

	// control is the packet information, followed by a message that gives a
	// run's segments the size 0.
	control  [sendControlSpace]byte
	infoLen  int // of the packet information
	fullLen  int // with the size of segments
	sizeFrom int // where that size stands
}

// encode fills the encoded part.
func (d *Destination) encode() error {
	zone := uint32(0)
	if name := d.remote.Addr().Zone(); name != "" {
		index, err := interfaceIndex(name)
		if err != nil {
			return err
		}
		zone = index
	}
	d.nameLen = encodeName(&d.name, d.remote, zone)

	var info []byte
	switch {
	case !d.local.IsValid() || !d.socket.info:
	case d.socket.v6:
		packet := unix.Inet6Pktinfo{Addr: d.local.As16()}
		if d.local.IsLinkLocalUnicast() {
			packet.Ifindex = zone
		}
		info = unix.PktInfo6(&packet)
	default:
		info = unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: d.local.As4()})
	}
	d.infoLen = copy(d.control[:], info)

	header := (*unix.Cmsghdr)(unsafe.Pointer(&d.control[d.infoLen])) //nolint:gosec // as x/sys writes packet information
	header.Level, header.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	header.SetLen(unix.CmsgLen(2))
	d.sizeFrom = d.infoLen + unix.CmsgLen(0)
	d.fullLen = d.infoLen + unix.CmsgSpace(2)
	return nil
}

// encodeName writes a socket address (ip(7), ipv6(7)) and returns its length.
func encodeName(name *[nameSpace]byte, a netip.AddrPort, zone uint32) int {
	binary.BigEndian.PutUint16(name[2:], a.Port())
	if a.Addr().Is4() {
		binary.NativeEndian.PutUint16(name[:], unix.AF_INET)
		ip := a.Addr().As4()
		copy(name[4:], ip[:])
		return unix.SizeofSockaddrInet4
	}
	binary.NativeEndian.PutUint16(name[:], unix.AF_INET6)
	ip := a.Addr().As16()
	copy(name[8:], ip[:])
	binary.NativeEndian.PutUint32(name[24:], zone)
	return unix.SizeofSockaddrInet6
}

// decodeName reads a socket address. It is invalid if name holds none. The zone
// is 0 unless the address is link-local; it is not part of the address.
func decodeName(name []byte) (a netip.AddrPort, zone uint32) {
	if len(name) < unix.SizeofSockaddrInet4 {
		return netip.AddrPort{}, 0
	}
	port := binary.BigEndian.Uint16(name[2:])
	switch binary.NativeEndian.Uint16(name) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(name[4:8])), port), 0
	case unix.AF_INET6:
		if len(name) < unix.SizeofSockaddrInet6 {
			return netip.AddrPort{}, 0
		}
		ip := netip.AddrFrom16([16]byte(name[8:24])).Unmap()
		if ip.Is6() && ip.IsLinkLocalUnicast() {
			zone = binary.NativeEndian.Uint32(name[24:])
		}
		return netip.AddrPortFrom(ip, port), zone
	}
	return netip.AddrPort{}, 0
}

// decodeControl finds the local address and the size of the segments of a run
// in received control messages: invalid and 0 if they do not say.
func decodeControl(control []byte) (to netip.Addr, segment int) {
	for len(control) > 0 {
		header, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		switch {
		case header.Level == unix.IPPROTO_IP && header.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			to = netip.AddrFrom4([4]byte(data[8:12])) // ipi_addr
		case header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			to = netip.AddrFrom16([16]byte(data[:16])).Unmap() // ipi6_addr
		case header.Level == unix.IPPROTO_UDP && header.Type == unix.UDP_GRO && len(data) >= 4:
			segment = max(0, int(int32(binary.NativeEndian.Uint32(data))))
		}
		control = rest
	}
	return to, segment
}

// interfaceIndex returns the number of an interface, given by name or number.
func interfaceIndex(zone string) (uint32, error) {
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index), nil
	}
	index, err := strconv.ParseUint(zone, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("no interface %q", zone)
	}
	return uint32(index), nil
}

// interfaceName returns the name of an interface, or its number if it has none.
func interfaceName(index uint32) string {
	if i, err := net.InterfaceByIndex(int(index)); err == nil {
		return i.Name
	}
	return strconv.FormatUint(uint64(index), 10)
}
