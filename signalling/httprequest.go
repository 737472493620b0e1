package signalling

import (
	"context"
	"errors"

	"galene/rtpconn"
)

// Patch applies a trickle ICE fragment (RFC 9725 §4.3). With the peer's present
// credentials, or none, it adds candidates, and the reply is empty. With others it
// restarts ICE: the reply is a fragment of ours, and the entity tag is another
// one from then on, which is returned too.
//
// matches is asked about the entity tag; [ErrPrecondition] tells that it was
// false. Other errors are a [*FragmentError], [ErrSessionOver], or, after a
// restart has failed, whatever made it fail; the session has ended then.
func (h *HTTPSession) Patch(
	ctx context.Context, matches func(etag string) bool, text string,
) (reply, etag string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx.Err() != nil {
		return "", "", ErrSessionOver
	}
	if !matches(h.etag) {
		return "", "", ErrPrecondition
	}
	f, err := parseFragment(text)
	if err != nil {
		return "", "", err
	}
	offer := h.conn.RemoteDescription()
	restart, err := f.restarts(credentialsOf(offer))
	if err != nil {
		return "", "", err
	}
	if !restart {
		h.addCandidates(f.candidates)
		return "", h.etag, nil
	}

	answer, err := h.answer(ctx, withCredentials(offer, f.credentials))
	if err != nil {
		h.end() // the connection is between two states
		if errors.Is(err, rtpconn.ErrClosed) {
			return "", "", ErrSessionOver
		}
		return "", "", err
	}
	h.addCandidates(f.candidates)
	h.etag = `"` + randomName() + `"`
	return fragmentOf(answer), h.etag, nil
}

// addCandidates adds what the peer has found. A candidate of no use does no harm.
func (h *HTTPSession) addCandidates(candidates []rtpconn.Candidate) {
	for _, c := range candidates {
		if err := h.conn.AddCandidate(c); err != nil {
			h.log.Debug("candidate not used", "error", err)
		}
	}
}

// End ends the session, and returns when nothing is left of it. matches is asked
// about the entity tag; [ErrPrecondition] tells that it was false. It returns
// [ErrSessionOver] if the session has ended before.
func (h *HTTPSession) End(matches func(etag string) bool) error {
	err := h.stop(matches)
	if err == nil {
		<-h.done
	}
	return err
}

func (h *HTTPSession) stop(matches func(etag string) bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx.Err() != nil {
		return ErrSessionOver
	}
	if !matches(h.etag) {
		return ErrPrecondition
	}
	h.end()
	return nil
}
