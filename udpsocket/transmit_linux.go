package udpsocket

import (
	"encoding/binary"
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// retryPause is how long a sender pauses when the system has room, but takes nothing.
const retryPause = time.Millisecond

// transmitter is what one goroutine needs to send on a socket: messages that are
// filled, then sent together.
type transmitter struct {
	// Immutable.
	socket *Socket
	try    func(fd uintptr) // attempt

	// Owned by who took it from the socket's pool.
	messages [maxSend]unix.Mmsghdr
	vectors  [maxSend]unix.Iovec
	controls [maxSend][sendControlSpace]byte
	pieces   [maxSend]piece // what each message carries
	next     int            // the first message that has not been dealt with
	filled   int            // messages in use
	limit    time.Time      // when waiting for room ends; zero if none was needed yet
	failure  error          // the first there was

	sent  int // messages that the last attempt sent
	errno syscall.Errno
}

// piece is the content of one message.
type piece struct {
	to    *Destination
	data  []byte
	size  int // of each datagram but the last
	count int
}

// transmitter returns one for the caller to own.
func (s *Socket) transmitter() *transmitter {
	t, ok := s.transmitters.Get().(*transmitter)
	if !ok {
		t = &transmitter{socket: s}
		t.try = t.attempt
		for i := range t.messages {
			t.messages[i].Hdr.Iov = &t.vectors[i]
			t.messages[i].Hdr.SetIovlen(1)
		}
	}
	t.limit, t.failure = time.Time{}, nil
	return t
}

// Send sends one datagram now. It waits at most 20 ms for room in the socket's
// buffer, then fails with [ErrFull].
func (d *Destination) Send(b []byte) error {
	t := d.socket.transmitter()
	t.add(piece{to: d, data: b, size: len(b), count: 1})
	t.send()
	err := t.failure
	t.pieces[0].data = nil
	d.socket.transmitters.Put(t)
	return err
}

// transmit sends all runs, socket by socket. Waiting for room ends for all of
// them at once, so that a full buffer delays the caller only so long.
func (b *Batch) transmit() {
	var limit time.Time
	for i := range b.runs {
		if b.runs[i].to == nil {
			continue
		}
		s := b.runs[i].to.socket
		t := s.transmitter()
		t.limit = limit
		for j := i; j < len(b.runs); j++ {
			if r := &b.runs[j]; r.to != nil && r.to.socket == s {
				t.run(b.arena, r)
				r.to = nil
			}
		}
		t.send()
		limit = t.limit
		s.transmitters.Put(t)
	}
}

// run adds a run of datagrams, as one message if that can be.
func (t *transmitter) run(arena []byte, r *run) {
	p := piece{to: r.to, data: arena[r.start : r.start+r.octets], size: r.size, count: r.count}
	if r.count == 1 || t.socket.segments && !r.to.plain.Load() {
		t.add(p)
		return
	}
	t.divide(p)
}

// divide adds each datagram of a run as a message of its own.
func (t *transmitter) divide(p piece) {
	for i := range p.count {
		data := p.data[i*p.size : min((i+1)*p.size, len(p.data))]
		t.add(piece{to: p.to, data: data, size: len(data), count: 1})
	}
}

// add fills one message. If there are too many, it sends first.
func (t *transmitter) add(p piece) {
	if t.filled == maxSend {
		t.send()
	}
	i := t.filled
	t.filled++
	t.pieces[i] = p
	t.vectors[i].Base = nil
	if len(p.data) > 0 {
		t.vectors[i].Base = &p.data[0]
	}
	t.vectors[i].SetLen(len(p.data))

	d, header := p.to, &t.messages[i].Hdr
	header.Name = &d.name[0]
	header.Namelen = uint32(d.nameLen)
	switch {
	case p.count > 1:
		control := &t.controls[i]
		*control = d.encoded.control
		binary.NativeEndian.PutUint16(control[d.sizeFrom:], uint16(p.size))
		header.Control = &control[0]
		header.SetControllen(d.fullLen)
	case d.infoLen > 0:
		header.Control = &d.encoded.control[0]
		header.SetControllen(d.infoLen)
	default:
		header.Control = nil
		header.SetControllen(0)
	}
}

// attempt makes one system call, or two if the first was refused as a whole.
func (t *transmitter) attempt(fd uintptr) {
	s := t.socket
	pending := t.messages[t.next:t.filled]
	if len(pending) == 1 || s.oneByOne.Load() {
		t.one(fd)
		return
	}
	s.stats.sendCalls.Add(1)
	t.sent, t.errno = s.calls.sendmmsg(fd, pending)
	t.sent = max(t.sent, 0)
	if t.errno != unix.ENOSYS && t.errno != unix.EPERM {
		return
	}
	// Either the call is not to be had, or the first message is refused.
	if t.one(fd); t.errno == 0 {
		s.oneByOne.Store(true)
	}
}

// one sends the first pending message alone.
func (t *transmitter) one(fd uintptr) {
	t.socket.stats.sendCalls.Add(1)
	t.sent = 0
	if t.errno = t.socket.calls.sendmsg(fd, &t.messages[t.next].Hdr); t.errno == 0 {
		t.sent = 1
	}
}

// send sends all messages, and drops those that cannot be.
func (t *transmitter) send() {
	s := t.socket
	for t.next < t.filled {
		err := s.control(t.try)
		if err == nil && t.errno == unix.EAGAIN {
			s.stats.full.Add(1)
			err = t.await()
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			t.abandon(&s.stats.dropped, ErrFull)
		case err != nil:
			t.abandon(&s.stats.sendErrors, err)
		case t.errno == 0:
			t.count()
		case t.errno == unix.EINTR:
		default:
			t.skip()
		}
	}
	t.next, t.filled = 0, 0
}

// await waits until there is room, and tries again: at least once, as this process
// may have been waiting for its turn instead. Only one goroutine at a time waits
// for a socket; what it holds up is what had to wait anyway.
func (t *transmitter) await() error {
	if t.limit.IsZero() {
		t.limit = time.Now().Add(maxWait)
	}
	s := t.socket
	s.room.Lock()
	defer s.room.Unlock()
	for {
		late := s.awaitRoom(t.limit)
		if late != nil && !errors.Is(late, os.ErrDeadlineExceeded) {
			return late
		}
		if err := s.control(t.try); err != nil || t.errno != unix.EAGAIN {
			return err
		}
		if late != nil {
			return late
		}
		time.Sleep(retryPause) // there is room, but not for this
	}
}

// count notes that the last attempt sent messages.
func (t *transmitter) count() {
	datagrams, octets, runs := 0, 0, 0
	for i := t.next; i < t.next+t.sent; i++ {
		p := &t.pieces[i]
		datagrams += p.count
		octets += len(p.data)
		if p.count > 1 {
			runs++
		}
	}
	t.next += t.sent
	c := &t.socket.stats
	c.sent.Add(uint64(datagrams))
	c.sentOctets.Add(uint64(octets))
	if runs > 0 {
		c.sentRuns.Add(uint64(runs))
	}
}

// skip deals with a message that the system refused. A run may be longer per
// datagram than the path carries, or leave through a device that cannot checksum
// its segments: it is sent one by one, as are all that follow it to there.
func (t *transmitter) skip() {
	p := t.pieces[t.next]
	t.next++
	s := t.socket
	if p.count > 1 && (t.errno == unix.EIO || t.errno == unix.EINVAL || t.errno == unix.EMSGSIZE) {
		s.stats.unsegmented.Add(1)
		other := s.transmitter()
		other.limit = t.limit
		other.divide(p)
		other.send()
		t.limit = other.limit
		if other.failure == nil {
			p.to.plain.Store(true)
		} else {
			t.fail(other.failure)
		}
		s.transmitters.Put(other)
		return
	}
	s.stats.sendErrors.Add(uint64(p.count))
	t.fail(os.NewSyscallError("sendmsg", t.errno))
}

// abandon drops all messages that are left.
func (t *transmitter) abandon(counter *atomic.Uint64, err error) {
	for ; t.next < t.filled; t.next++ {
		counter.Add(uint64(t.pieces[t.next].count))
	}
	t.fail(err)
}

func (t *transmitter) fail(err error) {
	if t.failure == nil {
		t.failure = err
	}
}
