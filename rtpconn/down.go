package rtpconn

import (
	"cmp"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pion/webrtc/v4"

	"galene/codecs"
	"galene/conn"
	"galene/rtptime"
)

// errUnanswered is why a connection is broken whose offers get no answer.
var errUnanswered = errors.New("rtpconn: the offer was not answered")

// DownConfig configures a [Down].
type DownConfig struct {
	Up conn.Up // nil if each selection says its own
	// ID is what statistics call the connection; like Up if empty.
	ID     string
	Owner  Owner
	Events Events
	// Log carries the group and the client; the engine's if nil.
	Log *slog.Logger
}

// Down is the connection on which one stream is sent to a subscriber. It makes
// offers and takes answers. Media flows once the connection stands. Its methods
// may be called from any goroutine.
type Down struct {
	peer

	// Immutable.
	up      conn.Up
	id      string // in statistics
	owner   Owner
	part    int             // of the interval, in which the ticker serves the connection
	created rtptime.Instant // when the subscriber began to wait

	hurried  rtptime.Instant              // when a report was last sent out of turn; the ticker's
	visits   int                          // of the ticker, at which reports could be due; the ticker's
	reported int                          // how many of them sent any; the ticker's
	reportIn atomic.Bool                  // sender reports are due at once
	joined   atomic.Bool                  // media has been sent
	active   atomic.Pointer[[]*downTrack] // what is being sent; replaced, never changed
	mixed    atomic.Bool                  // header extensions may be of both forms (RFC 8285 §6)

	mu          sync.Mutex // guards the fields below; held while calling Pion
	wanted      []conn.Selection
	slots       []*slot
	negotiation negotiation
}

// slot is one m-section. Its track comes and goes; the section stays, and is
// used again.
type slot struct {
	kind        codecs.Kind
	transceiver *webrtc.RTPTransceiver
	sender      *webrtc.RTPSender // nil while inactive
	track       *downTrack        // nil while inactive
}

// NewDown returns a connection for a stream. Nothing is selected.
func (e *Engine) NewDown(c DownConfig) (*Down, error) {
	d := &Down{up: c.Up, part: rand.IntN(tickerSlices)} //nolint:gosec // not a secret
	d.id, d.owner, d.created = c.ID, c.Owner, rtptime.Now()
	if d.id == "" && c.Up != nil {
		d.id = c.Up.ID()
	}
	d.active.Store(&[]*downTrack{})
	d.rebinding.moved = func() { d.start("moved", func() { d.notify(c.Events.Moved) }) }
	if err := d.open(e, downKey(), c.Events, cmp.Or(c.Log, e.options.Log), d.hear, nil); err != nil {
		return nil, err
	}
	d.pc.SCTP().Transport().ICETransport().OnSelectedCandidatePairChange(d.onPair)
	d.pc.OnConnectionStateChange(d.onState)
	if err := e.own(d); err != nil {
		d.shut()
		return nil, err
	}
	e.ticker.add(d)
	return d, nil
}

// Close ends the connection. When it returns, every goroutine of it has ended
// and no up track calls it any more. It must not be called from an event.
func (d *Down) Close() {
	d.refuse()
	d.mu.Lock()
	d.wanted = nil
	var gone []*feed
	for _, s := range d.slots {
		if s.track != nil {
			gone = append(gone, s.track.close()...)
		}
	}
	d.mu.Unlock()
	remove(gone)
	d.engine.ticker.remove(d)
	d.shut()
	d.engine.disown(d)
}

// remove takes feeds from their tracks. The caller holds no lock of a down
// track.
func remove(feeds []*feed) {
	for _, f := range feeds {
		f.track.RemoveSink(f)
	}
}

// Select says which tracks of the stream the subscriber gets, at most maxTracks
// of them. A track of the same kind and codec as one that is being sent takes
// its place, at its next keyframe, without negotiation. changed tells that the
// rest takes an offer: the caller calls Offer. [ErrCodecChanged] tells that it
// takes a new connection.
func (d *Down) Select(s []conn.Selection) (changed bool, err error) {
	if len(s) > maxTracks {
		s = s[:maxTracks]
	}
	d.mu.Lock()
	if d.isEnding() {
		d.mu.Unlock()
		return false, ErrClosed
	}
	gone, err := d.swapSources(s)
	if err == nil {
		d.wanted = slices.Clone(s)
		changed = d.selectionDiffers()
	}
	d.mu.Unlock()
	remove(gone)
	return changed, err
}

// swapSources gives active slots their new sources. Nothing is done if one of
// them cannot continue.
func (d *Down) swapSources(s []conn.Selection) (gone []*feed, err error) {
	targets := d.assign(s)
	for i, slot := range d.slots {
		if t := targets[i]; slot.track != nil && t != nil &&
			!sameCodec(slot.track.format, downFormat(t.Track)) {
			return nil, ErrCodecChanged
		}
	}
	for i, slot := range d.slots {
		if t := targets[i]; slot.track != nil && t != nil {
			gone = append(gone, slot.track.swap(*t)...)
		}
	}
	return gone, nil
}

// assign gives each selection a slot: the first of a kind gets the first slot
// of that kind, and so on. The result has one entry per slot, nil if the slot
// is not wanted, and then those for which there is no slot yet.
func (d *Down) assign(s []conn.Selection) []*conn.Selection {
	targets := make([]*conn.Selection, len(d.slots))
	var more []*conn.Selection
	for i := range s {
		kind := s[i].Track.Kind()
		free := slices.IndexFunc(d.slots, func(slot *slot) bool {
			return slot.kind == kind && targets[slices.Index(d.slots, slot)] == nil
		})
		if free < 0 {
			more = append(more, &s[i])
		} else {
			targets[free] = &s[i]
		}
	}
	return slices.Concat(targets, more)
}

// selectionDiffers tells whether the slots that are active are not those that
// are wanted.
func (d *Down) selectionDiffers() bool {
	targets := d.assign(d.wanted)
	if len(targets) > len(d.slots) {
		return true
	}
	for i, slot := range d.slots {
		if (slot.track != nil) != (targets[i] != nil) {
			return true
		}
	}
	return false
}

// onState is called by Pion, in a goroutine of its own each time, so the state
// it was called for may be a past one.
func (d *Down) onState(webrtc.PeerConnectionState) {
	defer d.recover("onState")
	switch d.pc.ConnectionState() {
	case webrtc.PeerConnectionStateConnected:
		if d.enter() {
			defer d.wg.Done()
			d.lane.follow(d.pc)
			d.attach()
		}
	case webrtc.PeerConnectionStateFailed:
		if d.events.Failed != nil {
			d.notify(d.events.Failed)
		}
	case webrtc.PeerConnectionStateClosed:
		d.fail(errPeerClosed)
	default:
	}
}

// attach lets media flow on what is negotiated.
func (d *Down) attach() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.isEnding() || d.pc.ConnectionState() != webrtc.PeerConnectionStateConnected {
		return
	}
	for _, s := range d.slots {
		if s.track != nil {
			s.track.attach()
		}
	}
}

// slotsChanged makes active agree with the slots. The caller holds the lock.
func (d *Down) slotsChanged() {
	var tracks []*downTrack
	for _, s := range d.slots {
		if s.track != nil {
			tracks = append(tracks, s.track)
		}
	}
	d.active.Store(&tracks)
}

// onPair is called when ICE has selected a pair.
func (d *Down) onPair(pair *webrtc.ICECandidatePair) {
	d.rebinding.selected(pair)
	d.start("onPair", func() { d.lane.follow(d.pc) })
}

// serve does what is due from time to time, if due, and what the connection has asked
// to be hurried. The engine's ticker calls it, in one goroutine.
func (d *Down) serve(due bool) {
	if !d.enter() {
		return
	}
	defer d.wg.Done()
	defer d.recover("ticker")
	now := rtptime.Now()
	if due {
		if d.lane.wanting(d.pc) {
			d.lane.follow(d.pc)
		}
		d.report()
		d.checkAnswer(now)
	} else if d.reportIn.Swap(false) && (d.hurried == 0 || now.Sub(d.hurried) >= serveInterval) {
		d.hurried = now
		d.sendReports()
	}
	for _, t := range *d.active.Load() {
		remove(t.adapt(now))
		t.requestOwed(now)
		if f := t.takeStale(); f != nil {
			f.track.RemoveSink(f)
		}
	}
}

// begun takes note that media is being sent.
func (d *Down) begun() {
	if !d.joined.Swap(true) {
		d.engine.joins.add(rtptime.Now().Sub(d.created))
	}
}

// poke has the ticker serve the connection at once.
func (d *Down) poke() {
	if d.engine != nil {
		d.engine.ticker.hurry(d)
	}
}

// clockChanged has sender reports sent at once, unless it has done so
// lately: a publisher may say that its clock has changed as often as it likes.
func (d *Down) clockChanged() {
	d.reportIn.Store(true)
	d.poke()
}

// checkAnswer looks whether an answer is overdue.
func (d *Down) checkAnswer(now rtptime.Instant) {
	d.mu.Lock()
	verdict := d.negotiation.check(now)
	d.mu.Unlock()
	switch verdict {
	case repeat:
		if d.events.Renegotiate != nil {
			d.notify(d.events.Renegotiate)
		}
	case giveUp:
		d.fail(refused("Your client has not answered the offer of a stream.", errUnanswered))
	case patience:
	}
}
