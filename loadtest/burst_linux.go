package loadtest

import (
	"net/netip"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxBurst is how many datagrams a port sends with one system call.
const maxBurst = 32

// burst holds what a publisher's port sends together, as a browser's pacer does. Any goroutine may use it.
type burst struct {
	mu       sync.Mutex // guards the fields below
	open     bool       // datagrams wait for the end of the burst
	filled   int
	messages []unix.Mmsghdr // these three have maxBurst elements, or none
	vectors  []unix.Iovec
	names    []unix.RawSockaddrInet6
	data     [][maxPacket]byte
}

// begin makes datagrams wait for end.
func (b *burst) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = true
	if b.messages != nil {
		return
	}
	b.messages = make([]unix.Mmsghdr, maxBurst)
	b.vectors = make([]unix.Iovec, maxBurst)
	b.names = make([]unix.RawSockaddrInet6, maxBurst)
	b.data = make([][maxPacket]byte, maxBurst)
	for i := range b.messages {
		b.vectors[i].Base = &b.data[i][0]
		b.messages[i].Hdr.Iov = &b.vectors[i]
		b.messages[i].Hdr.SetIovlen(1)
		b.messages[i].Hdr.Name = (*byte)(unsafe.Pointer(&b.names[i])) //nolint:gosec // the system wants an address
	}
}

// add takes a datagram, if a burst is open and has room. mapped is set for sockets of IPv6.
func (b *burst) add(datagram []byte, to netip.AddrPort, mapped bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open || b.filled == maxBurst || len(datagram) > maxPacket {
		return false
	}
	i := b.filled
	if b.messages[i].Hdr.Namelen = encodeAddress(&b.names[i], to, mapped); b.messages[i].Hdr.Namelen == 0 {
		return false
	}
	b.vectors[i].SetLen(copy(b.data[i][:], datagram))
	b.filled++
	return true
}

// end sends what has been gathered. What the system does not take is lost, as on the way.
func (b *burst) end(fd int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = false
	for next := 0; next < b.filled; {
		n, _, errno := syscall.Syscall6(unix.SYS_SENDMMSG, uintptr(fd),
			uintptr(unsafe.Pointer(&b.messages[next])), uintptr(b.filled-next), 0, 0, 0) //nolint:gosec // the system wants an address
		switch {
		case errno == unix.EINTR:
		case errno != 0 || n == 0:
			next++
		default:
			next += int(n)
		}
	}
	b.filled = 0
}

// encodeAddress writes an address as the system wants it and returns its length, 0 if the socket cannot send there.
func encodeAddress(name *unix.RawSockaddrInet6, to netip.AddrPort, mapped bool) uint32 {
	port := to.Port()<<8 | to.Port()>>8 // in network order, on machines that are not
	if mapped {
		*name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: port, Addr: to.Addr().As16()}
		return unix.SizeofSockaddrInet6
	}
	ip := to.Addr().Unmap()
	if !ip.Is4() {
		return 0
	}
	*(*unix.RawSockaddrInet4)(unsafe.Pointer(name)) = unix.RawSockaddrInet4{ //nolint:gosec // it is the shorter one
		Family: unix.AF_INET, Port: port, Addr: ip.As4(),
	}
	return unix.SizeofSockaddrInet4
}
