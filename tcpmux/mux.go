package tcpmux

import (
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/pion/ice/v4"

	"galene/netlimit"
	"galene/pionlog"
)

// limits bounds the connections. A browser opens one for each stream and each
// of our addresses, and closes it when UDP works.
var limits = netlimit.Limits{Total: 8192, Source: 2048}

const (
	// helloTimeout bounds the time to a connection's first message.
	helloTimeout = 10 * time.Second
	// strangerTimeout bounds how long a connection is kept for an agent that
	// does not exist.
	strangerTimeout = 3 * time.Second
	// readPackets is how many packets wait for an agent that does not read.
	readPackets = 64
	// writeBytes is how much waits for a peer that does not read; beyond that
	// packets are lost, as in a network. Waiting for it would hold up others.
	writeBytes = 256 << 10
)

var _ ice.TCPMux = (*Mux)(nil)

// Mux implements ice.TCPMux.
type Mux struct {
	*ice.TCPMuxDefault
	listener *netlimit.Listener
	agents   idleAgents
	stop     chan struct{}
	expiry   sync.WaitGroup
	closing  sync.Once
}

// New returns a mux that accepts connections from l.
func New(l net.Listener, log *slog.Logger) *Mux {
	limited := netlimit.New(l, limits)
	m := &Mux{
		TCPMuxDefault: ice.NewTCPMuxDefault(ice.TCPMuxParams{
			Listener:                     limited,
			Logger:                       pionlog.New(log).NewLogger("tcpmux"),
			ReadBufferSize:               readPackets,
			WriteBufferSize:              writeBytes,
			FirstStunBindTimeout:         helloTimeout,
			AliveDurationForConnFromStun: strangerTimeout,
		}),
		listener: limited,
		agents:   idleAgents{agents: make(map[string]*agent)},
		stop:     make(chan struct{}),
	}
	m.expiry.Go(m.expire)
	return m
}

// GetConnByUfrag returns what the ICE agent with a user name fragment reads from
// and writes to on one of our addresses. It ends after a while if no peer
// connects to the agent at all: most use UDP, and what waits in vain for each of
// them adds up.
func (m *Mux) GetConnByUfrag(ufrag string, isIPv6 bool, local net.IP) (net.PacketConn, error) {
	inner, err := m.TCPMuxDefault.GetConnByUfrag(ufrag, isIPv6, local)
	if err != nil {
		return nil, err
	}
	return &packetConn{inner, m.agents.add(ufrag, time.Now())}, nil
}

// RemoveConnByUfrag ends what an agent reads from.
func (m *Mux) RemoveConnByUfrag(ufrag string) {
	m.agents.remove(ufrag)
	m.TCPMuxDefault.RemoveConnByUfrag(ufrag)
}

// expire ends what waits in vain, until the mux is closed.
func (m *Mux) expire() {
	ticker := time.NewTicker(agentTimeout / 4)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			for _, ufrag := range m.agents.idle(now) {
				m.TCPMuxDefault.RemoveConnByUfrag(ufrag)
			}
		case <-m.stop:
			return
		}
	}
}

// Close closes all connections and waits until everything has ended.
func (m *Mux) Close() error {
	m.closing.Do(func() { close(m.stop) })
	m.expiry.Wait()
	err := m.listener.Close() // first, or its users would wait for their peers
	_ = m.TCPMuxDefault.Close()
	m.listener.Wait()
	return err
}
