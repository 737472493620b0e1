package rtpconn

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"galene/udpmux"
	"galene/udpsocket"
)

// Options configure an [Engine]. The zero value is valid.
type Options struct {
	// Mux carries all connections over shared sockets. If it is nil each
	// connection has sockets of its own.
	Mux *udpmux.Mux
	// PortMin and PortMax bound the ports of the connections' own sockets;
	// 0 leaves the choice to the system.
	PortMin, PortMax uint16
	// TCPMux accepts connections over TCP, for peers that cannot use UDP; nil for
	// none.
	TCPMux ice.TCPMux
	// PublicAddresses are offered in addition to this machine's own, because a
	// NAT maps them to it; at most one of each family. Not with MDNS.
	PublicAddresses []netip.Addr
	// Loopback adds candidates on the loopback interface.
	Loopback bool
	// MDNS resolves the peers' multicast DNS candidates and offers our own.
	MDNS bool
	// Configuration returns the ICE servers and policy of the server's own
	// connections; nil means none. Its certificates are not used.
	Configuration func() webrtc.Configuration
	// Log is where the engine logs; slog.Default() if nil.
	Log *slog.Logger
}

// Engine makes connections and owns them. Its methods may be called from any
// goroutine.
type Engine struct {
	options   Options
	settings  atomic.Pointer[webrtc.SettingEngine] // immutable; each connection gets a copy
	batches   sync.Pool                            // of *udpsocket.Batch, for who is not a reader of the mux
	ticker    *ticker
	done      chan struct{}  // closed to end the ticker
	stop      sync.Once      // closes done
	wg        sync.WaitGroup // awaits it
	ledger    ledger
	joins     joins
	keyframes keyframeBudgets

	mu          sync.Mutex // guards the fields below
	engines     map[apiKey]*webrtc.MediaEngine
	certificate *webrtc.Certificate
	connections map[interface{ Close() }]struct{}
	closed      bool
}

// NewEngine returns an engine, which the caller closes. It opens no socket before a
// connection needs one.
func NewEngine(o Options) (*Engine, error) {
	o.Log = cmp.Or(o.Log, slog.Default())
	settings, err := newSettings(o)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		options:     o,
		engines:     make(map[apiKey]*webrtc.MediaEngine),
		connections: make(map[interface{ Close() }]struct{}),
		ticker:      newTicker(),
		done:        make(chan struct{}),
	}
	e.settings.Store(&settings)
	if _, err := e.freshCertificate(time.Now()); err != nil {
		return nil, err
	}
	e.wg.Go(func() { e.ticker.run(e.done) })
	return e, nil
}

// SetPublicAddresses changes the option of that name, for connections that are made
// from now on.
func (e *Engine) SetPublicAddresses(addresses []netip.Addr) error {
	o := e.options
	o.PublicAddresses = addresses
	settings, err := newSettings(o)
	if err != nil {
		return err
	}
	e.settings.Store(&settings)
	return nil
}

// Close closes every connection and waits until all their goroutines have
// ended. The engine makes no more connections. Closing it again does nothing.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	open := e.list()

	var wg sync.WaitGroup
	for _, c := range open {
		wg.Go(c.Close)
	}
	wg.Wait()
	e.stop.Do(func() { close(e.done) })
	e.wg.Wait()
	return nil
}

// list returns the connections, in no order.
func (e *Engine) list() []interface{ Close() } {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Keys(e.connections))
}

// own records a connection that is to be closed with the engine.
func (e *Engine) own(c interface{ Close() }) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrClosed
	}
	e.connections[c] = struct{}{}
	return nil
}

// disown forgets a connection that has closed.
func (e *Engine) disown(c interface{ Close() }) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.connections, c)
}

// batch returns a batch to gather what is to be sent, for the caller to flush and
// to release; nil if there is no mux to send through.
func (e *Engine) batch() *udpsocket.Batch {
	if e == nil || e.options.Mux == nil {
		return nil
	}
	if b, ok := e.batches.Get().(*udpsocket.Batch); ok {
		return b
	}
	return udpsocket.NewBatch()
}

// release flushes a batch, which may be nil, and takes it back.
func (e *Engine) release(b *udpsocket.Batch) {
	if b != nil {
		b.Flush()
		e.batches.Put(b)
	}
}

// newPeerConnection returns a peer connection for the codecs and direction,
// whose sources are bounded, whose handshake h observes, and whose peer r follows.
func (e *Engine) newPeerConnection(key apiKey, bound *sources, h *handshake, r *rebinding) (*webrtc.PeerConnection, error) {
	var configuration webrtc.Configuration
	if e.options.Configuration != nil {
		configuration = e.options.Configuration()
	}
	certificate, err := e.freshCertificate(time.Now())
	if err != nil {
		return nil, err
	}
	configuration.Certificates = []webrtc.Certificate{*certificate}

	api, err := e.newAPI(key, bound, h, r)
	if err != nil {
		return nil, err
	}
	pc, err := api.NewPeerConnection(configuration)
	if err != nil {
		return nil, fmt.Errorf("rtpconn: peer connection: %w", err)
	}
	return pc, nil
}

// certificateMargin is how long before its expiry a certificate is replaced.
// Pion's are valid for a month; a connection checks its own only when it starts.
const certificateMargin = 7 * 24 * time.Hour

// freshCertificate returns the certificate that all new connections share,
// making it if there is none or it is about to expire.
func (e *Engine) freshCertificate(now time.Time) (*webrtc.Certificate, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.certificate != nil && now.Add(certificateMargin).Before(e.certificate.Expires()) {
		return e.certificate, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("rtpconn: certificate key: %w", err)
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("rtpconn: certificate: %w", err)
	}
	e.certificate = certificate
	return certificate, nil
}
