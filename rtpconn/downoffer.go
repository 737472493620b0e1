package rtpconn

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pion/webrtc/v4"

	"galene/conn"
	"galene/rtptime"
)

// Offer returns an offer for what is selected, with an ICE restart if restart
// is set. ok is false if one is outstanding: this one is then remembered, and
// Answer tells when to make it. An offer that is overdue for an answer is
// returned once more. Our candidates follow by Events.Candidate.
//
// After an error the caller closes the connection.
func (d *Down) Offer(restart bool) (sdp string, ok bool, err error) {
	d.mu.Lock()
	if d.isEnding() {
		d.mu.Unlock()
		return "", false, ErrClosed
	}
	restart, make, again := d.negotiation.offer(restart, rtptime.Now())
	var gone []*feed
	switch {
	case again:
		sdp, ok = d.pc.PendingLocalDescription().SDP, true
	case make:
		sdp, gone, err = d.makeOffer(restart)
		ok = err == nil
	}
	d.mu.Unlock()
	remove(gone)
	return sdp, ok, err
}

// makeOffer brings the transceivers in line with what is selected and offers
// them. It returns feeds that are to be removed without the lock.
func (d *Down) makeOffer(restart bool) (sdp string, gone []*feed, err error) {
	targets := d.assign(d.wanted)
	defer d.slotsChanged()
	for i, s := range d.slots {
		if s.track != nil && targets[i] == nil {
			gone = append(gone, s.track.close()...)
			if err := d.deactivate(s); err != nil {
				return "", gone, err
			}
		}
	}
	for i, t := range targets {
		if i >= len(d.slots) {
			d.slots = append(d.slots, &slot{kind: t.Track.Kind()})
		}
		if s := d.slots[i]; t != nil && s.track == nil {
			if err := d.activate(s, *t); err != nil {
				return "", gone, err
			}
		}
	}

	offer, err := d.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart && d.restartable()})
	if err != nil {
		return "", gone, fmt.Errorf("rtpconn: offer: %w", err)
	}
	if err := d.pc.SetLocalDescription(offer); err != nil {
		return "", gone, fmt.Errorf("rtpconn: offer: %w", err)
	}
	return offer.SDP, gone, nil
}

// restartable tells whether ICE has got so far that a restart makes sense. While
// it still gathers or looks for a way, Pion would mix up the credentials of both
// attempts.
func (d *Down) restartable() bool {
	if d.pc.ICEGatheringState() == webrtc.ICEGatheringStateGathering {
		return false
	}
	switch d.pc.ICEConnectionState() {
	case webrtc.ICEConnectionStateNew, webrtc.ICEConnectionStateChecking:
		return false
	default:
		return true
	}
}

// deactivate makes a slot's section inactive. Its track is closed already.
func (d *Down) deactivate(s *slot) error {
	if err := d.pc.RemoveTrack(s.sender); err != nil {
		return fmt.Errorf("rtpconn: removing a track: %w", err)
	}
	s.sender, s.track = nil, nil
	return nil
}

// activate makes a slot send a selection. An inactive section, whose removal
// was answered, is used again.
func (d *Down) activate(s *slot, selection conn.Selection) error {
	track := newDownTrack(d, selection, downFormat(selection.Track))
	local := newTrackLocal(track, selection.Track, d.up.Label())
	sender, transceiver, err := d.addSender(s, local)
	if err != nil {
		return err
	}
	offered, err := preferCodec(transceiver, track.format)
	if err != nil {
		return err
	}
	track.offered = uint8(offered.PayloadType)
	if track.offered != track.format.PayloadType {
		d.log.Info("codec without a payload type of its own",
			"codec", track.format.MimeType, "fmtp", track.format.Fmtp, "type", track.offered)
	}
	s.sender, s.transceiver, s.track = sender, transceiver, track
	return nil
}

// addSender gives Pion a track to send in a slot.
func (d *Down) addSender(s *slot, local *trackLocal) (*webrtc.RTPSender, *webrtc.RTPTransceiver, error) {
	if s.transceiver == nil {
		t, err := d.pc.AddTransceiverFromTrack(local, webrtc.RTPTransceiverInit{
			Direction: webrtc.RTPTransceiverDirectionSendonly,
		})
		if err != nil {
			return nil, nil, fmt.Errorf("rtpconn: adding a track: %w", err)
		}
		return t.Sender(), t, nil
	}
	sender, err := d.pc.AddTrack(local)
	if err != nil {
		return nil, nil, fmt.Errorf("rtpconn: adding a track: %w", err)
	}
	if s.transceiver.Sender() == sender {
		return sender, s.transceiver, nil
	}
	// Pion has chosen another inactive section of this kind: trade slots.
	i := slices.IndexFunc(d.slots, func(other *slot) bool {
		return other.transceiver != nil && other.transceiver.Sender() == sender
	})
	if i < 0 {
		return nil, nil, errors.New("rtpconn: no section is free to be used again")
	}
	other := d.slots[i]
	s.transceiver, other.transceiver = other.transceiver, s.transceiver
	return sender, s.transceiver, nil
}

// Answer takes the subscriber's answer. again tells that another offer was
// wanted meanwhile: the caller calls Offer now.
//
// An error is a [NegotiationError] if the subscriber cannot take the stream as
// it is. After any error the caller closes the connection.
func (d *Down) Answer(sdp string) (again bool, err error) {
	again, err = d.takeAnswer(sdp)
	if err != nil {
		if _, ok := errors.AsType[*NegotiationError](err); ok || errors.Is(err, ErrClosed) {
			return false, err
		}
		return false, refused("The answer cannot be used.", err)
	}
	d.flushCandidates()
	if state := d.pc.ICEConnectionState(); state == webrtc.ICEConnectionStateNew || state == webrtc.ICEConnectionStateChecking {
		d.start("hastening", d.hasten)
	}
	d.prime()
	d.attach() // what is new on a connection that stands
	return again, nil
}

// prime asks for keyframes that will be wanted when the connection stands, so that
// they are in the cache by then: connecting takes about as long as encoding one.
func (d *Down) prime() {
	for _, t := range *d.active.Load() {
		t.prime()
	}
}

func (d *Down) takeAnswer(sdp string) (again bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.isEnding() {
		return false, ErrClosed
	}
	if d.negotiation.isSecond() {
		return false, nil
	}
	if d.negotiation.state == stable {
		return false, refused("There is no offer to answer.", nil)
	}
	description, sections, err := parseDescription(sdp)
	if err != nil {
		return false, err
	}
	if sdp, err = forPion(sdp, description, sections, d.candidates.admit); err != nil {
		return false, err
	}
	if err := d.checkSections(sections); err != nil {
		return false, err
	}
	d.mixed.Store(allowsMixed(description))
	answer := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}
	if err := d.pc.SetRemoteDescription(answer); err != nil {
		return false, err
	}
	again, _ = d.negotiation.answer()
	return again, nil
}

// checkSections looks whether the subscriber receives what it was offered.
func (d *Down) checkSections(sections []section) error {
	for _, s := range d.slots {
		if s.track == nil {
			continue
		}
		mid := s.transceiver.Mid()
		i := slices.IndexFunc(sections, func(a section) bool { return a.mid == mid })
		if i < 0 || !sections[i].receives {
			return s.track.refused()
		}
	}
	return nil
}
