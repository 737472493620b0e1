package signalling

import (
	"context"
	"errors"

	"galene/group"
	"galene/rtpconn"
)

// upStream is a stream that the client publishes.
type upStream struct {
	id    string
	label string
	conn  upConn
}

// Reasons to refuse a stream.
var (
	errLongSDP        = &userError{"session description is too long"}
	errLongStreamID   = &userError{"stream id or label is too long"}
	errStreamIDTaken  = &userError{"stream id is already in use"}
	errTooManyStreams = &userError{"too many streams"}
	errDenied         = &userError{"permission denied"}
	errMedia          = &userError{"the stream could not be set up"}
)

// handleOffer publishes a stream, or renegotiates one. An offer that is refused
// leaves nothing behind, and is answered by an abort and a reason.
func handleOffer(_ context.Context, s *session, m *Message) error {
	err := s.checkOffer(m)
	if errors.Is(err, errNotAuthorised) {
		s.closeUp(m.Replace)
	}
	if err == nil {
		err = s.publish(m)
	}
	if err != nil {
		s.send(&Message{Type: typeAbort, ID: m.ID})
	}
	return err
}

// checkOffer checks what does not need a look at the description.
func (s *session) checkOffer(m *Message) error {
	limits := s.limits
	_, renegotiation := s.ups[m.ID]
	switch {
	case !s.may("present"):
		return errNotAuthorised
	case s.group.streams[m.ID] != nil:
		return errStreamIDTaken
	case len(m.ID) > limits.StreamIDBytes, len(m.Label) > limits.StreamIDBytes:
		return errLongStreamID
	case len(m.SDP) > limits.SDPBytes:
		return errLongSDP
	case !renegotiation && s.ups[m.Replace] == nil && len(s.ups) >= limits.Streams:
		return errTooManyStreams
	}
	return nil
}

// publish answers an offer and tells the group. The stream is in the catalogue
// as soon as its tracks are known, which is now, so that whoever joins later
// finds it there.
func (s *session) publish(m *Message) error {
	up := s.ups[m.ID]
	if up == nil {
		var err error
		if up, err = s.newUp(m); err != nil {
			return err
		}
	}
	answer, err := up.conn.Offer(m.SDP)
	if err != nil {
		s.discardUp(up)
		return negotiationError(err)
	}
	// What is replaced must be the client's own, and not the stream itself.
	replaced := s.ups[m.Replace]
	if replaced == up {
		replaced = nil
	}
	if err := s.announce(up, replaced); err != nil {
		s.discardUp(up)
		return err
	}
	s.send(&Message{Type: typeAnswer, ID: up.id, SDP: answer})
	return nil
}

// newUp makes the connection for a new stream.
func (s *session) newUp(m *Message) (*upStream, error) {
	up := &upStream{id: m.ID, label: m.Label}
	c, err := s.server.engine.newUp(rtpconn.UpConfig{
		ID: up.id, Label: up.label, Codecs: s.group.group.Description().CodecNames(),
		Owner: s.group.owner, Events: s.events(up, nil), Log: s.log.With("up", up.id),
	})
	if err != nil {
		return nil, negotiationError(err)
	}
	up.conn = c
	s.ups[up.id] = up
	return up, nil
}

// announce puts a stream into the catalogue, or its new tracks. In the same step
// the stream that it replaces, if not nil, goes; that one's connection is closed
// without a word, since the client knows.
func (s *session) announce(up, replaced *upStream) error {
	stream := group.Stream{ID: up.id, Label: up.label, Up: up.conn}
	if replaced != nil {
		stream.Replaces = replaced.id
	}
	err := s.group.member.Publish(stream)
	switch {
	case errors.Is(err, group.ErrStreamTaken):
		return errStreamIDTaken
	case errors.Is(err, group.ErrTooManyStreams):
		return errTooManyStreams
	case errors.Is(err, group.ErrNotPermitted), errors.Is(err, group.ErrNotMember):
		return errNotAuthorised
	case err != nil:
		return err
	}
	if replaced != nil {
		delete(s.ups, replaced.id)
		s.closeLater(replaced.conn)
	}
	return nil
}

// discardUp ends a stream. If it has been published, others hear of it.
func (s *session) discardUp(up *upStream) {
	delete(s.ups, up.id)
	if s.group != nil {
		s.group.member.Withdraw(up.id)
	}
	s.closeLater(up.conn)
}

// closeUp ends the client's own stream of that id, if there is one.
func (s *session) closeUp(id string) {
	if up := s.ups[id]; up != nil {
		s.discardUp(up)
	}
}

// closeStreams ends all that the client publishes.
func (s *session) closeStreams() {
	for _, up := range s.ups {
		s.discardUp(up)
	}
}

// revokeStreams ends all that the client publishes, because it no longer may.
func (s *session) revokeStreams() {
	for id := range s.ups {
		s.closeUp(id)
		s.send(&Message{Type: typeAbort, ID: id})
		s.report(errDenied)
	}
}

// handleClose ends a stream that the client publishes.
func handleClose(_ context.Context, s *session, m *Message) error {
	s.closeUp(m.ID)
	return nil
}

// handleUpEvent handles what a connection that is in use has to say.
func (s *session) handleUpEvent(ev mediaEvent) {
	switch ev.what {
	case newCandidate:
		s.sendCandidate(ev.up.id, ev.candidate)
	case iceFailed:
		s.send(&Message{Type: typeRenegotiate, ID: ev.up.id})
	case broken:
		s.discardUp(ev.up)
		s.send(&Message{Type: typeAbort, ID: ev.up.id})
	case tracksChanged:
		if s.group == nil {
			return
		}
		// If it must not be published any more, that is on its way.
		if err := s.announce(ev.up, nil); err != nil {
			s.log.Debug("tracks not announced", "stream", ev.up.id, "error", err)
		}
	case peerMoved, answerOverdue: // of subscribers only
	}
}

// negotiationError is what a client is told when a description does not serve.
// What went wrong inside is not told.
func negotiationError(err error) error {
	if n, ok := errors.AsType[*rtpconn.NegotiationError](err); ok {
		return &userError{n.Text}
	}
	return errMedia
}

// candidateOf is the message's candidate as connections know it.
func candidateOf(c *Candidate) rtpconn.Candidate {
	return rtpconn.Candidate{
		Candidate: c.Candidate, SDPMid: c.SDPMid,
		SDPMLineIndex: c.SDPMLineIndex, UsernameFragment: c.UsernameFragment,
	}
}
