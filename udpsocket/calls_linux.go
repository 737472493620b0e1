package udpsocket

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// systemCalls are those of the data path. Each returns 0, or how it failed.
//
// None waits, so the runtime is not told of them: it would wake its monitor, and give
// a sender's processor away in the middle of a burst only to find another one afterwards. A
// call that sends as much as fits into one takes less than a millisecond.
type systemCalls struct {
	sendmmsg func(fd uintptr, messages []unix.Mmsghdr) (sent int, errno syscall.Errno)
	sendmsg  func(fd uintptr, message *unix.Msghdr) syscall.Errno
	recvmmsg func(fd uintptr, messages []unix.Mmsghdr) (received int, errno syscall.Errno)
	recvmsg  func(fd uintptr, message *unix.Msghdr) (octets int, errno syscall.Errno)
}

// kernelCalls are the system's own.
func kernelCalls() systemCalls { return systemCalls{sendmmsg, sendmsg, recvmmsg, recvmsg} }

func sendmmsg(fd uintptr, messages []unix.Mmsghdr) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDMMSG, fd,
		uintptr(unsafe.Pointer(unsafe.SliceData(messages))), uintptr(len(messages)), unix.MSG_DONTWAIT, 0, 0) //nolint:gosec // the system wants an address
	return int(n), errno
}

func sendmsg(fd uintptr, message *unix.Msghdr) syscall.Errno {
	_, _, errno := syscall.RawSyscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(message)), unix.MSG_DONTWAIT) //nolint:gosec // the system wants an address
	return errno
}

func recvmmsg(fd uintptr, messages []unix.Mmsghdr) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, fd,
		uintptr(unsafe.Pointer(unsafe.SliceData(messages))), uintptr(len(messages)), unix.MSG_DONTWAIT, 0, 0) //nolint:gosec // the system wants an address
	return int(n), errno
}

func recvmsg(fd uintptr, message *unix.Msghdr) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(message)), unix.MSG_DONTWAIT) //nolint:gosec // the system wants an address
	return int(n), errno
}
