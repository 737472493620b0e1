package signalling

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"

	"galene/group"
)

// speech is the permission that a chat or user message needs. Only in chat are
// there captions.
func speech(m *Message) string {
	if m.Type == typeChat && m.Kind == "caption" {
		return "caption"
	}
	return "message"
}

// handleChat passes a chat message on; if it is for everybody it gets an
// identifier and becomes part of the history.
func handleChat(_ context.Context, s *session, m *Message) error {
	now := time.Now()
	out, err := s.forwarded(m, now)
	if err != nil {
		return err
	}
	if m.Dest != "" {
		return s.sendTo(m.Dest, out)
	}
	if out.ID == "" {
		out.ID = newMessageID()
	}
	s.group.group.Chat(group.ChatEntry{
		ID: out.ID, Source: s.id, Username: s.username(), Privileged: out.Privileged,
		Time: now, Kind: out.Kind, Value: out.Value,
	}, s.newEvent(out), s.excepted(m))
	return nil
}

// handleUserMessage passes a user message on, which leaves no trace.
func handleUserMessage(_ context.Context, s *session, m *Message) error {
	out, err := s.forwarded(m, time.Now())
	if err != nil {
		return err
	}
	if m.Dest != "" {
		return s.sendTo(m.Dest, out)
	}
	s.group.group.Broadcast(s.newEvent(out), s.excepted(m))
	return nil
}

// forwarded is what others get of m. The sender is who the session knows it to
// be, whatever the message says or leaves out.
func (s *session) forwarded(m *Message, now time.Time) (*Message, error) {
	switch {
	case len(m.Value) > s.limits.ValueBytes:
		return nil, errValueTooLong
	case len(m.ID) > s.limits.MessageIDBytes, len(m.Kind) > s.limits.MessageIDBytes:
		return nil, errLongMessageID
	}
	username := s.username()
	return &Message{
		Type: m.Type, Kind: m.Kind, ID: m.ID, Source: s.id, Username: &username, Dest: m.Dest,
		Privileged: s.may("op"), NoEcho: m.NoEcho, Time: formatTime(now), Value: m.Value,
	}, nil
}

// excepted is who does not get a broadcast: the sender, if it asks for that.
func (s *session) excepted(m *Message) string {
	if m.NoEcho {
		return s.id
	}
	return ""
}

// newEvent is an event whose only effect is that m is sent to members.
func (s *session) newEvent(m *Message) *group.Event {
	return group.NewEvent(s.group.group, relayed{m})
}

// sendTo sends m to one member of the group.
func (s *session) sendTo(dest string, m *Message) error {
	err := s.group.group.Send(dest, s.newEvent(m))
	switch {
	case errors.Is(err, group.ErrNoSuchUser):
		return errUserUnknown
	case errors.Is(err, group.ErrNotChatting):
		return errDoesNotChat
	}
	return err
}

// newMessageID returns 11 characters that nobody can guess.
func newMessageID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
