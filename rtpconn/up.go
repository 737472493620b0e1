package rtpconn

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pion/webrtc/v4"

	"galene/conn"
	"galene/jitter"
)

// UpConfig configures an [Up].
type UpConfig struct {
	// ID and Label are the stream's, as conn.Up has them.
	ID, Label string
	// Codecs names what the publisher may send, in the order of preference;
	// the default of package codecs if empty.
	Codecs []string
	Owner  Owner
	Events Events
	// Log carries the group and the client; the engine's if nil.
	Log *slog.Logger
}

// Up is the connection on which a publisher sends one stream. It answers the
// publisher's offers. Its methods may be called from any goroutine.
type Up struct {
	peer

	// Immutable.
	id, label string
	owner     Owner
	codecs    []string
	ssrc      uint32 // ours, in reports and feedback
	clock     *jitter.StreamClock

	ingress   ingress
	transport transportFeedback

	wake   chan struct{} // makes the feedback goroutine look for work
	change atomic.Bool   // Events.Changed is due
	taken  atomic.Bool   // a track has its first sink: the publisher may send more
	awake  atomic.Int64  // when the feedback goroutine looks for work by itself

	negotiating sync.Mutex // held during Offer; guards the fields below
	answered    bool       // the first offer was answered
	failed      bool       // an offer failed half-way: no other can follow

	mu     sync.Mutex // guards changes of tracks
	tracks atomic.Pointer[trackList]
}

var _ conn.Up = (*Up)(nil)

// trackList is the tracks of an up connection, in order. It is immutable.
type trackList struct {
	own  []*upTrack
	view []conn.UpTrack // the same, for others
}

// NewUp returns a connection that waits for its first offer.
func (e *Engine) NewUp(c UpConfig) (*Up, error) {
	u := &Up{
		id:     c.ID,
		label:  c.Label,
		owner:  c.Owner,
		codecs: slices.Clone(c.Codecs),
		ssrc:   randomSSRC(),
		clock:  jitter.NewStreamClock(),
		wake:   make(chan struct{}, 1),
	}
	u.tracks.Store(&trackList{})
	u.ingress.up = u
	if err := u.open(e, upKey(u.codecs), c.Events, cmp.Or(c.Log, e.options.Log), u.hear, u.ingress.overhear); err != nil {
		return nil, err
	}
	u.pc.SCTP().Transport().ICETransport().OnSelectedCandidatePairChange(u.onPair)
	u.pc.OnTrack(u.onTrack)
	u.pc.OnConnectionStateChange(u.onState)
	if err := e.own(u); err != nil {
		u.shut()
		return nil, err
	}
	u.start("feedback", u.feedbackLoop)
	return u, nil
}

// ID implements conn.Up.
func (u *Up) ID() string { return u.id }

// Label implements conn.Up.
func (u *Up) Label() string { return u.label }

// Tracks implements conn.Up: the accepted tracks of the last offer.
func (u *Up) Tracks() []conn.UpTrack { return u.tracks.Load().view }

// Close ends the connection and all its tracks. When it returns, every
// goroutine of the connection has ended. It must not be called from an event.
func (u *Up) Close() {
	u.refuse()
	u.endTracks()
	u.ingress.open(nil)
	if mux := u.lane.mux; mux != nil {
		mux.RemoveReceiver(&u.ingress)
	}
	u.shut()
	if mux := u.lane.mux; mux != nil {
		mux.RemoveReceiver(&u.ingress) // a pair may have been selected meanwhile
	}
	u.engine.disown(u)
}

// endTracks ends all tracks. No more come once the connection is ending.
func (u *Up) endTracks() {
	u.mu.Lock()
	list := u.tracks.Swap(&trackList{})
	u.mu.Unlock()
	for _, t := range list.own {
		t.end()
	}
}

// Gathered waits until our candidates for the last offer are complete, and
// returns the answer with all of them, for peers that take no candidates later.
func (u *Up) Gathered(ctx context.Context) (answer string, err error) {
	return u.gathered(ctx)
}

// RemoteDescription returns the last offer that was taken, for applying
// fragments to it (RFC 8840 §9); empty before the first.
func (u *Up) RemoteDescription() string { return u.offered() }

// onState is called by Pion, in a goroutine of its own each time, so the state
// it was called for may be a past one.
func (u *Up) onState(webrtc.PeerConnectionState) {
	defer u.recover("onState")
	switch u.pc.ConnectionState() {
	case webrtc.PeerConnectionStateConnected:
		if u.enter() {
			defer u.wg.Done()
			u.openLane()
		}
		u.poke()
	case webrtc.PeerConnectionStateFailed:
		if u.events.Failed != nil {
			u.notify(u.events.Failed)
		}
	case webrtc.PeerConnectionStateClosed:
		u.fail(errPeerClosed)
	default:
	}
}

// onPair is called when ICE has selected a pair.
func (u *Up) onPair(pair *webrtc.ICECandidatePair) {
	u.rebinding.selected(pair)
	u.start("onPair", u.openLane)
}

// openLane takes packets from the mux if the connection leads through it.
func (u *Up) openLane() {
	ufrag, keyed := u.lane.follow(u.pc)
	if !keyed {
		return
	}
	u.ingress.open(u.lane.theOpener())
	u.lane.mux.SetReceiver(ufrag, &u.ingress)
}

// poke wakes the feedback goroutine.
func (u *Up) poke() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// changed has the feedback goroutine tell the owner that the tracks or a format
// changed: at once, unless that has just happened. What a publisher does to each
// packet must not become work for each subscriber.
func (u *Up) changed() {
	u.change.Store(true)
	u.poke()
}

// randomSSRC returns an SSRC (RFC 3550 §8). Zero is left out, as some take it
// for none.
func randomSSRC() uint32 {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return max(1, binary.BigEndian.Uint32(b[:]))
}
