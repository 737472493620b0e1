package rtpconn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// errPeerClosed is why a connection is broken that the other side has closed.
var errPeerClosed = errors.New("rtpconn: closed by the peer")

// peer is what up and down connections have in common: the peer connection,
// its candidates, and the goroutines that serve it.
type peer struct {
	// Immutable.
	engine *Engine
	pc     *webrtc.PeerConnection
	events Events
	log    *slog.Logger
	ctx    context.Context // ends when the connection is closed
	cancel context.CancelFunc

	candidates candidateBuffer
	gathering  atomic.Pointer[gathering] // of the last answer of ours; nil before the first
	lane       lane
	rebinding  rebinding
	bound      *sources
	measured   atomic.Int64 // round trip that ICE measured last, in nanoseconds; 0 if none

	wg       sync.WaitGroup // counts goroutines and event calls
	closed   sync.Once
	reported sync.Once // guards Events.Broken

	mu     sync.Mutex // guards ending
	ending bool       // no goroutine may start any more
}

// open sets p up. The connection is not registered with the engine yet. hear takes
// what the peer's RTCP says of a source; it reports whether the source is known.
//
// overhear, which may be nil, takes the RTP packets that Pion has decrypted.
func (p *peer) open(e *Engine, key apiKey, events Events, log *slog.Logger, hear func(ssrc uint32, packets []rtcp.Packet) bool, overhear func(packet []byte, heard *bool) bool) error {
	p.bound = &sources{
		maxRTP:  maxDownSources,
		tooMany: func() { p.fail(errTooManySources) },
		hear: func(ssrc uint32, packets []rtcp.Packet) bool {
			defer p.recover("RTCP")
			return hear(ssrc, packets)
		},
		overhear: overhear,
	}
	if key.direction == upward {
		p.bound.maxRTP = maxUpSources
	}
	p.lane.mux, p.lane.direction = e.options.Mux, key.direction
	p.log = log
	pc, err := e.newPeerConnection(key, p.bound, &p.lane.handshake, &p.rebinding)
	if err != nil {
		return err
	}
	p.engine, p.pc, p.events = e, pc, events
	p.ctx, p.cancel = context.WithCancel(context.Background())
	pc.OnICECandidate(p.foundCandidate)
	return nil
}

// refuse lets nothing start any more.
func (p *peer) refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ending = true
}

// shut ends p and everything it started, and waits for it. It may be called
// repeatedly; each call waits.
func (p *peer) shut() {
	p.closed.Do(func() {
		p.refuse()
		p.cancel()
		if err := p.pc.GracefulClose(); err != nil {
			p.log.Debug("closing a peer connection", "error", err)
		}
		p.wg.Wait()
		p.lane.close()
	})
}

// isEnding tells whether the connection is being closed.
func (p *peer) isEnding() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ending
}

// enter counts the caller among what shut waits for; it must then call
// p.wg.Done. It fails when the connection is being closed.
func (p *peer) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ending {
		return false
	}
	p.wg.Add(1)
	return true
}

// start runs f in a goroutine that ends with the connection, unless that is being
// closed. f must return soon once p.ctx ends.
func (p *peer) start(name string, f func()) {
	if !p.enter() {
		return
	}
	go func() {
		defer p.wg.Done()
		defer p.recover(name)
		f()
	}()
}

// notify calls an event function unless the connection is being closed.
func (p *peer) notify(f func()) {
	if f == nil || !p.enter() {
		return
	}
	defer p.wg.Done()
	f()
}

// recover ends this connection instead of the process if the goroutine named
// name has panicked. It is to be deferred.
func (p *peer) recover(name string) {
	r := recover()
	if r == nil {
		return
	}
	p.log.Error("panic", "goroutine", name, "value", r, "stack", string(debug.Stack()))
	p.fail(fmt.Errorf("rtpconn: panic in %s: %v", name, r))
}

// fail reports that the connection cannot go on.
func (p *peer) fail(err error) {
	p.reported.Do(func() {
		if p.events.Broken != nil {
			p.notify(func() { p.events.Broken(err) })
		}
	})
}

// foundCandidate is called by Pion with each of our candidates, and with nil
// after the last.
func (p *peer) foundCandidate(c *webrtc.ICECandidate) {
	defer p.recover("foundCandidate")
	if c == nil || p.events.Candidate == nil {
		return
	}
	candidate := candidateFromPion(c)
	p.notify(func() { p.events.Candidate(candidate) })
}

// AddCandidate takes one of the peer's ICE candidates, in any order with
// session descriptions: those that come early wait for the first one. An empty
// candidate is the end of candidates. An error means that this candidate is of
// no use, which does no harm to the connection.
func (p *peer) AddCandidate(c Candidate) error {
	if p.isEnding() {
		return ErrClosed
	}
	return p.candidates.add(c, p.applyCandidate)
}

// flushCandidates is to be called when a remote description was applied.
func (p *peer) flushCandidates() { p.candidates.flush(p.applyCandidate) }

func (p *peer) applyCandidate(c Candidate) error {
	if err := p.pc.AddICECandidate(webrtc.ICECandidateInit(c)); err != nil {
		return fmt.Errorf("rtpconn: candidate: %w", err)
	}
	return nil
}

// roundTrip returns what ICE last measured to the peer, or defaultRoundTrip.
func (p *peer) roundTrip() time.Duration {
	if p.pc.ConnectionState() != webrtc.PeerConnectionStateConnected {
		return defaultRoundTrip // and Pion's transport may be just starting
	}
	stats, ok := p.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePairStats()
	if !ok || stats.CurrentRoundTripTime <= 0 {
		return defaultRoundTrip
	}
	p.measured.Store(int64(stats.CurrentRoundTripTime * float64(time.Second)))
	return time.Duration(p.measured.Load())
}
