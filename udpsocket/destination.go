package udpsocket

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"
)

// maxWait bounds how long a call waits for room in a socket's buffer. A reader
// that waits does not receive, so it must be less than a receive buffer lasts.
const maxWait = 20 * time.Millisecond

var (
	// ErrAddress is returned by [Socket.Destination] for addresses of another
	// family than the socket's, and for those that nothing can be sent to.
	ErrAddress = errors.New("udpsocket: not an address to send to or from")
	// ErrFull is returned by [Destination.Send] if there was no room in the
	// socket's buffer for too long. The datagram is lost.
	ErrFull = errors.New("udpsocket: no room in the socket's buffer")
)

// Destination is where datagrams go to, and from where: a socket, a local
// address and a remote one, encoded for system calls. It is immutable but for
// what was learned about its path, and may be used from any goroutine.
type Destination struct {
	// Immutable.
	socket *Socket
	local  netip.Addr
	remote netip.AddrPort
	encoded

	// plain is set once the path has refused a run: it is not asked again.
	plain atomic.Bool
}

// Destination returns what sends from local to remote. An invalid local address
// leaves the choice to the system. It fails with [ErrAddress].
func (s *Socket) Destination(local netip.Addr, remote netip.AddrPort) (*Destination, error) {
	local, remote = local.Unmap(), Canonical(remote)
	if !remote.IsValid() || remote.Addr().Is6() != s.v6 || remote.Port() == 0 ||
		local.IsValid() && local.Is6() != s.v6 {
		return nil, fmt.Errorf("%w: from %v to %v", ErrAddress, local, remote)
	}
	d := &Destination{socket: s, local: local, remote: remote}
	if err := d.encode(); err != nil {
		return nil, fmt.Errorf("%w: from %v to %v: %w", ErrAddress, local, remote, err)
	}
	return d, nil
}

// Local is the address that datagrams leave from, invalid if the system chooses.
func (d *Destination) Local() netip.Addr { return d.local }

// Remote is the address that datagrams go to, in canonical form.
func (d *Destination) Remote() netip.AddrPort { return d.remote }
