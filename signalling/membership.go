package signalling

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"galene/group"
	"galene/mailbox"
	"galene/rtpconn"
)

// membership is a session's place in a group. It exists from a successful join
// until the client leaves, and is owned by the session. What the group tells of
// is remembered as it was when the news was handled; what the client may do is
// asked of the member, so that it is never out of date.
type membership struct {
	// Immutable.
	member  *group.Member
	group   *group.Group
	mailbox *mailbox.Mailbox[*group.Event] // of this membership only
	owner   rtpconn.Owner                  // of the connections that serve the client here

	// As of the latest event.
	status group.Status
	data   group.Data

	// What the client wants and gets; see reconcile.go.
	requests map[string]wish // by label; "" is for those that are not named
	streams  map[string]*remoteStream
	dirty    []*remoteStream // to be reconciled, oldest first
}

// handleJoin joins a group or leaves it.
func handleJoin(ctx context.Context, s *session, m *Message) error {
	switch m.Kind {
	case "join":
		return s.join(ctx, m)
	case "leave":
		return s.leave(m)
	}
	return errUnknownJoin
}

// join waits until it is decided whether the client may join, which can take a
// while: this client's later messages wait, and nobody else.
func (s *session) join(ctx context.Context, m *Message) error {
	if s.group != nil {
		return errJoinedAlready
	}
	box := mailbox.NewCalling[*group.Event](s.limits.Events, s.turns.call)
	joined, err := s.server.registry.Join(ctx, m.Group,
		group.Credentials{
			Username: m.Username, Password: m.Password, Token: m.Token,
			Address: group.ParseAddress(s.address),
		},
		group.Newcomer{ID: s.id, Kind: group.WebSocketMember, Data: m.Data, Address: s.address, Mailbox: box})
	if err != nil {
		return s.refuse(ctx, m.Group, err)
	}
	s.move(joinedGroup)
	s.group = &membership{
		member: joined, group: joined.Group(), mailbox: box,
		owner:   rtpconn.Owner{Group: joined.Group().Name(), Client: s.id},
		streams: make(map[string]*remoteStream),
	}
	s.log.Debug("joined", "group", m.Group)
	return nil // the first event tells the client
}

// refuse tells the client why it could not join; it may try again.
func (s *session) refuse(ctx context.Context, name string, err error) error {
	refusal, ok := errors.AsType[*group.JoinError](err)
	if !ok {
		return err
	}
	s.log.Debug("join refused", "group", name, "error", err)
	if refusal.Delay && !sleep(ctx, failureDelay) {
		return ctx.Err()
	}
	s.charge(refusalCost * costUnit)
	reply := &Message{
		Type: typeJoined, Kind: "fail", Error: refusal.ID, Group: name,
		Username: &refusal.Username, Value: text(refusal.Text),
	}
	if refusal.Redirect != "" {
		reply.Kind, reply.Value = "redirect", text(refusal.Redirect)
	}
	s.send(reply)
	return nil
}

// sleep waits for d; it reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// leave leaves the group; the client may join another one.
func (s *session) leave(m *Message) error {
	if s.group == nil || m.Group != s.group.group.Name() {
		return errNotJoined
	}
	reply := s.joinedMessage("leave")
	reply.Permissions = nil
	left := s.group.group
	s.dropMembership()
	reply.Status = s.object("status", left.Status())
	s.closeStreams()
	s.move(leftGroup)
	s.send(reply)
	s.log.Debug("left", "group", m.Group)
	return nil
}

// dropMembership ends the membership, if there is one. News of the group that
// are still on their way are forgotten with its mailbox.
func (s *session) dropMembership() {
	if s.group == nil {
		return
	}
	left := s.group
	s.group = nil
	left.member.Leave()
	left.mailbox.Close()
	for _, r := range left.streams {
		s.forgetDowns(r)
	}
}

// joinedMessage tells how things stand in the group.
func (s *session) joinedMessage(kind string) *Message {
	in := s.group
	username := in.member.Username()
	return &Message{
		Type: typeJoined, Kind: kind,
		Group:            in.group.Name(),
		Username:         &username,
		Permissions:      in.member.Permissions().List(),
		Status:           s.object("status", in.status),
		Data:             in.data,
		RTCConfiguration: s.object("rtcConfiguration", s.server.rtcConfiguration(s.id)),
	}
}

// object marshals v, which must become an object.
func (s *session) object(what string, v any) object {
	b, err := json.Marshal(v)
	if err == nil && (len(b) == 0 || b[0] != '{') {
		err = errNotAnObject
	}
	if err != nil {
		s.log.Error("not sent", "what", what, "error", err)
		return object("{}")
	}
	return b
}
