package rtpconn

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"galene/conn"
)

// View is the connection on which one stream is sent to a subscriber who makes
// the offers, as those do that have no signalling channel. What is sent may
// change, within the kinds and codecs that the first offer has settled. Its
// methods may be called from any goroutine.
type View struct {
	down *Down // makes no offers

	negotiating sync.Mutex // held during Offer; guards the fields below
	answered    bool       // the first offer was answered
	failed      bool       // an offer failed half-way: no other can follow
	gathered    atomic.Pointer[gathering]
}

// NewView returns a connection for a stream. It waits for Select, and then for
// its first offer. Of the events, Changed and Renegotiate do not happen.
func (e *Engine) NewView(c DownConfig) (*View, error) {
	d, err := e.NewDown(c)
	if err != nil {
		return nil, err
	}
	return &View{down: d}, nil
}

// Select says which tracks are sent, of any stream. After the first offer, tracks
// take the place of those of the same kind, at their next keyframe; the others go
// on as they are. [ErrCodecChanged] tells that the connection cannot carry them.
func (v *View) Select(s []conn.Selection) error {
	_, err := v.down.Select(s)
	return err
}

// Offer takes the subscriber's session description, its first or a later one, and
// returns the answer. The first one settles what is sent: of what is selected, the
// tracks for which there is a section that receives their kind and codec.
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
	d := v.down
	d.flushCandidates()
	d.prime()
	d.attach()
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
		if err := v.awaitGathering(); err != nil {
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
		if err := d.fill(sections); err != nil {
			return "", err
		}
	}
	local, err := d.pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	v.gathered.Store(&gathering{webrtc.GatheringCompletePromise(d.pc)})
	if err := d.pc.SetLocalDescription(local); err != nil {
		return "", err
	}
	return local.SDP, nil
}

// fill gives each selected track the first section that can take it, and lets
// nothing be sent on the others. The caller holds the lock.
func (d *Down) fill(sections []section) error {
	if !slices.ContainsFunc(sections, func(s section) bool { return s.receives }) {
		return refused("The offer has nothing to receive.", nil)
	}
	byMID := make(map[string]*webrtc.RTPTransceiver)
	for _, t := range d.pc.GetTransceivers() {
		byMID[t.Mid()] = t
	}
	var lack error
	for _, s := range d.wanted {
		track := newDownTrack(d, s, downFormat(s.Track))
		if err := d.place(track, s, sections, byMID); err != nil {
			if _, ok := errors.AsType[*UnsupportedError](err); !ok {
				return err
			}
			lack = err
		}
	}
	if len(d.slots) == 0 {
		if lack == nil {
			lack = refused("There is nothing to send.", nil)
		}
		return lack
	}
	d.slotsChanged()
	for _, t := range byMID {
		if t.Sender() == nil {
			if err := t.Stop(); err != nil {
				return err
			}
		}
	}
	return nil
}

// place has a track sent on a section that takes it, which is then taken out of
// free.
func (d *Down) place(track *downTrack, source conn.Selection, sections []section, free map[string]*webrtc.RTPTransceiver) error {
	for _, s := range sections {
		t := free[s.mid]
		if t == nil || !s.receives || s.kind != source.Track.Kind() {
			continue
		}
		accepted, err := common(t, s, track)
		if err != nil {
			return err
		}
		if len(accepted) == 0 {
			continue
		}
		sender, err := d.pc.AddTrack(newTrackLocal(track, source.Track, d.up.Label()))
		if err != nil {
			return err
		}
		if t.Sender() != sender {
			return errors.New("rtpconn: a track is sent in another section than was chosen")
		}
		if err := t.SetCodecPreferences(accepted); err != nil {
			return err
		}
		track.offered = uint8(accepted[0].PayloadType)
		d.slots = append(d.slots, &slot{kind: s.kind, transceiver: t, sender: sender, track: track})
		delete(free, s.mid)
		return nil
	}
	return track.refused()
}

// common finds the codec of a track among those that a section offers, and behind it
// what that offers for its retransmissions and redundancy. It returns none if
// the codec is not offered.
func common(t *webrtc.RTPTransceiver, s section, track *downTrack) (accepted []webrtc.RTPCodecParameters, err error) {
	if err := t.SetCodecPreferences(nil); err != nil {
		return nil, err
	}
	offered := slices.DeleteFunc(t.Receiver().GetParameters().Codecs, func(c webrtc.RTPCodecParameters) bool {
		return !slices.Contains(s.payloadTypes, uint8(c.PayloadType))
	})
	for _, c := range offered {
		if isCompanion(c) || !track.carries(c) {
			continue
		}
		with := []webrtc.RTPCodecParameters{c}
		redundancy := redundancyType(offered, c.PayloadType)
		for _, r := range offered {
			if redundancy != 0 && uint8(r.PayloadType) == redundancy {
				with = append(with, r)
			}
		}
		return withRetransmissions(with, offered), nil
	}
	return nil, nil
}

// awaitGathering waits until the candidates of the last answer are complete; see
// the same of [Up].
func (v *View) awaitGathering() error {
	ctx, cancel := context.WithTimeout(v.down.ctx, gatheringTimeout)
	defer cancel()
	if _, err := v.Gathered(ctx); errors.Is(err, context.DeadlineExceeded) {
		return refused("The connection is still being prepared.", err)
	} else if err != nil {
		return ErrClosed
	}
	return nil
}

// Gathered waits until our candidates for the last offer are complete, and
// returns the answer with all of them.
func (v *View) Gathered(ctx context.Context) (answer string, err error) {
	g, d := v.gathered.Load(), v.down
	if g == nil {
		return "", ErrClosed
	}
	look := time.NewTicker(gatheringLook) // see Up.Gathered
	defer look.Stop()
	for complete := false; !complete; {
		select {
		case <-g.done:
			complete = true
		case <-look.C:
			complete = d.pc.ICEGatheringState() == webrtc.ICEGatheringStateComplete
		case <-ctx.Done():
			return "", ctx.Err()
		case <-d.ctx.Done():
			return "", ErrClosed
		}
	}
	description := d.pc.LocalDescription()
	if description == nil {
		return "", ErrClosed
	}
	return description.SDP, nil
}

// RemoteDescription returns the last offer that was taken; empty before the first.
func (v *View) RemoteDescription() string {
	if d := v.down.pc.RemoteDescription(); d != nil {
		return d.SDP
	}
	return ""
}

// AddCandidate takes one of the subscriber's ICE candidates. An error means that
// this candidate is of no use, which does no harm to the connection.
func (v *View) AddCandidate(c Candidate) error { return v.down.AddCandidate(c) }

// Established tells whether the connection stands, or has stood and may come
// back by itself.
func (v *View) Established() bool { return v.down.Established() }

// Close ends the connection. When it returns, every goroutine of it has ended
// and no up track calls it any more. It must not be called from an event.
func (v *View) Close() { v.down.Close() }
