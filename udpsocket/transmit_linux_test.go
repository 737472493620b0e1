package udpsocket

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// segmented tells whether a message carries a run.
func segmented(header *unix.Msghdr) bool {
	if header.Control == nil {
		return false
	}
	control := unsafe.Slice(header.Control, int(header.Controllen))
	for len(control) > 0 {
		h, _, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return false
		}
		if h.Level == unix.IPPROTO_UDP && h.Type == unix.UDP_SEGMENT {
			return true
		}
		control = rest
	}
	return false
}

// refuseRuns makes a socket refuse runs as a path does that does not carry them.
func refuseRuns(s *Socket, errno syscall.Errno) {
	s.calls.sendmmsg = func(fd uintptr, messages []unix.Mmsghdr) (int, syscall.Errno) {
		for i := range messages {
			if segmented(&messages[i].Hdr) {
				if i == 0 {
					return -1, errno
				}
				return sendmmsg(fd, messages[:i])
			}
		}
		return sendmmsg(fd, messages)
	}
	s.calls.sendmsg = func(fd uintptr, message *unix.Msghdr) syscall.Errno {
		if segmented(message) {
			return errno
		}
		return sendmsg(fd, message)
	}
}

// refuseBatches makes a socket refuse several messages in one call.
func refuseBatches(s *Socket, errno syscall.Errno) {
	s.calls.sendmmsg = func(uintptr, []unix.Mmsghdr) (int, syscall.Errno) { return -1, errno }
	s.calls.recvmmsg = func(uintptr, []unix.Mmsghdr) (int, syscall.Errno) { return -1, errno }
}

func TestFallbacksDeliverTheSame(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit func(s *Socket)
	}{
		{"no segmentation at all", func(s *Socket) { s.segments = false }},
		{"runs fail with EIO", func(s *Socket) { refuseRuns(s, unix.EIO) }},
		{"runs fail with EINVAL", func(s *Socket) { refuseRuns(s, unix.EINVAL) }},
		{"runs fail with EMSGSIZE", func(s *Socket) { refuseRuns(s, unix.EMSGSIZE) }},
		{"no sendmmsg", func(s *Socket) { refuseBatches(s, unix.ENOSYS) }},
		{"sendmmsg is forbidden", func(s *Socket) { refuseBatches(s, unix.EPERM) }},
		{"no sendmmsg and no runs", func(s *Socket) { refuseRuns(s, unix.EIO); refuseBatches(s, unix.ENOSYS) }},
		{"calls are interrupted", func(s *Socket) {
			calls := 0
			s.calls.sendmmsg = func(fd uintptr, messages []unix.Mmsghdr) (int, syscall.Errno) {
				if calls++; calls%2 == 1 {
					return -1, unix.EINTR
				}
				return sendmmsg(fd, messages)
			}
		}},
		{"calls send a part", func(s *Socket) {
			s.calls.sendmmsg = func(fd uintptr, messages []unix.Mmsghdr) (int, syscall.Errno) {
				return sendmmsg(fd, messages[:(len(messages)+1)/2])
			}
		}},
		{"the buffer is full every other time", func(s *Socket) {
			calls := 0
			s.calls.sendmmsg = func(fd uintptr, messages []unix.Mmsghdr) (int, syscall.Errno) {
				if calls++; calls%2 == 1 {
					return -1, unix.EAGAIN
				}
				return sendmmsg(fd, messages)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3) {
				sockets := open(t, Options{})
				for _, s := range sockets {
					tt.edit(s)
				}
				checkMix(t, sockets, seed)
			}
		})
	}
}

func TestRunsLeaveAsRuns(t *testing.T) {
	t.Parallel()
	sockets := open(t, Options{})
	for _, ip := range []string{"127.0.0.1", "::1"} {
		t.Run(ip, func(t *testing.T) {
			t.Parallel()
			s, to := socketOf(t, sockets, ip), socketOf(t, open(t, Options{}), ip)
			if !s.segments || !to.merges {
				t.Skip("the system does not segment")
			}
			b := NewBatch()
			d := destination(t, s, ip, newAddr(ip, to.port))
			for i := range 6 {
				put(b, d, payload(1150, byte(i)))
			}
			put(b, d, payload(7, 6))
			b.Flush()
			r := to.NewReader()
			got, err := r.Read()
			if err != nil || len(got) != 7 {
				t.Fatalf("Read() = %d datagrams, %v, want 7", len(got), err)
			}
			for i, g := range got {
				want := payload(1150, byte(i))
				if i == 6 {
					want = payload(7, 6)
				}
				if string(g.Data) != string(want) || g.From != newAddr(ip, s.port) || g.To != newAddr(ip, 1).Addr() {
					t.Errorf("datagram %d = %.20x from %v to %v", i, g.Data, g.From, g.To)
				}
			}
			if st := s.Stats(); st.SentRuns != 1 || st.SendCalls != 1 || st.Sent != 7 || st.SentOctets != 6*1150+7 {
				t.Errorf("sender's Stats() = %+v, want 7 sent as one run by one call", st)
			}
			if st := to.Stats(); st.ReceivedRuns != 1 || st.ReceiveCalls != 1 || st.Received != 7 {
				t.Errorf("receiver's Stats() = %+v, want 7 received as one run by one call", st)
			}
		})
	}
}

func TestARefusedRunIsNotTriedAgainToThere(t *testing.T) {
	t.Parallel()
	s := socketOf(t, open(t, Options{}), "127.0.0.1")
	refused := newPeer(t, "127.0.0.1")
	d := destination(t, s, "", refused.addr)
	refuseRuns(s, unix.EIO)
	b := NewBatch()
	for range 3 {
		for i := range 3 {
			put(b, d, payload(100, byte(i)))
		}
		b.Flush()
		for i := range 3 {
			refused.expect(t, payload(100, byte(i)))
		}
	}
	if st := s.Stats(); st.Unsegmented != 1 || st.SendErrors != 0 || st.Sent != 9 {
		t.Errorf("Stats() = %+v, want one refused run and 9 sent", st)
	}
	// Another path still carries runs.
	s.calls = kernelCalls()
	other := newPeer(t, "127.0.0.1")
	e := destination(t, s, "", other.addr)
	for range 2 {
		put(b, e, payload(100, 1))
	}
	b.Flush()
	if st := s.Stats(); st.SentRuns != 1 {
		t.Errorf("Stats() = %+v, want one run sent", st)
	}
}

func TestARefusedMessageCostsOnlyItself(t *testing.T) {
	t.Parallel()
	s := socketOf(t, open(t, Options{}), "127.0.0.1")
	bad, good := newPeer(t, "127.0.0.1"), newPeer(t, "127.0.0.1")
	d, e := destination(t, s, "", bad.addr), destination(t, s, "", good.addr)
	for _, errno := range []syscall.Errno{unix.ECONNREFUSED, unix.ENETUNREACH, unix.EPERM, unix.ENOBUFS} {
		fails := func(header *unix.Msghdr) bool { return header.Name == &d.name[0] }
		s.calls.sendmmsg = func(fd uintptr, messages []unix.Mmsghdr) (int, syscall.Errno) {
			for i := range messages {
				if fails(&messages[i].Hdr) {
					if i == 0 {
						return -1, errno
					}
					return sendmmsg(fd, messages[:i])
				}
			}
			return sendmmsg(fd, messages)
		}
		s.calls.sendmsg = func(fd uintptr, message *unix.Msghdr) syscall.Errno {
			if fails(message) {
				return errno
			}
			return sendmsg(fd, message)
		}
		before := s.Stats()
		b := NewBatch()
		put(b, e, []byte("one"))
		put(b, d, []byte("bad"))
		put(b, d, []byte("bad"))
		put(b, e, []byte("two"))
		b.Flush()
		good.expect(t, []byte("one"))
		good.expect(t, []byte("two"))
		if st := s.Stats(); st.SendErrors != before.SendErrors+2 || st.Sent != before.Sent+2 || st.Dropped != 0 {
			t.Errorf("%v: Stats() = %+v after %+v, want two more errors and two more sent", errno, st, before)
		}
		if err := d.Send([]byte("bad")); !errors.Is(err, errno) {
			t.Errorf("Send() error = %v, want %v", err, errno)
		}
		if s.oneByOne.Load() {
			t.Fatalf("%v of one message has ended batches", errno)
		}
	}
}

func TestAFullBufferDelaysAndThenDrops(t *testing.T) {
	t.Parallel()
	sockets := open(t, Options{})
	var tries atomic.Int64
	b := NewBatch()
	var one *Destination
	for _, s := range sockets {
		s.calls.sendmmsg = func(uintptr, []unix.Mmsghdr) (int, syscall.Errno) { tries.Add(1); return -1, unix.EAGAIN }
		s.calls.sendmsg = func(uintptr, *unix.Msghdr) syscall.Errno { tries.Add(1); return unix.EAGAIN }
		ip := "127.0.0.1"
		if s.IPv6() {
			ip = "::1"
		}
		for range 2 * maxSend { // more than go out in one call
			one = destination(t, s, ip, newAddr(ip, 9))
			put(b, one, []byte("first"))
			put(b, one, []byte("later"))
			put(b, one, []byte("longer"))
		}
	}
	start := time.Now()
	b.Flush()
	if took := time.Since(start); took < maxWait || took > patience {
		t.Errorf("Flush() took %v, want at least %v", took, maxWait)
	}
	for _, s := range sockets {
		if st := s.Stats(); st.Dropped != 6*maxSend || st.Sent != 0 || st.Full == 0 || st.SendErrors != 0 {
			t.Errorf("Stats() = %+v, want %d dropped", st, 6*maxSend)
		}
	}
	if n := tries.Load(); n > 100 {
		t.Errorf("%d system calls while there was no room", n)
	}
	if !b.Empty() {
		t.Error("the batch is not empty")
	}
	if err := one.Send([]byte("x")); !errors.Is(err, ErrFull) {
		t.Errorf("Send() error = %v, want ErrFull", err)
	}
	// When there is room again, everything goes out.
	for _, s := range sockets {
		s.calls = kernelCalls()
	}
	checkMixAfter(t, sockets)
}

// checkMixAfter checks that sockets send after what they went through.
func checkMixAfter(t *testing.T, sockets []*Socket) {
	t.Helper()
	for _, s := range sockets {
		ip := "127.0.0.1"
		if s.IPv6() {
			ip = "::1"
		}
		p := newPeer(t, ip)
		d := destination(t, s, ip, p.addr)
		b := NewBatch()
		put(b, d, []byte("batch"))
		b.Flush()
		if err := d.Send([]byte("plain")); err != nil {
			t.Error(err)
		}
		p.expect(t, []byte("batch"))
		p.expect(t, []byte("plain"))
	}
}

func TestManyWaitForRoomAtOnce(t *testing.T) {
	t.Parallel()
	s := socketOf(t, open(t, Options{}), "127.0.0.1")
	s.calls.sendmsg = func(uintptr, *unix.Msghdr) syscall.Errno { return unix.EAGAIN }
	d := destination(t, s, "", newAddr("127.0.0.1", 9))
	const senders = 20
	results := make(chan error, senders)
	for range senders {
		go func() { results <- d.Send([]byte("x")) }()
	}
	for range senders {
		select {
		case err := <-results:
			if !errors.Is(err, ErrFull) {
				t.Errorf("Send() error = %v, want ErrFull", err)
			}
		case <-time.After(patience):
			t.Fatal("a sender hangs")
		}
	}
}

func TestAClosedSocketSendsNothing(t *testing.T) {
	t.Parallel()
	sockets := open(t, Options{})
	s := socketOf(t, sockets, "127.0.0.1")
	d := destination(t, s, "", newAddr("127.0.0.1", 9))
	closeAll(sockets)
	b := NewBatch()
	put(b, d, []byte("x"))
	b.Flush()
	if err := d.Send([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Send() error = %v, want net.ErrClosed", err)
	}
	if st := s.Stats(); st.SendErrors != 2 || st.Sent != 0 {
		t.Errorf("Stats() = %+v, want two errors", st)
	}
}

func TestReadingOneByOneDeliversTheSame(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{unix.ENOSYS, unix.EPERM} {
		s := socketOf(t, open(t, Options{}), "127.0.0.1")
		from := socketOf(t, open(t, Options{}), "127.0.0.1")
		refuseBatches(s, errno)
		b := NewBatch()
		d := destination(t, from, "127.0.0.1", newAddr("127.0.0.1", s.port))
		for i := range 10 {
			put(b, d, payload(100+i/3, byte(i)))
		}
		b.Flush()
		r := s.NewReader()
		for i := 0; i < 10; {
			ds, err := r.Read()
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range ds {
				if want := payload(100+i/3, byte(i)); string(g.Data) != string(want) {
					t.Errorf("%v: datagram %d = %.20x, want %.20x", errno, i, g.Data, want)
				}
				i++
			}
		}
	}
}
