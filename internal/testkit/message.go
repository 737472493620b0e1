package testkit

import "github.com/pion/webrtc/v4"

// Message is one message of the signalling protocol, in either direction. Empty
// fields are not sent.
type Message struct {
	Type        string                   `json:"type"`
	Version     []string                 `json:"version,omitempty"`
	Kind        string                   `json:"kind,omitempty"`
	Error       string                   `json:"error,omitempty"`
	ID          string                   `json:"id,omitempty"`
	Replace     string                   `json:"replace,omitempty"`
	Source      string                   `json:"source,omitempty"`
	Dest        string                   `json:"dest,omitempty"`
	Username    *string                  `json:"username,omitempty"`
	Password    string                   `json:"password,omitempty"`
	Token       string                   `json:"token,omitempty"`
	Privileged  bool                     `json:"privileged,omitempty"`
	Permissions []string                 `json:"permissions,omitempty"`
	Status      map[string]any           `json:"status,omitempty"`
	Data        map[string]any           `json:"data,omitempty"`
	Group       string                   `json:"group,omitempty"`
	Value       any                      `json:"value,omitempty"`
	NoEcho      bool                     `json:"noecho,omitempty"`
	Time        string                   `json:"time,omitempty"`
	SDP         string                   `json:"sdp,omitempty"`
	Candidate   *webrtc.ICECandidateInit `json:"candidate,omitempty"`
	Label       string                   `json:"label,omitempty"`
	Request     any                      `json:"request,omitempty"`
}
