package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// sendLimit does as little as a server can: when a burst of a publisher is due,
// it seals its packets for each subscriber and sends them, as one message for
// each subscriber, with as few system calls as there can be. One thread does
// everything, and sleeps in the kernel in between: neither the scheduler nor
// the poller of the runtime are involved. announce is told which thread that
// is, and when measuring starts and ends.
func sendLimit(o limitOptions, announce func(line string)) (limitCounts, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Nothing is allocated while it sends, so there is nothing to collect.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))

	b, err := newBatch(o)
	if err != nil {
		return limitCounts{}, err
	}
	defer b.close()
	announce(announceThread + strconv.Itoa(unix.Gettid()))
	l := &limit{batch: b, streams: newStreams(o.shape, o.paced, newRandom())}
	l.start = time.Now()
	if err := l.sendUntil(o.warmUp); err != nil {
		return limitCounts{}, err
	}
	announce(lineStart)
	b.counts = limitCounts{Segmented: b.counts.Segmented}
	if err := l.sendUntil(o.warmUp + o.duration); err != nil {
		return limitCounts{}, err
	}
	announce(lineEnd)
	return b.counts, nil
}

// limit is a running limit.
type limit struct {
	batch   *batch
	streams []*stream
	start   time.Time
}

// sendUntil sends everything that is due before end, late or not.
func (l *limit) sendUntil(end time.Duration) error {
	for next := time.Duration(0); next < end; {
		sleep(next - time.Since(l.start))
		now := min(time.Since(l.start), end-1)
		next = end
		for _, s := range l.streams {
			for s.due() <= now {
				if err := l.batch.addBurst(s); err != nil {
					return err
				}
				s.advance()
			}
			next = min(next, s.due())
		}
		if err := l.batch.flush(); err != nil {
			return err
		}
	}
	sleep(end - time.Since(l.start))
	return nil
}

// sleep lets the thread sleep without telling the runtime, which would
// otherwise wake other threads. It may return early.
func sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	t := unix.NsecToTimespec(d.Nanoseconds())
	rawNanosleep(&t)
}

// batch gathers messages that are sent with one system call. Its arrays belong
// to each other: the n-th message has the n-th vector and the n-th control.
type batch struct {
	fd      int
	sealers []*sealer               // of each flow
	to      []unix.RawSockaddrInet4 // of each flow

	arena    []byte // sealed packets; its capacity never changes
	messages []unix.Mmsghdr
	vectors  []unix.Iovec
	controls []segmentControl
	sizes    []int // packets in each message
	n        int

	counts limitCounts
}

// maxMessages is how many messages one system call takes (UIO_MAXIOV).
const maxMessages = 1024

func newBatch(o limitOptions) (*batch, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a UDP socket: %w", err)
	}
	b := &batch{
		fd:       fd,
		arena:    make([]byte, 0, o.arena),
		messages: make([]unix.Mmsghdr, maxMessages),
		vectors:  make([]unix.Iovec, maxMessages),
		controls: make([]segmentControl, maxMessages),
		sizes:    make([]int, maxMessages),
	}
	if err := b.prepare(o); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// prepare makes all that stays the same from message to message.
func (b *batch) prepare(o limitOptions) error {
	// Without path MTU discovery each packet would be given an identification.
	err := unix.SetsockoptInt(b.fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)
	if err != nil {
		return fmt.Errorf("set path MTU discovery: %w", err)
	}
	growBuffer(b.fd, unix.SO_SNDBUF, unix.SO_SNDBUFFORCE)
	b.counts.Segmented = unix.SetsockoptInt(b.fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT, 0) == nil
	for i := range o.shape.flows() {
		s, err := newSealer(i)
		if err != nil {
			return err
		}
		b.sealers = append(b.sealers, s)
		b.to = append(b.to, loopback(o.ports[i%len(o.ports)]))
	}
	for i := range b.messages {
		h := &b.messages[i].Hdr
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
		h.Namelen = unix.SizeofSockaddrInet4
		b.controls[i].init()
	}
	return nil
}

func (b *batch) close() { _ = unix.Close(b.fd) }

// addBurst seals the next burst of a stream for all its subscribers.
func (b *batch) addBurst(s *stream) error {
	n := s.bursts[s.next].packets
	for _, flow := range s.flows {
		if b.counts.Segmented {
			if err := b.addMessage(s, flow, 0, n); err != nil {
				return err
			}
			continue
		}
		for i := range n {
			if err := b.addMessage(s, flow, i, 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// addMessage seals n packets of the next burst, from the i-th on, for one flow.
func (b *batch) addMessage(s *stream, flow, i, n int) error {
	first := s.packet(i)
	size := headerLength + len(first.payload) + tagLength
	if b.n == len(b.messages) || len(b.arena)+n*size > cap(b.arena) {
		if err := b.flush(); err != nil {
			return err
		}
	}
	begin := len(b.arena)
	id := streamIdentifier(flow, s.audio)
	for j := range n {
		p := s.packet(i + j)
		b.arena = b.sealers[flow].seal(b.arena, id, &p)
	}
	b.vectors[b.n].Base = &b.arena[begin]
	b.vectors[b.n].SetLen(len(b.arena) - begin)
	h := &b.messages[b.n].Hdr
	h.Name = nameOf(&b.to[flow])
	h.Control = nil
	h.SetControllen(0)
	if n > 1 {
		b.controls[b.n].set(h, size)
	}
	b.sizes[b.n] = n
	b.n++
	return nil
}

// flush sends what has been gathered. A message that the system refuses is
// counted and left out.
func (b *batch) flush() error {
	for sent := 0; sent < b.n; {
		n, errno := sendmmsg(b.fd, b.messages[sent:b.n])
		b.counts.Calls++
		switch errno {
		case 0:
			b.counts.Messages += uint64(n)
			b.counts.Packets += count(b.sizes[sent : sent+n])
			sent += n
		case unix.EINTR:
		case unix.ENOBUFS, unix.ECONNREFUSED:
			b.counts.Failed += uint64(b.sizes[sent])
			sent++
		default:
			return fmt.Errorf("send to the receiver: %w", errno)
		}
	}
	b.n = 0
	b.arena = b.arena[:0]
	return nil
}

func count(sizes []int) uint64 {
	total := 0
	for n := range slices.Values(sizes) {
		total += n
	}
	return uint64(total)
}
