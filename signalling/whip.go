package signalling

import (
	"context"

	"galene/group"
	"galene/rtpconn"
)

// publisher is what a WHIP session does: it publishes one stream, which is called
// like its member and has no label.
type publisher struct {
	session *HTTPSession
	up      upConn
}

// Publish opens a session that publishes what the offer has to send (RFC 9725),
// and returns the answer, with all our candidates.
//
// Errors are a [*group.JoinError], a [*rtpconn.NegotiationError] if the offer is
// at fault, [ErrLongOffer], [ErrTooManySessions], [ErrStopping], or ctx's.
func (s *Server) Publish(ctx context.Context, o HTTPOffer) (*HTTPSession, string, error) {
	return s.openHTTP(ctx, group.WHIPMember, o, func(ctx context.Context, h *HTTPSession) (string, error) {
		up, err := s.engine.newUp(rtpconn.UpConfig{
			ID: h.member.ID(), Codecs: h.member.Group().Description().CodecNames(),
			Owner: h.owner(), Events: h.events(), Log: h.log,
		})
		if err != nil {
			return "", err
		}
		p := &publisher{h, up}
		h.conn, h.role = up, p
		answer, err := h.answer(ctx, o.SDP)
		if err != nil {
			return "", err
		}
		return answer, p.announce()
	})
}

// announce puts the stream into the catalogue, or its new tracks.
func (p *publisher) announce() error {
	return p.session.member.Publish(group.Stream{ID: p.up.ID(), Label: p.up.Label(), Up: p.up})
}

// handleEvent implements role.
func (p *publisher) handleEvent(ev *group.Event) error {
	if change, ok := ev.Body.(group.PermissionsChanged); ok &&
		!change.Permissions.Has(group.PermissionPresent) {
		return errNotPermitted
	}
	return nil
}

// tracksChanged implements role.
func (p *publisher) tracksChanged() error { return p.announce() }
