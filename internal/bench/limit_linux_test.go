package main

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what has to happen.
const patience = time.Minute

// drained runs send against a drain, and returns what the drain has received.
func drained(t *testing.T, o drainOptions, send func(ports []int) limitCounts) drainCounts {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	type result struct {
		counts drainCounts
		err    error
	}
	ports, done := make(chan []int, 1), make(chan result, 1)
	go func() {
		counts, err := drain(ctx, o, func(p []int) { ports <- p })
		done <- result{counts, err}
	}()
	select {
	case p := <-ports:
		send(p)
	case r := <-done:
		t.Fatalf("drain: %v", r.err)
	case <-time.After(patience):
		t.Fatal("the drain does not open its ports")
	}
	cancel()
	r := <-done
	if r.err != nil {
		t.Fatalf("drain: %v", r.err)
	}
	return r.counts
}

// expected is how many packets are due within a time.
func expected(s shape, paced bool, span time.Duration) uint64 {
	packets := 0
	for _, stream := range newStreams(s, paced, newRandom()) {
		for ; stream.due() < span; stream.advance() {
			packets += len(stream.flows) * stream.bursts[stream.next].packets
		}
	}
	return uint64(packets)
}

// span is how long tests send: no more than a port has room for on a default
// system, should its reader sleep.
const span = 150 * time.Millisecond

func TestLimitSendsWhatItsSubscribersCanOpen(t *testing.T) {
	for _, test := range []struct {
		name  string
		shape shape
		paced bool
		ports int
		arena int
		gro   bool
	}{
		{"a lecture on one port", shape{publishers: 1, subscribers: 2}, false, 1, defaultArena, false},
		{"a lecture on many ports", shape{publishers: 1, subscribers: 5}, false, 5, defaultArena, false},
		{"a paced lecture", shape{publishers: 1, subscribers: 5}, true, 5, defaultArena, false},
		{"a meeting", shape{publishers: 4, meeting: true}, false, 12, defaultArena, false},
		{"a full arena", shape{publishers: 1, subscribers: 5}, false, 5, minArena, false},
		{"segments left uncut", shape{publishers: 1, subscribers: 5}, false, 5, defaultArena, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			flows := len(test.shape.flows())
			var counts limitCounts
			var announced []string
			received := drained(t, drainOptions{ports: test.ports, flows: flows, verify: 1, gro: test.gro}, func(ports []int) limitCounts {
				var err error
				counts, err = sendLimit(limitOptions{
					shape: test.shape, paced: test.paced, ports: ports, duration: span, arena: test.arena,
				}, func(line string) { announced = append(announced, line) })
				if err != nil {
					t.Fatalf("send: %v", err)
				}
				return counts
			})
			if want := expected(test.shape, test.paced, span); counts.Packets != want {
				t.Errorf("%d packets were sent, want %d", counts.Packets, want)
			}
			if received.Received != counts.Packets || received.Verified != counts.Packets || received.Corrupt != 0 {
				t.Errorf("%+v of %d packets that were sent", received, counts.Packets)
			}
			if len(announced) != 3 || !announces(announced[0]) || announced[1] != lineStart || announced[2] != lineEnd {
				t.Errorf("announced %q", announced)
			}
			if counts.Calls > counts.Messages || counts.Messages > counts.Packets || counts.Failed != 0 {
				t.Errorf("calls, messages and packets do not fit: %+v", counts)
			}
		})
	}
}

func TestDrainTellsCorruptPackets(t *testing.T) {
	counts := drained(t, drainOptions{ports: 1, flows: 1, verify: 1}, func(ports []int) limitCounts {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		good, _ := newSealer(0)
		foreign, _ := newSealer(1)
		p := packet{payload: []byte("something"), kind: videoType}
		for _, datagram := range [][]byte{
			good.seal(nil, streamIdentifier(0, false), &p),
			foreign.seal(nil, streamIdentifier(0, false), &p), // another key
			good.seal(nil, streamIdentifier(1, false), &p),    // of no such flow
			[]byte("short"),
		} {
			if err := unix.Sendto(fd, datagram, 0, &unix.SockaddrInet4{Port: ports[0], Addr: [4]byte{127, 0, 0, 1}}); err != nil {
				t.Fatal(err)
			}
		}
		return limitCounts{}
	})
	if want := (drainCounts{Received: 4, Verified: 1, Corrupt: 3}); counts != want {
		t.Errorf("%+v, want %+v", counts, want)
	}
}

// A socket that takes segmented messages as they are (UDP_GRO) shows whether
// the sender left the cutting to the system.
func TestLimitLeavesCuttingToTheSystem(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1); err != nil {
		t.Skip("no UDP_GRO:", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	counts, err := sendLimit(limitOptions{
		shape: shape{publishers: 1, subscribers: 1}, ports: []int{name.(*unix.SockaddrInet4).Port},
		duration: span, arena: defaultArena,
	}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if !counts.Segmented {
		t.Skip("no UDP_SEGMENT")
	}
	const size = headerLength + videoPayload + tagLength
	buffer, control := make([]byte, 1<<16), make([]byte, 64)
	frames := 0
	for range counts.Messages {
		n, oobn, _, _, err := unix.Recvmsg(fd, buffer, control, unix.MSG_DONTWAIT)
		if err != nil {
			t.Fatal(err)
		}
		if n == headerLength+audioPayload+tagLength {
			continue
		}
		frames++
		if n != packetsPerFrame*size {
			t.Errorf("a message of %d octets, want %d packets of %d", n, packetsPerFrame, size)
		}
		if messages, err := unix.ParseSocketControlMessage(control[:oobn]); err != nil || len(messages) != 1 ||
			messages[0].Header.Type != unix.UDP_GRO {
			t.Errorf("a message with control %x, %v: it was not segmented", control[:oobn], err)
		}
	}
	if frames == 0 {
		t.Error("no frame has come")
	}
}

func TestSendingAllocatesNothing(t *testing.T) {
	o := limitOptions{shape: shape{publishers: 1, subscribers: 2}, ports: []int{9}, arena: defaultArena}
	b, err := newBatch(o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	s := newStreams(o.shape, false, newRandom())[0]
	allocations := testing.AllocsPerRun(100, func() {
		if err := b.addBurst(s); err != nil {
			t.Fatal(err)
		}
		s.advance()
		b.n, b.arena = 0, b.arena[:0] // as if it were sent
	})
	if allocations != 0 {
		t.Errorf("%v allocations per burst, want none", allocations)
	}
}
