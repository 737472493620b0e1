package signalling

import (
	"context"
	"errors"
	"slices"
)

// route is how a type of message is checked and handled. The checks are made in
// the order of the fields: shape, then provenance, which is the same for all
// types, then membership and permission.
type route struct {
	// id says that the message is about a stream and must have its id.
	id bool
	// member says that the sender must be in a group.
	member bool
	// permission returns what the sender must be permitted; "" is nothing. It
	// is nil if that is the handler's affair.
	permission func(m *Message) string
	// cost is how many messages one counts as, by the work that it makes for the
	// server and other clients; 0 is one.
	cost   int
	handle func(ctx context.Context, s *session, m *Message) error
}

// routes maps the type of a client's message to what happens with it. Each
// handler lives in the file of its family.
var routes = map[string]route{
	typePing: {handle: handlePing},
	typePong: {handle: handlePong},

	typeJoin: {cost: 10, handle: handleJoin},

	typeChat:        {member: true, permission: speech, handle: handleChat},
	typeUserMessage: {member: true, permission: speech, handle: handleUserMessage},
	typeGroupAction: {member: true, cost: 4, handle: handleGroupAction},
	typeUserAction:  {member: true, cost: 4, handle: handleUserAction},

	typeRequest:       {cost: 10, handle: handleRequest},
	typeRequestStream: {member: true, cost: 2, handle: handleRequestStream},

	typeOffer:       {id: true, cost: 10, handle: handleOffer},
	typeAnswer:      {id: true, handle: handleAnswer},
	typeRenegotiate: {id: true, cost: 10, handle: handleRenegotiate},
	typeClose:       {id: true, handle: handleClose},
	typeAbort:       {id: true, handle: handleAbort},
	typeICE:         {id: true, handle: handleICE},
}

// dispatch checks m and hands it to its handler.
func (s *session) dispatch(ctx context.Context, m *Message) error {
	r, known := routes[m.Type]
	if known && r.id && m.ID == "" {
		return errEmptyID
	}
	if err := s.checkProvenance(m); err != nil {
		return err
	}
	if !known {
		return errUnexpected
	}
	if r.member && s.group == nil {
		return errJoinFirst
	}
	if r.permission != nil && !s.may(r.permission(m)) {
		return errNotAuthorised
	}
	return r.handle(ctx, s, m)
}

// checkProvenance refuses messages in the name of somebody else. Both fields
// may be left out; what is passed on to others has the sender's in any case.
func (s *session) checkProvenance(m *Message) error {
	if m.Source != "" && m.Source != s.id {
		return errSpoofedID
	}
	if m.Type != typeJoin && m.Username != nil && *m.Username != s.username() {
		return errSpoofedName
	}
	return nil
}

// username is the client's in its group, and empty outside of one.
func (s *session) username() string {
	if s.group == nil {
		return ""
	}
	return s.group.member.Username()
}

// may reports whether the client is permitted something now. Nothing is
// permitted outside of a group.
func (s *session) may(permission string) bool {
	return s.group != nil && (permission == "" || s.group.member.Permissions().Has(permission))
}

// greet handles the first message, which must be a handshake.
func (s *session) greet(in inbound) error {
	switch {
	case errors.Is(in.err, ErrClosed):
		return in.err
	case in.err != nil:
		return errors.Join(errDropped, in.err)
	}
	m := in.message
	if m.Type != typeHandshake {
		return errHandshakeFirst
	}
	if len(m.ID) > s.limits.ClientIDBytes {
		return errLongClientID
	}
	s.id = m.ID
	s.log = s.log.With("client", s.id)
	s.move(handshaken)
	s.send(&Message{Type: typeHandshake, Version: []string{ProtocolVersion}})
	if !slices.Contains(m.Version, ProtocolVersion) {
		s.send(notice("warning", s.id, "This client is using an unknown protocol version.\n"+
			"Perhaps it needs upgrading?\nTrying to continue, things may break."))
	}
	return nil
}

func handlePing(_ context.Context, s *session, _ *Message) error {
	s.send(&Message{Type: typePong})
	return nil
}

func handlePong(context.Context, *session, *Message) error { return nil }
