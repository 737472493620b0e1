package signalling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"galene/group"
)

// action is one kind of useraction or groupaction.
type action struct {
	permission string // what the sender must be permitted; "" is nothing
	do         func(s *session, m *Message) error
}

// userActions maps the kind of a useraction to what happens.
var userActions = map[string]action{
	"op":        {"op", changePermission(group.Op)},
	"unop":      {"op", changePermission(group.Unop)},
	"present":   {"op", changePermission(group.Present)},
	"unpresent": {"op", changePermission(group.Unpresent)},
	"shutup":    {"op", changePermission(group.Shutup)},
	"unshutup":  {"op", changePermission(group.Unshutup)},
	"identify":  {"op", identify},
	"kick":      {"op", kick},
	"setdata":   {"", setUserData},
}

func handleUserAction(_ context.Context, s *session, m *Message) error {
	return s.act(userActions, m, errUserAction)
}

// act does what actions have for the message's kind. unknown is the error if that
// is nothing.
func (s *session) act(actions map[string]action, m *Message, unknown error) error {
	a, ok := actions[m.Kind]
	if !ok {
		return unknown
	}
	if !s.may(a.permission) {
		return errNotAuthorised
	}
	return a.do(s, m)
}

// changePermission returns the action that makes one change to what a user may
// do. Everybody, the sender included, hears of it from the group.
func changePermission(c group.PermissionChange) func(*session, *Message) error {
	return func(s *session, m *Message) error {
		err := s.group.group.SetPermission(m.Dest, c)
		switch {
		case errors.Is(err, group.ErrNoSuchUser):
			return errNoSuchUser
		case errors.Is(err, group.ErrNotRealUser):
			return errNotARealUser
		}
		return err
	}
}

// identify tells the sender a member's address, and the member that it did.
func identify(s *session, m *Message) error {
	info, ok := s.group.group.Find(m.Dest)
	if !ok {
		return errNoSuchClient
	}
	reply := notice("userinfo", s.id, "")
	reply.Value = value(struct {
		ID       string `json:"id"`
		Username string `json:"username,omitempty"`
		Address  string `json:"address,omitempty"`
	}{info.ID, info.Username, info.Address})
	s.send(reply)
	if info.Kind != group.WebSocketMember {
		return nil
	}
	warning := notice("warning", info.ID,
		fmt.Sprintf("Your IP address has been communicated to user %v.", s.username()))
	if err := s.sendTo(info.ID, warning); err != nil {
		s.log.Debug("member left before it could be warned", "member", info.ID)
	}
	return nil
}

func kick(s *session, m *Message) error {
	username := s.username()
	by := group.Kicker{ID: s.id, Username: &username}
	err := s.group.group.Kick(m.Dest, by, optionalText(m.Value))
	if errors.Is(err, group.ErrNoSuchUser) {
		return errNoSuchUser
	}
	return err
}

// setUserData merges into the sender's own data, which needs no permission.
func setUserData(s *session, m *Message) error {
	if m.Dest != s.id {
		return errNotAuthorised
	}
	patch, err := dataPatch(m.Value)
	if err != nil {
		return err
	}
	err = s.group.member.UpdateData(patch)
	s.charge(dataSize(s.group.member.Data())) // everybody gets all of it
	return tooMuch(err)
}

// tooMuch is what the client is told when data does not fit.
func tooMuch(err error) error {
	if errors.Is(err, group.ErrDataTooLarge) {
		return errTooMuchData
	}
	return err
}

// dataSize is about how many bytes data takes in a message.
func dataSize(data group.Data) (size int) {
	for key, value := range data {
		size += len(key) + len(value)
	}
	return size
}

// optionalText is the text in v, or "" if v is missing or something else.
func optionalText(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// dataPatch is the object in v.
func dataPatch(v json.RawMessage) (group.Data, error) {
	var patch group.Data
	if json.Unmarshal(v, &patch) != nil || patch == nil {
		return nil, errBadData
	}
	return patch, nil
}
