package signalling

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// groupActions maps the kind of a groupaction to what happens.
var groupActions = map[string]action{
	"clearchat": {"op", clearChat},
	"lock":      {"op", lock},
	"unlock":    {"op", unlock},
	"subgroups": {"op", subgroups},
	"setdata":   {"op", setGroupData},

	"record":   {"record", record},
	"unrecord": {"record", unrecord},

	"maketoken":  makeTokens(),
	"edittoken":  editTokens(),
	"listtokens": listTokens(),
}

func handleGroupAction(_ context.Context, s *session, m *Message) error {
	return s.act(groupActions, m, errGroupAction)
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
