package rtpconn

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"galene/pionlog"
)

// boundSocket is a client's socket behind a NAT that can bind it anew: to another
// port, while nothing that is sent to the old one arrives any more.
type boundSocket struct {
	*net.UDPConn // the client's own, whose address it tells

	arrived chan datagramFrom
	closed  chan struct{}
	closing sync.Once
	running sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	outside *net.UDPConn
}

type datagramFrom struct {
	payload []byte
	from    net.Addr
}

func newBoundSocket(tb testing.TB) *boundSocket {
	tb.Helper()
	s := &boundSocket{
		UDPConn: listenLoopback(tb),
		arrived: make(chan datagramFrom, 1000),
		closed:  make(chan struct{}),
	}
	s.use(s.UDPConn)
	return s
}

func listenLoopback(tb testing.TB) *net.UDPConn {
	tb.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// rebind binds the socket anew, and returns its port.
func (s *boundSocket) rebind(tb testing.TB) (port int) {
	tb.Helper()
	c := listenLoopback(tb)
	old := s.outside
	s.use(c)
	_ = old.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

func (s *boundSocket) use(c *net.UDPConn) {
	s.mu.Lock()
	s.outside = c
	s.mu.Unlock()
	s.running.Go(func() {
		for {
			b := make([]byte, maxPacket)
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			select {
			case s.arrived <- datagramFrom{b[:n], from}:
			default:
			}
		}
	})
}

func (s *boundSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-s.arrived:
		return copy(b, d.payload), d.from, nil
	case <-s.closed:
		return 0, nil, net.ErrClosed
	}
}

func (s *boundSocket) WriteTo(b []byte, to net.Addr) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outside.WriteTo(b, to)
}

func (s *boundSocket) Close() error {
	s.closing.Do(func() {
		close(s.closed)
		_ = s.outside.Close()
		s.running.Wait()
	})
	return nil
}

// newBoundPC returns a client with that socket alone.
func newBoundPC(tb testing.TB) (*webrtc.PeerConnection, *boundSocket) {
	tb.Helper()
	socket := newBoundSocket(tb)
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: socket, Logger: pionlog.New(discardLog()).NewLogger("ice")})
	tb.Cleanup(func() {
		_ = mux.Close()
		_ = socket.Close()
	})
	return newRemotePCWith(tb, func(settings *webrtc.SettingEngine) { settings.SetICEUDPMux(mux) }), socket
}

// selectedPort is the port of the peer's that a connection sends to.
func selectedPort(pc *webrtc.PeerConnection) int {
	pair, err := pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return 0
	}
	return int(pair.Remote.Port)
}

// confirmed waits for a request on the selected pair.
func confirmed(tb testing.TB, r *rebinding) {
	tb.Helper()
	eventually(tb, "the client confirms the pair", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.candidate != nil
	})
}

func TestSubscriberIsFollowedWhenItsNATBindsItAnew(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 1000)
	pc, socket := newBoundPC(t)
	sub := newSubscriberOf(t, e, s.testPublisher.up, pc)
	sub.connect(s.testPublisher.up.Tracks()...)
	sub.attached()
	confirmed(t, &sub.down.rebinding)
	s.write(1, true)
	track := within(t, "track", sub.tracks)

	port := socket.rebind(t)
	begun := time.Now()
	within(t, "word that the subscriber has moved", sub.moved)
	sub.negotiate(true)
	eventually(t, "media goes to the new port", func() bool {
		s.write(1, true)
		time.Sleep(10 * time.Millisecond)
		return selectedPort(sub.down.pc) == port
	})
	for len(track.packets) > 0 {
		<-track.packets
	}
	s.write(20, true)
	within(t, "packet after that", track.packets)
	t.Logf("media is back after %v", time.Since(begun))
	if len(sub.failed) > 0 {
		t.Error("the connection has failed meanwhile")
	}
}

func TestPublisherIsFollowedWhenItsNATBindsItAnew(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	pc, socket := newBoundPC(t)
	p := newPublisherOf(t, e, UpConfig{ID: "a"}, pc)
	p.add(webrtc.MimeTypeVP8, "video", "stream")
	p.connect()
	confirmed(t, &p.up.rebinding)

	before := selectedPort(p.up.pc)
	port := socket.rebind(t)
	begun := time.Now()
	eventually(t, "feedback goes to the new port", func() bool { return selectedPort(p.up.pc) == port })
	t.Logf("from port %d to %d after %v", before, port, time.Since(begun))
	if got := p.up.pc.ConnectionState(); got == webrtc.PeerConnectionStateFailed {
		t.Errorf("the connection is %v", got)
	}
}
