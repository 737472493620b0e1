package signalling

import (
	"context"
	"encoding/json"
)

// handleRequest replaces what the client wants of streams, by label. The empty
// label stands for those that are not named, and null asks for nothing. A request
// outside of a group, or of another shape, comes from a client that is confused
// about where it is; that ends the connection.
func handleRequest(_ context.Context, s *session, m *Message) error {
	var lists map[string][]string
	if s.group == nil || m.Request != nil && json.Unmarshal(m.Request, &lists) != nil {
		return errBadRequest
	}
	if len(lists) > s.limits.RequestLabels {
		return errManyLabels
	}
	s.group.requests = make(map[string]wish, len(lists))
	for label, words := range lists {
		if len(label) <= s.limits.StreamIDBytes { // as streams' labels are
			s.group.requests[label] = wishOf(words)
		}
	}
	for _, r := range s.group.inOrder() {
		r.askedAgain()
		s.group.touch(r)
	}
	return nil
}

// handleRequestStream sets or, with null, removes what the client wants of one
// stream, whatever its label. The stream may have ended while the message was on
// its way, which is nobody's mistake.
func handleRequestStream(_ context.Context, s *session, m *Message) error {
	r := s.group.streams[m.ID]
	if r == nil {
		s.sendClose(m.ID)
		return nil
	}
	r.override = nil
	if m.Request != nil {
		var words []string
		if json.Unmarshal(m.Request, &words) != nil {
			return errBadRequest
		}
		w := wishOf(words)
		r.override = &w
	}
	r.askedAgain()
	s.group.touch(r)
	return nil
}
