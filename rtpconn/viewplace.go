package rtpconn

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pion/webrtc/v4"

	"galene/codecs"
	"galene/conn"
)

// place is a section in which a viewer receives. It is answered with every codec
// that may come, under one SSRC. The first source settles which one it is; those
// after it continue the numbering, as a change of layers does.
//
//	Free ──── source ────▶ Settled ──── source of that codec ──┐
//	                          ▲                                │
//	                          └────────────────────────────────┘
type place struct {
	slot         *slot // its track is nil while nothing has been sent
	codecs       []webrtc.RTPCodecParameters
	payloadTypes []uint8
	context      *placeContext // set while the answer is applied, under the connection's lock
	id, streamID string
}

var _ webrtc.TrackLocal = (*place)(nil)

// placeContext is how Pion binds a track; it has only one codec left afterwards.
type placeContext struct {
	webrtc.TrackLocalContext
	codecs []webrtc.RTPCodecParameters
}

// CodecParameters implements webrtc.TrackLocalContext.
func (c *placeContext) CodecParameters() []webrtc.RTPCodecParameters { return c.codecs }

// Bind implements webrtc.TrackLocal.
func (p *place) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	ours := slices.DeleteFunc(slices.Clone(c.CodecParameters()), func(c webrtc.RTPCodecParameters) bool {
		return !slices.Contains(p.payloadTypes, uint8(c.PayloadType))
	})
	p.context = &placeContext{c, ours}
	return p.codecs[0], nil
}

// Unbind implements webrtc.TrackLocal.
func (p *place) Unbind(webrtc.TrackLocalContext) error { return nil }

// ID implements webrtc.TrackLocal.
func (p *place) ID() string { return p.id }

// RID implements webrtc.TrackLocal. Subscribers get one encoding.
func (p *place) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (p *place) StreamID() string { return p.streamID }

// Kind implements webrtc.TrackLocal.
func (p *place) Kind() webrtc.RTPCodecType { return kindToPion(p.slot.kind) }

// codecOf returns the negotiated codec in which the place can carry a format.
func (p *place) codecOf(f codecs.Format) (webrtc.RTPCodecParameters, bool) {
	i := slices.IndexFunc(p.codecs, func(c webrtc.RTPCodecParameters) bool { return describes(c, f) })
	if i < 0 || p.slot.track != nil && !sameCodec(p.slot.track.format, f) {
		return webrtc.RTPCodecParameters{}, false
	}
	return p.codecs[i], true
}

// makePlaces makes a place of each section that can take any of the codecs, and
// lets nothing be sent on the others. The caller holds the connection's lock.
func (v *View) makePlaces(sections []section) error {
	transceivers := make(map[string]*webrtc.RTPTransceiver)
	for _, t := range v.down.pc.GetTransceivers() {
		transceivers[t.Mid()] = t
	}
	var useless []*webrtc.RTPTransceiver
	var deaf *section // a section that receives, but none of the codecs
	for i, s := range sections {
		t := transceivers[s.mid]
		if t == nil {
			continue
		}
		made, err := v.makePlace(s, t)
		if err != nil {
			return err
		}
		if !made {
			useless = append(useless, t)
		}
		if !made && s.receives && deaf == nil {
			deaf = &sections[i]
		}
	}
	switch {
	case len(v.places) > 0:
		return v.silence(useless)
	case deaf != nil:
		return refused(fmt.Sprintf("Your browser cannot receive the %s of this group.", deaf.kind),
			&UnsupportedError{Kind: deaf.kind})
	default:
		return refused("The offer has nothing to receive.", nil)
	}
}

// silence lets nothing be sent in sections. It comes last: Pion would take them
// again.
func (v *View) silence(useless []*webrtc.RTPTransceiver) error {
	for _, t := range useless {
		if sender := t.Sender(); sender != nil {
			if err := v.down.pc.RemoveTrack(sender); err != nil {
				return err
			}
		}
		if err := t.Stop(); err != nil {
			return err
		}
	}
	return nil
}

// makePlace makes a place of a section, if that is possible. If it receives at all it
// has a sender then.
func (v *View) makePlace(s section, t *webrtc.RTPTransceiver) (made bool, err error) {
	if !s.receives {
		return false, nil
	}
	p := &place{slot: &slot{kind: s.kind, transceiver: t}, payloadTypes: s.payloadTypes}
	// The first sections of each kind belong together, and so on.
	n := v.count(s.kind)
	p.id, p.streamID = fmt.Sprintf("%s%d", s.kind, n), fmt.Sprintf("view%d", n)
	// Pion takes the first section of a kind without a sender.
	if p.slot.sender, err = v.down.pc.AddTrack(p); err != nil {
		return false, err
	}
	if t.Sender() != p.slot.sender {
		return false, errors.New("rtpconn: a track is sent in another section than was chosen")
	}
	var accepted []webrtc.RTPCodecParameters
	if p.codecs, accepted, err = v.common(t, s); err != nil {
		return false, err
	}
	if len(p.codecs) == 0 {
		return false, nil
	}
	if err := t.SetCodecPreferences(accepted); err != nil {
		return false, err
	}
	v.places = append(v.places, p)
	v.down.slots = append(v.down.slots, p.slot)
	return true, nil
}

// count counts the places of a kind.
func (v *View) count(k codecs.Kind) (n int) {
	for _, p := range v.places {
		if p.slot.kind == k {
			n++
		}
	}
	return n
}

// common returns what a section offers of the view's codecs, in its order of
// preference, and the same with what goes with each of them: redundancy and
// retransmissions.
func (v *View) common(t *webrtc.RTPTransceiver, s section) (ours, accepted []webrtc.RTPCodecParameters, err error) {
	if err := t.SetCodecPreferences(nil); err != nil {
		return nil, nil, err
	}
	offered := slices.DeleteFunc(slices.Clone(t.Receiver().GetParameters().Codecs), func(c webrtc.RTPCodecParameters) bool {
		return !slices.Contains(s.payloadTypes, uint8(c.PayloadType))
	})
	ours = byPreference(slices.DeleteFunc(slices.Clone(offered), func(c webrtc.RTPCodecParameters) bool {
		f, _ := codecs.ForDown(c.MimeType, c.ClockRate, c.Channels, c.SDPFmtpLine)
		return isCompanion(c) || !slices.Contains(v.codecs, f.Name)
	}), v.codecs)
	for _, c := range ours {
		accepted = append(accepted, c)
		redundancy := redundancyType(offered, c.PayloadType)
		for _, r := range offered {
			if redundancy != 0 && uint8(r.PayloadType) == redundancy {
				accepted = append(accepted, r)
			}
		}
	}
	return ours, withRetransmissions(accepted, offered), nil
}

// Places returns the kinds of the places for tracks, in the order of their
// sections; nil before the first offer.
func (v *View) Places() []codecs.Kind {
	v.down.mu.Lock()
	defer v.down.mu.Unlock()
	var kinds []codecs.Kind
	for _, p := range v.places {
		kinds = append(kinds, p.slot.kind)
	}
	return kinds
}

// Fits tells whether place i can carry a track. A place keeps to the codec of its
// first one.
func (v *View) Fits(i int, t conn.UpTrack) bool {
	v.down.mu.Lock()
	defer v.down.mu.Unlock()
	return v.fits(i, t)
}

func (v *View) fits(i int, t conn.UpTrack) bool {
	if i < 0 || i >= len(v.places) || v.places[i].slot.kind != t.Kind() {
		return false
	}
	_, ok := v.places[i].codecOf(downFormat(t))
	return ok
}

// Unsupported is the [NegotiationError] of a viewer that has no place which fits a
// track.
func Unsupported(t conn.UpTrack) error { return unsupported(downFormat(t)) }

// Select says what the places send, each entry for one of them, from any streams. A
// track takes the place of the one before at its next keyframe. A place whose
// entry is zero is left as it is: it falls silent when its track ends.
//
// [ErrCodecChanged] tells that one of the entries does not fit; then nothing is
// done.
func (v *View) Select(s []conn.Selection) error {
	d := v.down
	d.mu.Lock()
	gone, err := v.put(s)
	d.mu.Unlock()
	remove(gone)
	if err != nil {
		return err
	}
	d.prime()
	d.attach()
	return nil
}

// put gives the places their sources. The caller holds the connection's lock, and
// removes the feeds that are returned after releasing it.
func (v *View) put(s []conn.Selection) (gone []*feed, err error) {
	if v.down.isEnding() {
		return nil, ErrClosed
	}
	for i, one := range s {
		if one.Track != nil && !v.fits(i, one.Track) {
			return nil, ErrCodecChanged
		}
	}
	defer v.down.slotsChanged()
	for i, one := range s {
		if one.Track == nil {
			continue
		}
		if track := v.places[i].slot.track; track != nil {
			gone = append(gone, track.swap(one)...)
		} else if err := v.settle(v.places[i], one); err != nil {
			return gone, err
		}
	}
	return gone, nil
}

// settle makes a track of a free place.
func (v *View) settle(p *place, s conn.Selection) error {
	if p.context == nil {
		return ErrClosed // Pion has given up on the answer
	}
	format := downFormat(s.Track)
	codec, _ := p.codecOf(format)
	track := newDownTrack(v.down, s, format)
	track.offered = uint8(codec.PayloadType)
	if _, err := (&trackLocal{track: track}).Bind(p.context); err != nil {
		return err
	}
	p.slot.track = track
	return nil
}
