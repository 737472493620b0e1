package ice

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the scheme that TURN servers implement
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
)

// Server is one of a browser's ICE servers, and marshals to an RTCIceServer.
type Server struct {
	URLs     []string `json:"urls"`
	Username string   `json:"username,omitempty"`
	// Credential is a JSON string, or what an "oauth" server wants; nil for
	// servers that want none.
	Credential     json.RawMessage `json:"credential,omitempty"`
	CredentialType string          `json:"credentialType,omitempty"`
}

// Password is the credential, if it is a string.
func (s Server) Password() (password string, ok bool) {
	if s.Credential == nil {
		return "", false
	}
	err := json.Unmarshal(s.Credential, &password)
	return password, err == nil
}

// Configuration is what a client is told about ICE. It marshals to a browser's
// RTCConfiguration: an empty object if there is nothing to tell.
type Configuration struct {
	Servers         []Server `json:"iceServers,omitempty"`
	TransportPolicy string   `json:"iceTransportPolicy,omitempty"` // "relay", or empty for any
}

// The kinds of credentials that the file may name.
const (
	typePassword = "password"
	typeOAuth    = "oauth"
	typeHMAC     = "hmac-sha1"
)

// sharedSecretLifetime is how long credentials derived from a shared secret are
// valid. A client keeps those that it got when it joined.
const sharedSecretLifetime = 24 * time.Hour

// entry is one server of the file. It is immutable.
type entry struct {
	urls       []string
	username   string
	credential json.RawMessage // nil if there is none
	secret     string          // of hmac-sha1
	kind       string          // one of the kinds above; empty if there is no credential
}

// server returns the entry as it is handed out at now.
func (e *entry) server(now time.Time) Server {
	if e.kind != typeHMAC {
		return Server{URLs: e.urls, Username: e.username, Credential: e.credential, CredentialType: e.kind}
	}
	username, password := sharedSecretCredentials(e.secret, e.username, now.Add(sharedSecretLifetime))
	return passwordServer(e.urls, username, password)
}

func passwordServer(urls []string, username, password string) Server {
	credential, err := json.Marshal(password)
	if err != nil {
		panic(err) // a string can always be marshalled
	}
	return Server{URLs: urls, Username: username, Credential: credential, CredentialType: typePassword}
}

// sharedSecretCredentials derives what a TURN server that knows the same secret
// accepts until expiry, as draft-uberti-behave-turn-rest §2.2 says.
func sharedSecretCredentials(secret, name string, expiry time.Time) (username, password string) {
	username = strconv.FormatInt(expiry.Unix(), 10)
	if name != "" {
		username += ":" + name
	}
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(username))
	return username, base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
