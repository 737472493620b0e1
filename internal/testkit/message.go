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
	Servers     *Configuration           `json:"rtcConfiguration,omitempty"`
	Value       any                      `json:"value,omitempty"`
	NoEcho      bool                     `json:"noecho,omitempty"`
	Time        string                   `json:"time,omitempty"`
	SDP         string                   `json:"sdp,omitempty"`
	Candidate   *webrtc.ICECandidateInit `json:"candidate,omitempty"`
	Label       string                   `json:"label,omitempty"`
	Request     any                      `json:"request,omitempty"`
}

// Configuration is what a client is told about ICE.
type Configuration struct {
	ICEServers []struct {
		URLs       []string `json:"urls"`
		Username   string   `json:"username"`
		Credential any      `json:"credential"`
	} `json:"iceServers"`
	ICETransportPolicy string `json:"iceTransportPolicy"`
}

// servers translates the ICE servers.
func (c *Configuration) servers() []webrtc.ICEServer {
	var servers []webrtc.ICEServer
	for _, s := range c.ICEServers {
		servers = append(servers, webrtc.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
	}
	return servers
}
