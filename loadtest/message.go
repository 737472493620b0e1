package loadtest

import (
	"encoding/json"

	"github.com/pion/webrtc/v4"
)

// protocolVersion is what the signalling protocol calls itself.
const protocolVersion = "2"

// message is what this package uses of the signalling protocol's messages, in either direction. Empty fields are not sent.
type message struct {
	Type      string                   `json:"type"`
	Version   []string                 `json:"version,omitempty"`
	Kind      string                   `json:"kind,omitempty"`
	Error     string                   `json:"error,omitempty"`
	ID        string                   `json:"id,omitempty"`
	Source    string                   `json:"source,omitempty"`
	Username  *string                  `json:"username,omitempty"`
	Password  string                   `json:"password,omitempty"`
	Token     string                   `json:"token,omitempty"`
	Group     string                   `json:"group,omitempty"`
	Value     json.RawMessage          `json:"value,omitempty"`
	NoEcho    bool                     `json:"noecho,omitempty"`
	Replace   string                   `json:"replace,omitempty"`
	Label     string                   `json:"label,omitempty"`
	SDP       string                   `json:"sdp,omitempty"`
	Candidate *webrtc.ICECandidateInit `json:"candidate,omitempty"`
	Request   map[string][]string      `json:"request,omitempty"`
}

// text is the value of a message if it is a string.
func (m *message) text() string {
	var s string
	if json.Unmarshal(m.Value, &s) != nil {
		return string(m.Value)
	}
	return s
}
