package rtpconn

import (
	"errors"
	"slices"

	"github.com/pion/webrtc/v4"

	"galene/codecs"
	"galene/conn"
)

// Offer takes the publisher's session description, its first or a later one,
// and returns the answer. Our candidates follow by Events.Candidate.
//
// An error is a [NegotiationError] if the description is at fault. When the
// first offer fails the connection is closed; when a later one does, the caller
// is to close it.
func (u *Up) Offer(offer string) (answer string, err error) {
	answer, changed, err := u.offer(offer)
	if changed {
		u.changed()
	}
	return answer, err
}

// offer is Offer but for telling that later offers have changed the tracks.
func (u *Up) offer(offer string) (answer string, changed bool, err error) {
	u.negotiating.Lock()
	defer u.negotiating.Unlock()
	if u.failed || u.isEnding() {
		return "", false, ErrClosed
	}
	answer, changed, err = u.negotiate(offer)
	if err == nil {
		changed = changed && u.answered
		u.answered = true
		return answer, changed, nil
	}
	if !u.answered {
		u.failed = true
		u.Close()
	}
	if _, ok := errors.AsType[*NegotiationError](err); ok || errors.Is(err, ErrClosed) {
		return "", false, err
	}
	return "", false, refused("The session description cannot be used.", err)
}

// negotiate applies an offer and makes the answer. changed tells that the tracks
// are others than before.
func (u *Up) negotiate(offer string) (answer string, changed bool, err error) {
	description, sections, err := parseDescription(offer)
	if err != nil {
		return "", false, err
	}
	if offer, err = forPion(offer, description, sections, u.candidates.admit); err != nil {
		return "", false, err
	}
	if !u.answered {
		if err := u.addTransceivers(sections); err != nil {
			return "", false, err
		}
	} else if err := u.awaitGathering(); err != nil {
		return "", false, err
	}

	// From here on Pion can neither finish nor undo a negotiation that fails.
	u.failed = true
	remote := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}
	if err := u.pc.SetRemoteDescription(remote); err != nil {
		return "", false, err
	}
	accepted, err := u.settleTransceivers(sections)
	if err != nil {
		return "", false, err
	}
	u.ingress.setExtensions(u.negotiatedExtensions())
	u.transport.negotiate(understandTransport(accepted), u.ssrc)
	local, err := u.pc.CreateAnswer(nil)
	if err != nil {
		return "", false, err
	}
	ended, changed := u.setTracks(accepted)
	u.gather()
	if err := u.pc.SetLocalDescription(local); err != nil {
		return "", false, err
	}
	u.failed = false

	u.flushCandidates()
	for _, t := range ended {
		t.end()
	}
	return local.SDP, changed, nil
}

// addTransceivers prepares one receiving transceiver for each section on which
// the publisher may send, in order, so that the answer says recvonly.
func (u *Up) addTransceivers(sections []section) error {
	if !slices.ContainsFunc(sections, func(s section) bool { return s.sends }) {
		return refused("The offer has nothing to send.", nil)
	}
	for _, s := range sections {
		if !s.sends {
			continue
		}
		_, err := u.pc.AddTransceiverFromKind(kindToPion(s.kind), webrtc.RTPTransceiverInit{
			Direction: webrtc.RTPTransceiverDirectionRecvonly,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// acceptedSection is a section on which we will receive.
type acceptedSection struct {
	section
	payloads *payloads
}

// settleTransceivers restricts each section to the codecs in common, in our
// order of preference, and tells which sections will be received.
func (u *Up) settleTransceivers(sections []section) ([]acceptedSection, error) {
	byMID := make(map[string]*webrtc.RTPTransceiver)
	for _, t := range u.pc.GetTransceivers() {
		if mid := t.Mid(); mid != "" {
			byMID[mid] = t
		}
	}
	var accepted []acceptedSection
	wanted := 0
	for _, s := range sections {
		t := byMID[s.mid]
		if t == nil {
			continue
		}
		if !s.sends {
			// We have nothing to send to a publisher.
			if t.Direction() != webrtc.RTPTransceiverDirectionInactive {
				if err := t.Stop(); err != nil {
					return nil, err
				}
			}
			continue
		}
		wanted++
		common, err := u.preferCodecs(t, s)
		if err != nil {
			return nil, err
		}
		if len(common) > 0 {
			accepted = append(accepted, acceptedSection{s, newPayloads(common)})
		}
	}
	if wanted > 0 && len(accepted) == 0 {
		return nil, refused("None of the offered codecs is allowed here.", nil)
	}
	return accepted, nil
}

// preferCodecs orders the codecs of a section's answer and returns them. The
// publisher's payload types and parameters are kept.
func (u *Up) preferCodecs(t *webrtc.RTPTransceiver, s section) ([]webrtc.RTPCodecParameters, error) {
	if err := t.SetCodecPreferences(nil); err != nil { // forget the last offer's
		return nil, err
	}
	negotiated := t.Receiver().GetParameters().Codecs
	// Pion negotiates for the whole connection; this section may offer less.
	common := slices.DeleteFunc(slices.Clone(negotiated), func(c webrtc.RTPCodecParameters) bool {
		return !slices.Contains(s.payloadTypes, uint8(c.PayloadType))
	})
	common = byPreference(common, u.codecNames())
	if len(common) == 0 {
		return nil, nil
	}
	return common, t.SetCodecPreferences(common)
}

// understandTransport tells whether the publisher takes feedback on the transport,
// which all sections have in common.
func understandTransport(accepted []acceptedSection) bool {
	return slices.ContainsFunc(accepted, func(s acceptedSection) bool {
		return slices.ContainsFunc(s.payloads.entries, func(p payload) bool { return p.feedback.transport })
	})
}

// negotiatedExtensions returns what the publisher's header extensions mean.
func (u *Up) negotiatedExtensions() *extensionTable {
	var negotiated [][]webrtc.RTPHeaderExtensionParameter
	for _, t := range u.pc.GetTransceivers() {
		negotiated = append(negotiated, t.Receiver().GetParameters().HeaderExtensions)
	}
	return newExtensionTable(negotiated...)
}

func (u *Up) codecNames() []string {
	if len(u.codecs) == 0 {
		return codecs.DefaultNames()
	}
	return u.codecs
}

// setTracks makes the accepted sections' encodings the connection's tracks. It
// returns those that are no longer among them, which the caller must end, and
// whether the list is another one.
func (u *Up) setTracks(accepted []acceptedSection) (ended []*upTrack, changed bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.isEnding() {
		return nil, false
	}
	old := u.tracks.Load()
	next := &trackList{}
	for _, s := range accepted {
		rids := s.rids
		if len(rids) == 0 {
			rids = []string{""}
		}
		for _, rid := range rids {
			t := old.find(s.mid, rid)
			if t == nil {
				t = newUpTrack(u, s, rid)
			} else {
				t.setPayloads(s.payloads)
			}
			next.append(t)
		}
	}
	for _, t := range old.own {
		if !slices.Contains(next.own, t) {
			ended = append(ended, t)
		}
	}
	u.tracks.Store(next)
	return ended, !slices.Equal(old.own, next.own)
}

// append adds a track to a list that is not shared yet.
func (l *trackList) append(t *upTrack) {
	l.own = append(l.own, t)
	l.view = append(l.view, conn.UpTrack(t))
}

// find returns the track of a section and encoding, or nil.
func (l *trackList) find(mid, rid string) *upTrack {
	for _, t := range l.own {
		if t.mid == mid && t.rid == rid {
			return t
		}
	}
	return nil
}

// replace returns a list with one track in another's place.
func (l *trackList) replace(old, with *upTrack) *trackList {
	next := &trackList{}
	for _, t := range l.own {
		if t == old {
			t = with
		}
		next.append(t)
	}
	return next
}
