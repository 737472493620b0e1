package netsim

import (
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// newPair returns a simulated socket, and a real one for the other end.
func newPair(t *testing.T, o Options) (simulated *Conn, far net.PacketConn) {
	t.Helper()
	var sockets [2]net.PacketConn
	for i := range sockets {
		var err error
		if sockets[i], err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			t.Fatal(err)
		}
	}
	c := New(sockets[0], o)
	t.Cleanup(func() {
		_ = c.Close() // again, perhaps
		_ = sockets[1].Close()
	})
	return c, sockets[1]
}

// numbered is a packet that carries a number.
func numbered(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// receive reads count packets and returns their numbers.
func receive(t *testing.T, from net.PacketConn, count int) (numbers []uint32) {
	t.Helper()
	buffer := make([]byte, 100)
	for range count {
		n, _, err := from.ReadFrom(buffer)
		if err != nil || n != 4 {
			t.Fatalf("after %d packets: %d bytes, %v", len(numbers), n, err)
		}
		numbers = append(numbers, binary.BigEndian.Uint32(buffer))
	}
	return numbers
}

func TestEachDirectionHasItsOwnConditions(t *testing.T) {
	t.Parallel()
	delay := 30 * time.Millisecond
	c, far := newPair(t, Options{Out: Conditions{Delay: delay}, In: Conditions{Duplicate: 1}})
	if err := far.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	sent := time.Now()
	if _, err := c.WriteTo(numbered(1), far.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	receive(t, far, 1)
	if took := time.Since(sent); took < delay {
		t.Errorf("a packet took %v out, want %v at least", took, delay)
	}
	if _, err := far.WriteTo(numbered(2), c.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, c, 2); got[0] != 2 || got[1] != 2 {
		t.Errorf("received %v, want 2 twice", got)
	}
	if out, in := c.Statistics(Out), c.Statistics(In); out.Offered != 1 || in.Offered != 1 || in.Duplicated != 1 {
		t.Errorf("statistics %+v and %+v", out, in)
	}
}

func TestPacketsArriveInOrderOfTheirTimes(t *testing.T) {
	t.Parallel()
	c, far := newPair(t, Options{Out: Conditions{Jitter: 5 * time.Millisecond}})
	if err := far.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	const count = 100
	for n := range uint32(count) {
		if _, err := c.WriteTo(numbered(n), far.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	for i, n := range receive(t, far, count) {
		if int(n) != i {
			t.Fatalf("packet %d came as number %d", n, i)
		}
	}
	c.SetConditions(Out, Conditions{Delay: 200 * time.Millisecond})
	if _, err := c.WriteTo(numbered(200), far.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	c.SetConditions(Out, Conditions{Reorder: 1}) // which lets it overtake what is under way
	c.ways[Out].path.latest = 0
	if _, err := c.WriteTo(numbered(201), far.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, far, 2); got[0] != 201 || got[1] != 200 {
		t.Errorf("received %v, want 201 before 200", got)
	}
}

func TestChosenPacketsAreLost(t *testing.T) {
	t.Parallel()
	c, far := newPair(t, Options{Lose: func(d Direction, packet []byte) bool {
		return d == Out && binary.BigEndian.Uint32(packet)%2 == 0
	}})
	if err := far.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for n := range uint32(10) {
		if _, err := c.WriteTo(numbered(n), far.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	for i, n := range receive(t, far, 5) {
		if int(n) != 2*i+1 {
			t.Errorf("packet %d came as number %d", n, i)
		}
	}
}

func TestCloseEndsReading(t *testing.T) {
	t.Parallel()
	c, far := newPair(t, Options{Out: Conditions{Delay: time.Hour}})
	if _, err := c.WriteTo(numbered(1), far.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, _, err := c.ReadFrom(make([]byte, 10))
		ended <- err
	}()
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("ReadFrom returned %v, want that it is closed", err)
	}
	if _, err := c.WriteTo(numbered(2), far.LocalAddr()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("WriteTo returned %v, want that it is closed", err)
	}
	if err := c.Close(); err == nil {
		t.Error("a second Close has no error")
	}
	if err := c.SetReadDeadline(time.Now()); err == nil {
		t.Error("a deadline for reading is taken")
	}
}
