package loadtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
)

// patience is how long a test waits for what has to happen.
const patience = time.Minute

// polling returns a poller that runs until the test ends.
func polling(t *testing.T) *poller {
	t.Helper()
	start := time.Now()
	p, err := newPoller(func() int64 { return int64(time.Since(start)) + 1 }, localAddresses("http://127.0.0.1/"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { p.poll(ctx, func() time.Duration { return time.Hour }) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		p.close()
	})
	return p
}

// candidate returns a port and its IPv4 candidate's connection.
func candidate(t *testing.T, p *poller) (port, net.PacketConn) {
	t.Helper()
	port, err := p.listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = port.Close() })
	for _, addr := range port.GetListenAddresses() {
		if udp, ok := addr.(*net.UDPAddr); ok && udp.AddrPort().Addr().Unmap() == netip.MustParseAddr("127.0.0.1") {
			c, err := port.GetConn("fragment", addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			return port, c
		}
	}
	t.Fatalf("no loopback address in %v", port.GetListenAddresses())
	return nil, nil
}

// collector is a receiver that takes every second packet.
type collector struct {
	mu      sync.Mutex // guards the fields below
	packets []uint16   // sequence numbers
	times   []int64
}

func (c *collector) arrived(b []byte, at int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	sequence := binary.BigEndian.Uint16(b[2:])
	c.packets, c.times = append(c.packets, sequence), append(c.times, at)
	return sequence%2 == 0
}

// rtpPacket returns what looks like an RTP packet.
func rtpPacket(sequence uint16, ssrc uint32, payloadType byte) []byte {
	b := make([]byte, 200)
	b[0], b[1] = 0x80, payloadType
	binary.BigEndian.PutUint16(b[2:], sequence)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	return b
}

func TestReceiversComeBeforePion(t *testing.T) {
	t.Parallel()
	p := polling(t)
	_, from := candidate(t, p)
	port, to := candidate(t, p)
	var c collector
	port.attach("fragment", &c)
	if _, err := to.WriteTo([]byte{0}, from.LocalAddr()); err != nil { // a port may know only whom it has written to
		t.Fatal(err)
	}
	sent := p.now()
	const packets = 40
	for i := range uint16(packets) {
		if _, err := from.WriteTo(rtpPacket(i, 1, 96), to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	control := []byte{0x80, 201, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0} // RTCP is not for receivers
	if _, err := from.WriteTo(control, to.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if err := to.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1500)
	for i := range uint16(packets / 2) {
		n, addr, err := to.ReadFrom(b)
		if err != nil || n != 200 || binary.BigEndian.Uint16(b[2:]) != 2*i+1 || addr.String() != from.LocalAddr().String() {
			t.Fatalf("read %d octets of packet %d from %v, %v, want 200 of %d from %v",
				n, binary.BigEndian.Uint16(b[2:]), addr, err, 2*i+1, from.LocalAddr())
		}
	}
	if n, _, err := to.ReadFrom(b); err != nil || !bytes.Equal(b[:n], control) {
		t.Fatalf("read %x, %v, want %x", b[:n], err, control)
	}
	received := p.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.packets) != packets {
		t.Fatalf("the receiver saw %d packets, want %d", len(c.packets), packets)
	}
	for i, at := range c.times {
		if c.packets[i] != uint16(i) || at < sent-int64(time.Second) || at > received {
			t.Errorf("packet %d is number %d, dated %d; all were sent at %d and read at %d", i, c.packets[i], at, sent, received)
		}
	}
}

func TestReadingEndsWithDeadlineOrPort(t *testing.T) {
	t.Parallel()
	p := polling(t)
	port, c := candidate(t, p)
	b := make([]byte, 100)
	if err := c.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.ReadFrom(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("ReadFrom after the deadline = %v", err)
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, _, err := c.ReadFrom(b)
		ended <- err
	}()
	if err := port.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("ReadFrom of a closed port = %v", err)
		}
	case <-time.After(patience):
		t.Error("ReadFrom of a closed port waits")
	}
	if _, err := c.WriteTo(b, c.LocalAddr()); err == nil {
		t.Error("a closed port sends")
	}
	if _, err := port.GetConn("other", c.LocalAddr()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("GetConn of a closed port = %v", err)
	}
	if err := port.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

func TestUserFragmentsAreFound(t *testing.T) {
	t.Parallel()
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pc.Close() }()
	if _, err := pc.CreateDataChannel("x", nil); err != nil {
		t.Fatal(err)
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := userFragment(offer.SDP); len(got) < 4 || len(got) > 256 {
		t.Errorf("userFragment of\n%s= %q", offer.SDP, got)
	}
	if got := userFragment("v=0\r\n"); got != "" {
		t.Errorf("userFragment of nothing = %q", got)
	}
}

func TestLocalAddressesAreOnePerFamily(t *testing.T) {
	t.Parallel()
	local := localAddresses("wss://127.0.0.1:8443/ws")
	if len(local) == 0 || local[0] != netip.MustParseAddr("127.0.0.1") || len(local) > 2 || len(local) == 2 && !local[1].Is6() {
		t.Errorf("local addresses are %v", local)
	}
}
