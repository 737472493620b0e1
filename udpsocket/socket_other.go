//go:build !linux

package udpsocket

import (
	"errors"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// sharding tells that the system spreads datagrams over sockets of one port.
const sharding = false

// receiveControlSpace has room for the control messages that are received, in
// octets.
const receiveControlSpace = 128

// platform is the part of a socket that only some systems have.
type platform struct{}

// Close ends reads and writes.
func (s *Socket) Close() error { return s.conn.Close() }

func (s *Socket) prepare() error { return nil }

func (s *Socket) share() error { return errors.ErrUnsupported }

func shareRaw(syscall.RawConn) error { return errors.ErrUnsupported }

// setPacketInfo asks the system to tell the local address of each datagram.
func (s *Socket) setPacketInfo() error {
	if s.v6 {
		return ipv6.NewPacketConn(s.conn).SetControlMessage(ipv6.FlagDst, true)
	}
	return ipv4.NewPacketConn(s.conn).SetControlMessage(ipv4.FlagDst, true)
}

// encoded is a destination in the system's own form.
type encoded struct {
	control []byte // names the local address; nil leaves the choice to the system
}

func (d *Destination) encode() error {
	switch {
	case !d.local.IsValid() || !d.socket.info:
	case d.socket.v6:
		d.control = (&ipv6.ControlMessage{Src: d.local.AsSlice()}).Marshal()
	default:
		d.control = (&ipv4.ControlMessage{Src: d.local.AsSlice()}).Marshal()
	}
	return nil
}

// Send sends one datagram now. It waits at most about 20 ms for room in the
// socket's buffer, then fails with [ErrFull].
func (d *Destination) Send(b []byte) error {
	c := &d.socket.stats
	err := d.send(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		// This process may have been waiting for its turn rather than for room.
		err = d.send(b)
	}
	switch {
	case err == nil:
		c.sent.Add(1)
		c.sentOctets.Add(uint64(len(b)))
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.full.Add(1)
		c.dropped.Add(1)
		return ErrFull
	default:
		c.sendErrors.Add(1)
	}
	return err
}

// send waits at most half as long as Send may.
func (d *Destination) send(b []byte) error {
	d.socket.stats.sendCalls.Add(1)
	if err := d.socket.conn.SetWriteDeadline(time.Now().Add(maxWait / 2)); err != nil {
		return err
	}
	_, _, err := d.socket.conn.WriteMsgUDPAddrPort(b, d.control, d.remote)
	return err
}

// transmit sends all datagrams one by one. Once there is no room, it drops the
// rest rather than wait again.
func (b *Batch) transmit() {
	full := false
	for i := range b.runs {
		r := &b.runs[i]
		for data := b.arena[r.start : r.start+r.octets]; len(data) > 0; data = data[min(r.size, len(data)):] {
			if full {
				r.to.socket.stats.dropped.Add(1)
				continue
			}
			full = errors.Is(r.to.Send(data[:min(r.size, len(data))]), ErrFull) // other errors are counted
		}
	}
}

// Reader receives from a socket. One goroutine owns it.
type Reader struct {
	socket   *Socket
	space    [MaxDatagram + 1]byte // the last octet shows truncation
	control  [receiveControlSpace]byte
	datagram [1]Datagram
}

// NewReader returns a reader.
func (s *Socket) NewReader() *Reader { return &Reader{socket: s} }

// Read waits for datagrams and returns those that are there, in the order in
// which they came. What is returned is valid until the next Read. After an error
// reading may go on: some systems report here what became of datagrams sent. It
// fails with [net.ErrClosed] once the socket is closed.
func (r *Reader) Read() ([]Datagram, error) {
	c := &r.socket.stats
	n, controls, _, from, err := r.socket.conn.ReadMsgUDPAddrPort(r.space[:], r.control[:])
	if err != nil {
		c.receiveErrors.Add(1)
		return nil, err
	}
	c.receiveCalls.Add(1)
	c.received.Add(1)
	c.receivedOctets.Add(uint64(n))
	d := &r.datagram[0]
	d.From, d.To = Canonical(from), r.socket.localAddress(r.control[:controls])
	d.Data, d.Truncated = clip(r.space[:n])
	return r.datagram[:], nil
}

// localAddress finds the local address in received control messages. It is
// invalid if there is none.
func (s *Socket) localAddress(control []byte) netip.Addr {
	if !s.info || len(control) == 0 {
		return netip.Addr{}
	}
	var ip []byte
	if s.v6 {
		var m ipv6.ControlMessage
		if m.Parse(control) == nil {
			ip = m.Dst
		}
	} else {
		var m ipv4.ControlMessage
		if m.Parse(control) == nil {
			ip = m.Dst
		}
	}
	local, _ := netip.AddrFromSlice(ip)
	return local.Unmap()
}
