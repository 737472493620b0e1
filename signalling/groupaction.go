package signalling

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// groupActions maps the kind of a groupaction to what happens. The token
// actions check permissions by themselves, since they have replies of their
// own.
var groupActions = map[string]action{
	"clearchat": {"op", clearChat},
	"lock":      {"op", lock},
	"unlock":    {"op", unlock},
	"subgroups": {"op", subgroups},
	"setdata":   {"op", setGroupData},

	"record":   {"record", record},
	"unrecord": {"record", unrecord},

	"maketoken":  {"", tokenAction("token", "token")},
	"edittoken":  {"", tokenAction("token", "op", "token")},
	"listtokens": {"", tokenAction("tokenlist", "op", "token")},
}

func handleGroupAction(_ context.Context, s *session, m *Message) error {
	a, ok := groupActions[m.Kind]
	if !ok {
		return errGroupAction
	}
	if !s.may(a.permission) {
		return errNotAuthorised
	}
	return a.do(s, m)
}

// clearChat forgets messages: all, those of one user, or one. Everybody is told
// which with the value as it was sent.
func clearChat(s *session, m *Message) error {
	var which struct {
		ID     string `json:"id"`
		UserID string `json:"userId"`
	}
	if m.Value != nil {
		if !bytes.HasPrefix(m.Value, []byte("{")) || json.Unmarshal(m.Value, &which) != nil {
			return errBadClear
		}
		if which.ID != "" && which.UserID == "" {
			return errBadClear
		}
	}
	s.group.group.ClearChat(which.ID, which.UserID)
	done := notice("clearchat", "", "")
	done.Value = m.Value
	s.group.group.Broadcast(s.newEvent(done), "")
	return nil
}

func lock(s *session, m *Message) error {
	s.group.group.SetLocked(true, optionalText(m.Value))
	return nil
}

func unlock(s *session, _ *Message) error {
	s.group.group.SetLocked(false, "")
	return nil
}

// subgroups answers with a chat message that lists the groups below this one
// that have members.
func subgroups(s *session, _ *Message) error {
	var list strings.Builder
	for _, sub := range s.group.group.Subgroups() {
		plural := "s"
		if sub.Count == 1 {
			plural = ""
		}
		fmt.Fprintf(&list, "%v (%v client%v)\n", sub.Name, sub.Count, plural)
	}
	username := "Server"
	s.send(&Message{
		Type: typeChat, Dest: s.id, Username: &username,
		Time: formatTime(time.Now()), Value: text(list.String()),
	})
	return nil
}

func setGroupData(s *session, m *Message) error {
	patch, err := dataPatch(m.Value)
	if err != nil {
		return err
	}
	err = s.group.group.UpdateData(patch)
	s.charge(dataSize(s.group.group.Data())) // everybody gets all of it
	return tooMuch(err)
}

func record(*session, *Message) error {
	return &userError{"recording is not available on this server"}
}

// unrecord ends no recording, since there is none; nobody minds.
func unrecord(*session, *Message) error { return nil }

// tokenAction returns the action that refuses a token operation, which needs
// some permissions, in the form in which clients expect a reply to it.
func tokenAction(reply string, permissions ...string) func(*session, *Message) error {
	return func(s *session, _ *Message) error {
		refusal := &Message{
			Type: typeUserMessage, Kind: reply, Privileged: true,
			Error: "error", Value: text("tokens are not available on this server"),
		}
		for _, p := range permissions {
			if !s.may(p) {
				refusal.Error, refusal.Value = "not-authorised", text("not authorised")
			}
		}
		s.send(refusal)
		return nil
	}
}
