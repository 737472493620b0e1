package main

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file holds the system calls that golang.org/x/sys has no function for,
// and so all of the package's unsafe pointers.

// socketBuffer is what is asked for as space in a socket, in octets.
const socketBuffer = 4 << 20

// growBuffer makes a socket's buffer as large as the system allows.
func growBuffer(fd, option, force int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, socketBuffer) == nil {
		return
	}
	// Without privileges the system caps it silently; what is then lost is
	// counted as lost.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, socketBuffer)
}

// loopback is a port of 127.0.0.1 in the form of system calls.
func loopback(port int) unix.RawSockaddrInet4 {
	a := unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: [4]byte{127, 0, 0, 1}}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&a.Port))[:], uint16(port)) //nolint:gosec // both are two octets
	return a
}

func nameOf(a *unix.RawSockaddrInet4) *byte {
	return (*byte)(unsafe.Pointer(a)) //nolint:gosec // system calls take addresses of all families so
}

// segmentControl is a control message that tells the system to cut a message
// into datagrams of equal size (udp(7), UDP_SEGMENT).
type segmentControl struct {
	header unix.Cmsghdr
	size   uint16
	_      [6]byte // alignment
}

func (c *segmentControl) init() {
	c.header.Level = unix.IPPROTO_UDP
	c.header.Type = unix.UDP_SEGMENT
	c.header.SetLen(unix.CmsgLen(2))
}

// set makes c say that datagrams have size octets, and h carry c.
func (c *segmentControl) set(h *unix.Msghdr, size int) {
	c.size = uint16(size)
	h.Control = (*byte)(unsafe.Pointer(c)) //nolint:gosec // it is read as bytes
	h.SetControllen(unix.CmsgSpace(2))
}

// groControl has room for the control messages of what is received: its date,
// and how a run of datagrams is to be cut (udp(7), UDP_GRO).
type groControl [96]byte

// offer makes h have c for the next message.
func (c *groControl) offer(h *unix.Msghdr) {
	h.Control = &c[0]
	h.SetControllen(len(c))
}

// segment returns the length of a received run's datagrams, or 0 if it is a
// single one.
func (c *groControl) segment(h *unix.Msghdr) int {
	rest := c[:min(int(h.Controllen), len(c))]
	for len(rest) > 0 {
		header, data, next, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			return 0
		}
		if header.Level == unix.IPPROTO_UDP && header.Type == unix.UDP_GRO && len(data) >= 4 {
			return int(binary.NativeEndian.Uint32(data))
		}
		rest = next
	}
	return 0
}

// sendmmsg sends messages with one system call and returns how many it took.
func sendmmsg(fd int, messages []unix.Mmsghdr) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(messages))), uintptr(len(messages)), 0, 0, 0) //nolint:gosec // see above
	return int(n), errno
}

// recvmmsg fills messages with what has come, without waiting, and returns how
// many there are.
func recvmmsg(fd int, messages []unix.Mmsghdr) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(messages))), uintptr(len(messages)), unix.MSG_DONTWAIT, 0, 0) //nolint:gosec // see above
	return int(n), errno
}

// epollLook tells which sockets have something, without waiting, and returns
// how many.
func epollLook(epoll int, events []unix.EpollEvent) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0) //nolint:gosec // see above
	return int(n), errno
}

// rawNanosleep is nanosleep(2) without the runtime's knowledge. A signal ends
// it early.
func rawNanosleep(t *unix.Timespec) {
	_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(t)), 0, 0) //nolint:gosec // see above
}
