package tcpmux

import (
	"log/slog"
	"net"
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
}

// New returns a mux that accepts connections from l.
func New(l net.Listener, log *slog.Logger) *Mux {
	limited := netlimit.New(l, limits)
	return &Mux{
		TCPMuxDefault: ice.NewTCPMuxDefault(ice.TCPMuxParams{
			Listener:                     limited,
			Logger:                       pionlog.New(log).NewLogger("tcpmux"),
			ReadBufferSize:               readPackets,
			WriteBufferSize:              writeBytes,
			FirstStunBindTimeout:         helloTimeout,
			AliveDurationForConnFromStun: strangerTimeout,
		}),
		listener: limited,
	}
}

// Close closes all connections and waits until everything has ended.
func (m *Mux) Close() error {
	err := m.listener.Close() // first, or its users would wait for their peers
	_ = m.TCPMuxDefault.Close()
	m.listener.Wait()
	return err
}
