package signalling

import (
	"galene/group"
)

// relayed is the body of events that this package posts: a message that each
// member's session passes on to its client.
type relayed struct {
	message *Message
}

// handleEvent tells the client what happened in its group. Events come in one
// order, which is the same for all members.
func (s *session) handleEvent(in *membership, ev *group.Event) {
	switch body := ev.Body.(type) {
	case group.Joined:
		s.handleJoined(in, body)
	case group.MemberJoined:
		s.relay(ev, userMessage("add", body.MemberInfo))
	case group.MemberChanged:
		s.relay(ev, userMessage("change", body.MemberInfo))
	case group.MemberLeft:
		s.relay(ev, &Message{Type: typeUser, Kind: "delete", ID: body.ID, Username: &body.Username})
	case group.GroupChanged:
		in.status, in.data = body.Status, body.Data
		s.send(s.joinedMessage("change"))
	case group.PermissionsChanged:
		in.status, in.data = body.Status, body.Data
		s.send(s.joinedMessage("change"))
		if !body.Permissions.Has("present") {
			s.revokeStreams()
		}
	case group.StreamPublished:
		s.streamPublished(in, body.Stream)
	case group.StreamWithdrawn:
		s.streamWithdrawn(in, body.Stream)
	case group.Kicked:
		s.kicked(body)
	case relayed:
		s.relay(ev, body.message)
	default:
		s.log.Error("unknown event", "type", body)
	}
}

// relay sends m, which was made of ev; it is encoded once for all members.
func (s *session) relay(ev *group.Event, m *Message) {
	frame := ev.Encode(func() []byte {
		b, err := m.Encode()
		if err != nil {
			s.log.Error("message not sent", "error", err)
			return nil
		}
		return b
	})
	if frame != nil {
		s.sendFrame(frame)
	}
}

// handleJoined is the first event of a membership: how things stood at the
// moment of joining. All that happened before is in it, and all that happens
// later follows.
func (s *session) handleJoined(in *membership, j group.Joined) {
	in.status, in.data = j.Status, j.Data
	before := s.queued
	defer func() { s.charge(s.queued - before) }()
	s.send(s.joinedMessage("join"))
	for _, entry := range j.History {
		s.send(&Message{
			Type: typeChatHistory, ID: entry.ID, Source: entry.Source, Username: &entry.Username,
			Privileged: entry.Privileged, Time: formatTime(entry.Time),
			Kind: entry.Kind, Value: entry.Value,
		})
	}
	for _, info := range j.Members {
		s.send(userMessage("add", info))
	}
	for _, stream := range j.Streams {
		s.streamPublished(in, stream)
	}
}

// userMessage tells about a member.
func userMessage(kind string, info group.MemberInfo) *Message {
	return &Message{
		Type: typeUser, Kind: kind, ID: info.ID, Username: &info.Username,
		Permissions: info.Permissions.List(), Data: info.Data,
	}
}

// kicked ends the session at the wish of an operator, or of the group itself.
func (s *session) kicked(k group.Kicked) {
	m := notice("kicked", s.id, k.Message)
	m.ID, m.Username = k.By.ID, k.By.Username
	s.send(m)
	s.end = &closeError{code: 1000, reason: k.Reason}
}
