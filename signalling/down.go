package signalling

import (
	"context"
	"errors"
	"log/slog"

	"galene/rtpconn"
)

// downWithID is the connection through which the client gets the stream of that
// id; nil if it gets none.
func (s *session) downWithID(id string) *downStream {
	if s.group == nil {
		return nil
	}
	r := s.group.streams[id]
	if r == nil {
		return nil
	}
	return r.down
}

// hasDown reports whether d is still in use.
func (s *session) hasDown(d *downStream) bool { return s.downWithID(d.id) == d }

// handleAnswer takes the client's answer to an offer.
func handleAnswer(ctx context.Context, s *session, m *Message) error {
	s.reconcileNow(m.ID) // so that what follows the answer is what is wanted now
	d := s.downWithID(m.ID)
	if d == nil {
		s.sendClose(m.ID)
		return nil
	}
	if len(m.SDP) > s.limits.SDPBytes {
		s.refuseDown(d)
		return errLongSDP
	}
	again, err := d.conn.Answer(m.SDP)
	if err != nil {
		s.logBadAnswer(ctx, d, err)
		s.refuseAnswer(d, err)
		return negotiationError(err)
	}
	if again {
		s.offerAgain(d, false)
	}
	return nil
}

// logBadAnswer logs the first bad answers of a client; the others are for debugging.
func (s *session) logBadAnswer(ctx context.Context, d *downStream, err error) {
	level := slog.LevelInfo
	if s.bad++; s.bad > maxBadAnswers {
		level = slog.LevelDebug
	}
	s.log.Log(ctx, level, "answer refused", "stream", d.id, "error", err)
}

// refuseDown ends a stream until the client asks for it again.
func (s *session) refuseDown(d *downStream) {
	d.of.refused = true
	s.endDowns(d.of)
}

// refuseAnswer ends a stream after a bad answer. If it was the codec of one kind
// of track that the client lacks, the rest is offered anew: who cannot see
// somebody still hears them.
func (s *session) refuseAnswer(d *downStream, err error) {
	lack, ok := errors.AsType[*rtpconn.UnsupportedError](err)
	if !ok {
		s.refuseDown(d)
		return
	}
	d.of.lacks |= wishFor(lack.Kind)
	s.endDowns(d.of)
	s.group.touch(d.of)
}

// handleRenegotiate offers again with new ICE credentials (RFC 8839 §4.4.1.1).
func handleRenegotiate(_ context.Context, s *session, m *Message) error {
	if d := s.downWithID(m.ID); d != nil {
		s.offerAgain(d, true)
	}
	return nil
}

// offerAgain offers a stream that the client gets already.
func (s *session) offerAgain(d *downStream, restart bool) {
	err := s.offerDown(d, restart)
	switch {
	case errors.Is(err, rtpconn.ErrCodecChanged):
		s.group.touch(d.of) // takes another connection
	case err != nil:
		s.log.Warn("stream not offered again", "stream", d.id, "error", err)
		s.refuseDown(d)
	}
}

// handleAbort drops a stream that the client does not want, or does not know
// what to do with. It is always answered.
func handleAbort(_ context.Context, s *session, m *Message) error {
	d := s.downWithID(m.ID)
	if d == nil {
		s.sendClose(m.ID)
		return nil
	}
	s.refuseDown(d)
	return nil
}

// handleICE adds a candidate to whichever connection it is for. The connection
// may have been closed while the message was on its way.
func handleICE(_ context.Context, s *session, m *Message) error {
	if m.Candidate == nil {
		return errNullCandidate
	}
	c := candidateOf(m.Candidate)
	var err error
	if up := s.ups[m.ID]; up != nil {
		err = up.conn.AddCandidate(c)
	} else if d := s.downWithID(m.ID); d != nil {
		err = d.conn.AddCandidate(c)
	}
	if err != nil {
		s.log.Debug("candidate not used", "stream", m.ID, "error", err)
	}
	return nil
}

// handleDownEvent handles what a connection that is in use has to say.
func (s *session) handleDownEvent(ev mediaEvent) {
	switch ev.what {
	case newCandidate:
		s.sendCandidate(ev.down.id, ev.candidate)
	case iceFailed, peerMoved, answerOverdue:
		s.offerAgain(ev.down, true)
	case broken:
		s.refuseDown(ev.down)
		if _, ok := errors.AsType[*rtpconn.NegotiationError](ev.err); ok {
			s.report(negotiationError(ev.err)) // the client's part in it
		}
	case tracksChanged:
		s.group.touch(ev.down.of)
	}
}
