package signalling

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"galene/group"
)

// Types of messages. Those marked with an arrow travel in one direction only:
// > from client to server, < from server to client.
const (
	typeHandshake     = "handshake"
	typePing          = "ping"
	typePong          = "pong"
	typeJoin          = "join"          // >
	typeJoined        = "joined"        // <
	typeUser          = "user"          // <
	typeChat          = "chat"          //
	typeChatHistory   = "chathistory"   // <
	typeUserMessage   = "usermessage"   //
	typeGroupAction   = "groupaction"   // >
	typeUserAction    = "useraction"    // >
	typeRequest       = "request"       // >
	typeRequestStream = "requestStream" // >
	typeOffer         = "offer"
	typeAnswer        = "answer"
	typeRenegotiate   = "renegotiate"
	typeClose         = "close"
	typeAbort         = "abort"
	typeICE           = "ice"
)

// ProtocolVersion is the version of the protocol that this package speaks.
const ProtocolVersion = "2"

// Message is one message of the protocol, in either direction. Which fields a
// message has depends on its type. When encoded, empty fields are left out,
// except for the type; the username is left out only if it is nil.
type Message struct {
	Type    string   `json:"type"`
	Version []string `json:"version,omitempty"`
	Kind    string   `json:"kind,omitempty"`
	// Error is an identifier for programs; Value then has a text for people.
	Error string `json:"error,omitempty"`
	// ID is the client's in a handshake, the stream's in media messages, the
	// message's in a chat, and the member's in user.
	ID      string `json:"id,omitempty"`
	Replace string `json:"replace,omitempty"`
	Source  string `json:"source,omitempty"`
	// Dest is a client's id; empty means everybody.
	Dest     string  `json:"dest,omitempty"`
	Username *string `json:"username,omitempty"`
	Password string  `json:"password,omitempty"`
	Token    string  `json:"token,omitempty"`
	// Privileged marks what an operator or the server said. It is ignored in
	// messages from clients.
	Privileged       bool            `json:"privileged,omitempty"`
	Permissions      []string        `json:"permissions,omitempty"`
	Status           object          `json:"status,omitempty"`
	Data             group.Data      `json:"data,omitempty"`
	Group            string          `json:"group,omitempty"`
	Value            json.RawMessage `json:"value,omitempty"`
	NoEcho           bool            `json:"noecho,omitempty"`
	Time             string          `json:"time,omitempty"`
	SDP              string          `json:"sdp,omitempty"`
	Candidate        *Candidate      `json:"candidate,omitempty"`
	Label            string          `json:"label,omitempty"`
	Request          json.RawMessage `json:"request,omitempty"`
	RTCConfiguration object          `json:"rtcConfiguration,omitempty"`
}

// Candidate is an ICE candidate in the form that browsers use
// (RTCIceCandidateInit).
type Candidate struct {
	Candidate        string  `json:"candidate"`
	SDPMid           *string `json:"sdpMid"`
	SDPMLineIndex    *uint16 `json:"sdpMLineIndex"`
	UsernameFragment *string `json:"usernameFragment"`
}

// object is a JSON object that is passed on as it is.
type object []byte

var errNotAnObject = errors.New("not a JSON object")

// UnmarshalJSON copies data, which must be an object or null.
func (o *object) UnmarshalJSON(data []byte) error {
	switch {
	case string(data) == "null":
		*o = nil
	case len(data) > 0 && data[0] == '{':
		*o = bytes.Clone(data)
	default:
		return errNotAnObject
	}
	return nil
}

// MarshalJSON returns the object itself.
func (o object) MarshalJSON() ([]byte, error) {
	if len(o) == 0 {
		return []byte("null"), nil
	}
	return o, nil
}

var errNotUTF8 = errors.New("not valid UTF-8")

// Decode parses one message. Unknown fields are ignored; a known field of the
// wrong JSON type is an error, and so is anything that is not an object or not
// UTF-8, since values are passed on to other clients as they are. Decode keeps
// no reference to frame.
func Decode(frame []byte) (*Message, error) {
	if !utf8.Valid(frame) {
		return nil, fmt.Errorf("message: %w", errNotUTF8)
	}
	if trimmed := bytes.TrimLeft(frame, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, fmt.Errorf("message: %w", errNotAnObject)
	}
	m := new(Message)
	if err := json.Unmarshal(frame, m); err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	m.Value = presentOrNil(m.Value)
	m.Request = presentOrNil(m.Request)
	return m, nil
}

// presentOrNil makes null the same as absence.
func presentOrNil(v json.RawMessage) json.RawMessage {
	if string(v) == "null" {
		return nil
	}
	return v
}

// Encode returns m as JSON, without a final newline.
func (m *Message) Encode() ([]byte, error) {
	b, err := marshal(m)
	if err != nil {
		return nil, fmt.Errorf("message %v: %w", m.Type, err)
	}
	return b, nil
}

// marshal is json.Marshal without escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

// formatTime writes t as messages do: whole seconds, in the server's time zone.
func formatTime(t time.Time) string {
	return t.Local().Format(time.RFC3339)
}

// text is the value that carries s, which is left out when it is empty.
func text(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return value(s)
}

// value marshals v, which consists of strings, maps and structs of them and so
// cannot fail.
func value(v any) json.RawMessage {
	b, err := marshal(v)
	if err != nil {
		return nil
	}
	return b
}

// notice is a user message from the server to one client, of kind error,
// warning or info.
func notice(kind, dest, words string) *Message {
	return &Message{
		Type: typeUserMessage, Kind: kind, Dest: dest, Privileged: true, Value: text(words),
	}
}
