package rtpconn

import (
	"bytes"
	"crypto"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/dtls/v3/pkg/crypto/hash"
	"github.com/pion/dtls/v3/pkg/crypto/prf"
	"github.com/pion/rtp"
	pionsrtp "github.com/pion/srtp/v3"

	"galene/srtp"
	"galene/udpsocket"
)

// testSecrets are those of some handshake.
func testSecrets() *srtp.Secrets {
	return &srtp.Secrets{
		Master:       bytes.Repeat([]byte{1}, 48),
		ClientRandom: bytes.Repeat([]byte{2}, 32),
		ServerRandom: bytes.Repeat([]byte{3}, 32),
		Hash:         crypto.SHA256,
	}
}

// pionContext returns Pion's view of what the server of testSecrets protects.
func pionContext(tb testing.TB, options ...pionsrtp.ContextOption) *pionsrtp.Context {
	tb.Helper()
	s := testSecrets()
	const keyLength, saltLength = 16, 12
	seed := append([]byte("EXTRACTOR-dtls_srtp"), append(s.ClientRandom, s.ServerRandom...)...)
	material, err := prf.PHash(s.Master, seed, 2*(keyLength+saltLength), hash.SHA256.CryptoHash().New)
	if err != nil {
		tb.Fatal(err)
	}
	key := material[keyLength : 2*keyLength]
	salt := material[2*keyLength+saltLength:]
	c, err := pionsrtp.CreateContext(key, salt, pionsrtp.ProtectionProfileAeadAes128Gcm, options...)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// pionWriter protects as Pion's stack does, and sends.
type pionWriter struct {
	context *pionsrtp.Context
	conn    *net.UDPConn
	written int
}

func (w *pionWriter) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	plain, err := (&rtp.Packet{Header: *h, Payload: payload}).Marshal()
	if err != nil {
		return 0, err
	}
	sealed, err := w.context.EncryptRTP(nil, plain, nil)
	if err != nil {
		return 0, err
	}
	w.written++
	return w.conn.Write(sealed)
}

func (w *pionWriter) Write([]byte) (int, error) { panic("not used") }

// newTestLane returns an egress that sends to the returned socket by either way.
func newTestLane(tb testing.TB) (*laneEgress, *pionWriter, *udpsocket.Destination, *net.UDPConn) {
	tb.Helper()
	to, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = to.Close() })
	remote := to.LocalAddr().(*net.UDPAddr).AddrPort() //nolint:forcetypeassert // it is a UDP socket
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(remote))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	sockets, _, err := udpsocket.Open(udpsocket.Options{Log: discardLog()})
	if err != nil {
		tb.Fatal(err)
	}
	var route *udpsocket.Destination
	for _, s := range sockets {
		tb.Cleanup(func() { _ = s.Close() })
		if !s.IPv6() {
			if route, err = s.Destination(netip.MustParseAddr("127.0.0.1"), remote); err != nil {
				tb.Fatal(err)
			}
		}
	}
	keys, err := srtp.DeriveKeys(testSecrets(), srtp.AEAD_AES_128_GCM)
	if err != nil {
		tb.Fatal(err)
	}
	sealer, err := keys.NewSealer(true)
	if err != nil {
		tb.Fatal(err)
	}
	stream := &pionWriter{context: pionContext(tb), conn: conn}
	return &laneEgress{stream: stream, lane: &lane{sealer: sealer}, ssrc: 1234}, stream, route, to
}

func TestReceiverCannotTellWhichWayPacketsWent(t *testing.T) {
	t.Parallel()
	const packets = 1<<17 + 1<<13 // the counter rolls over twice
	tests := []struct {
		name  string
		start uint16
		open  func(n int) bool // whether the lane is open for packet n
	}{
		{"all through the lane", 0, func(int) bool { return true }},
		{"all through Pion", 1, func(int) bool { return false }},
		{"back and forth", 32767, func(n int) bool { return rand.N(2) == 0 }},
		{"the lane for long", 20000, func(n int) bool { return n/70000%2 == 0 }},
		{"Pion for long", 9, func(n int) bool { return n/70000%2 == 1 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, stream, route, socket := newTestLane(t)
			receiver := pionContext(t, pionsrtp.SRTPReplayProtection(1024))
			batch := udpsocket.NewBatch()
			buffer := make([]byte, maxPacket)
			h := rtp.Header{Version: 2, SSRC: 1234, PayloadType: 96}
			arrived := 0
			receive := func() {
				t.Helper()
				if err := socket.SetReadDeadline(time.Now().Add(testPatience)); err != nil {
					t.Fatal(err)
				}
				n, err := socket.Read(buffer)
				if err != nil {
					t.Fatal(err)
				}
				plain, err := receiver.DecryptRTP(nil, buffer[:n], nil)
				if err != nil {
					t.Fatalf("packet %d: %v", arrived, err)
				}
				var p rtp.Packet
				if err := p.Unmarshal(plain); err != nil {
					t.Fatal(err)
				}
				if want := fmt.Sprint(arrived); p.SequenceNumber != tt.start+uint16(arrived) || string(p.Payload) != want {
					t.Fatalf("packet %d arrives as %d with %q", arrived, p.SequenceNumber-tt.start, p.Payload)
				}
				arrived++
			}
			for n := range packets {
				out.lane.route.Store(nil)
				if tt.open(n) {
					out.lane.route.Store(route)
				}
				h.SequenceNumber, h.Timestamp = tt.start+uint16(n), uint32(n)
				if err := out.WriteRTP(&h, fmt.Append(nil, n), batch); err != nil {
					t.Fatal(err)
				}
				if n%50 == 49 {
					batch.Flush()
					for range 50 {
						receive()
					}
				}
			}
			batch.Flush()
			for arrived < packets {
				receive()
			}
			if most := packets/pionStride + 2; tt.name == "all through the lane" && stream.written > most {
				t.Errorf("Pion has sent %d packets, want %d at most", stream.written, most)
			}
		})
	}
}

func TestWhatIsSentAgainIsTheSamePacket(t *testing.T) {
	t.Parallel()
	out, stream, route, socket := newTestLane(t)
	batch := udpsocket.NewBatch()
	buffer := make([]byte, maxPacket)
	read := func() string {
		t.Helper()
		batch.Flush()
		n, err := socket.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return string(buffer[:n])
	}
	write := func(n uint16) string {
		t.Helper()
		h := rtp.Header{Version: 2, SSRC: 1234, PayloadType: 96, SequenceNumber: n, Timestamp: uint32(n), Marker: n%3 == 0}
		if n%5 == 0 {
			h.Padding, h.PaddingSize = true, 1
			if err := out.WriteRTP(&h, nil, batch); err != nil {
				t.Fatal(err)
			}
			return read()
		}
		if err := out.WriteRTP(&h, fmt.Append(nil, "payload", n), batch); err != nil {
			t.Fatal(err)
		}
		return read()
	}
	const start, count = 30000, 40000
	var sent [count]string
	for i := range sent {
		if i%1000 > 900 {
			out.lane.route.Store(nil)
		} else {
			out.lane.route.Store(route)
		}
		sent[i] = write(uint16(start + i))
		back := i - rand.N(500)
		if back < 0 {
			continue
		}
		if rand.N(2) == 0 {
			out.lane.route.Store(nil)
		} else {
			out.lane.route.Store(route)
		}
		if again := write(uint16(start + back)); again != sent[back] {
			t.Fatalf("packet %d is sent again, after %d, with other bytes:\n%x\n%x", back, i, sent[back], again)
		}
	}
	if stream.written < count/50 {
		t.Errorf("Pion has sent %d packets: the test does not test it", stream.written)
	}
}

func TestSealingDoesNotAllocate(t *testing.T) {
	out, _, route, socket := newTestLane(t)
	out.lane.route.Store(route)
	batch := udpsocket.NewBatch()
	h := rtp.Header{Version: 2, SSRC: 1234, PayloadType: 96, SequenceNumber: 1}
	payload := make([]byte, 1100)
	drain := make([]byte, maxPacket)
	write := func() {
		h.SequenceNumber++
		if h.SequenceNumber%pionStride == 0 {
			h.SequenceNumber++
		}
		if err := out.WriteRTP(&h, payload, batch); err != nil {
			t.Fatal(err)
		}
		batch.Flush()
		if _, err := socket.Read(drain); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if allocs := testing.AllocsPerRun(1000, write); allocs != 0 {
		t.Errorf("%v allocations per packet, want none", allocs)
	}
}
