package rtpconn

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"

	"github.com/pion/webrtc/v4"
)

// ViewConfig configures a [View].
type ViewConfig struct {
	// ID is what statistics call the connection.
	ID string
	// Codecs names what may be sent, in the order of preference; names that are not
	// known are ignored.
	Codecs []string
	Owner  Owner
	Events Events
	// Log carries the group and the client; the engine's if nil.
	Log *slog.Logger
}

// View is the connection on which streams are sent to a subscriber who makes the
// offers, as those do that have no signalling channel. Its first offer has all the
// sections that there will ever be; what is sent in them may change at any time,
// without negotiation. Its methods may be called from any goroutine.
type View struct {
	down   *Down // makes no offers; its lock guards places
	codecs []string
	places []*place // set by the first offer

	negotiating sync.Mutex // held during Offer; guards the fields below
	answered    bool       // the first offer was answered
	failed      bool       // an offer failed half-way: no other can follow
}

// NewView returns a connection that waits for its first offer. Of the events,
// Changed and Renegotiate do not happen.
func (e *Engine) NewView(c ViewConfig) (*View, error) {
	d, err := e.NewDown(DownConfig{ID: c.ID, Owner: c.Owner, Events: c.Events, Log: c.Log})
	if err != nil {
		return nil, err
	}
	return &View{down: d, codecs: slices.Clone(c.Codecs)}, nil
}

// Offer takes the subscriber's session description, its first or a later one, and
// returns the answer. Each section of the first one that can receive any of the
// codecs is a place for a track; see Places.
//
// An error is a [NegotiationError] if the description is at fault; its cause is an
// [UnsupportedError] if none of the codecs is in it. After any error the caller
// closes the connection.
func (v *View) Offer(offer string) (answer string, err error) {
	v.negotiating.Lock()
	defer v.negotiating.Unlock()
	if v.failed || v.down.isEnding() {
		return "", ErrClosed
	}
	answer, err = v.negotiate(offer)
	if err != nil {
		v.failed = true
		if _, ok := errors.AsType[*NegotiationError](err); ok || errors.Is(err, ErrClosed) {
			return "", err
		}
		return "", refused("The session description cannot be used.", err)
	}
	v.answered = true
	v.down.flushCandidates()
	return answer, nil
}

// negotiate applies an offer and makes the answer.
func (v *View) negotiate(offer string) (answer string, err error) {
	d := v.down
	description, sections, err := parseDescription(offer)
	if err != nil {
		return "", err
	}
	if offer, err = forPion(offer, description, sections, d.candidates.admit); err != nil {
		return "", err
	}
	if v.answered {
		if err := d.awaitGathering(); err != nil {
			return "", err
		}
	}

	d.mu.Lock()
	defer d.mu.Unlock()
	d.mixed.Store(allowsMixed(description))
	remote := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}
	if err := d.pc.SetRemoteDescription(remote); err != nil {
		return "", err
	}
	if !v.answered {
		if err := v.makePlaces(sections); err != nil {
			return "", err
		}
	}
	local, err := d.pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	d.gather()
	if err := d.pc.SetLocalDescription(local); err != nil {
		return "", err
	}
	return local.SDP, nil
}

// Gathered waits until our candidates for the last offer are complete, and
// returns the answer with all of them.
func (v *View) Gathered(ctx context.Context) (answer string, err error) {
	return v.down.gathered(ctx)
}

// RemoteDescription returns the last offer that was taken; empty before the first.
func (v *View) RemoteDescription() string { return v.down.offered() }

// AddCandidate takes one of the subscriber's ICE candidates. An error means that
// this candidate is of no use, which does no harm to the connection.
func (v *View) AddCandidate(c Candidate) error { return v.down.AddCandidate(c) }

// Established tells whether the connection stands, or has stood and may come
// back by itself.
func (v *View) Established() bool { return v.down.Established() }

// Close ends the connection. When it returns, every goroutine of it has ended
// and no up track calls it any more. It must not be called from an event.
func (v *View) Close() { v.down.Close() }
