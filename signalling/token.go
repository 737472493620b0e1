package signalling

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"galene/group"
	"galene/token"
)

// tokenAction is what a member may do with the tokens of its group.
type tokenAction struct {
	reply string   // the kind of the reply
	needs []string // the permissions, all of which are needed
	do    func(m *group.Member, value json.RawMessage) (any, error)
}

func makeTokens() action {
	return tokenAction{"token", []string{"token"}, changeToken((*group.Member).MakeToken)}.action()
}

func editTokens() action {
	return tokenAction{"token", []string{"op", "token"}, changeToken((*group.Member).EditToken)}.action()
}

func listTokens() action {
	return tokenAction{"tokenlist", []string{"op", "token"}, func(m *group.Member, _ json.RawMessage) (any, error) {
		tokens, err := m.ListTokens()
		if tokens == nil {
			tokens = []*token.Token{}
		}
		return tokens, err
	}}.action()
}

// changeToken returns what makes or edits the token that a value describes.
func changeToken(change func(*group.Member, *token.Token) (*token.Token, error)) func(*group.Member, json.RawMessage) (any, error) {
	return func(m *group.Member, value json.RawMessage) (any, error) {
		t, err := tokenOf(value, time.Now())
		if err != nil {
			return nil, err
		}
		return change(m, t)
	}
}

// action is a tokenAction as a groupaction. It checks permissions by itself,
// because a refusal has the form of a reply.
func (a tokenAction) action() action {
	return action{"", func(s *session, m *Message) error {
		reply := &Message{Type: typeUserMessage, Kind: a.reply, Privileged: true}
		result, err := any(nil), error(errNotAuthorised)
		if !slices.ContainsFunc(a.needs, func(p string) bool { return !s.may(p) }) {
			result, err = a.do(s.group.member, m.Value)
		}
		switch {
		case err == nil:
			reply.Value = value(result)
		case !explain(reply, err):
			return err
		}
		s.send(reply)
		return nil
	}}
}

// explain puts into a reply why there is no better one; it reports false if that
// is not for the client.
func explain(reply *Message, err error) bool {
	if e, ok := errors.AsType[*group.TokenError](err); ok {
		reply.Error, reply.Value = e.ID, text(e.Text)
		return true
	}
	if e, ok := errors.AsType[*userError](err); ok {
		reply.Error, reply.Value = "error", text(e.text)
		if e == errNotAuthorised {
			reply.Error = "not-authorised"
		}
		return true
	}
	return false
}

// What is wrong with the description of a token.
var (
	errBadToken   = &userError{"bad token value"}
	errBadString  = &userError{"bad string value"}
	errBadStrings = &userError{"bad string list"}
	errBadTime    = &userError{"bad time value"}
)

// tokenOf is the token that a client describes. Fields that are null count as
// absent, and others than these are ignored.
func tokenOf(v json.RawMessage, now time.Time) (*token.Token, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(v, &fields) != nil || fields == nil {
		return nil, errBadToken
	}
	t := new(token.Token)
	for _, field := range []struct {
		name string
		into any
		err  error
	}{
		{"token", &t.Token, errBadString},
		{"group", &t.Group, errBadString},
		{"username", &t.Username, errBadString},
		{"permissions", &t.Permissions, errBadStrings},
	} {
		if raw, ok := fields[field.name]; ok && json.Unmarshal(raw, field.into) != nil {
			return nil, field.err
		}
	}
	var err error
	if t.Expires, err = timeOf(fields["expires"], now); err != nil {
		return nil, err
	}
	if t.NotBefore, err = timeOf(fields["not-before"], now); err != nil {
		return nil, err
	}
	return t, nil
}

// maxAhead is how far from now a time may be, in milliseconds: about a century.
const maxAhead = 100 * 365.25 * 24 * 3600 * 1000

// timeOf is the time in v: a text (RFC 3339) or how many milliseconds from now;
// nil if there is none.
func timeOf(v json.RawMessage, now time.Time) (*time.Time, error) {
	if v == nil || string(v) == "null" {
		return nil, nil //nolint:nilnil // there is no time, which is fine
	}
	var ahead float64
	if json.Unmarshal(v, &ahead) == nil {
		if ahead < -maxAhead || ahead > maxAhead {
			return nil, errBadTime
		}
		return new(now.Add(time.Duration(ahead * float64(time.Millisecond)))), nil
	}
	var words string
	if json.Unmarshal(v, &words) != nil {
		return nil, errBadTime
	}
	t, err := time.Parse(time.RFC3339, words)
	if err != nil {
		return nil, errBadTime
	}
	return &t, nil
}
