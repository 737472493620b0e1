package webserver

import (
	"net/http"
	"net/url"
	"strings"

	"galene/group"
	"galene/ice"
)

// mediaCredentials returns what a request offers, as credentialsOf has it, or else
// a user without password. A client that names no user is called username. The
// proof is what was offered, as one secret; it is empty if nothing was.
func mediaCredentials(r *http.Request, username string) (c group.Credentials, proof string) {
	c = credentialsOf(r)
	switch {
	case c.Token != "":
		c.Username = &username
		return c, "bearer\x00" + c.Token
	case c.Username != nil:
		return c, "basic\x00" + *c.Username + "\x00" + c.Password
	default:
		c.Username = &username
		return c, ""
	}
}

// challenge asks for credentials for a group.
func challenge(w http.ResponseWriter, name string) {
	realm := (&url.URL{Path: groupPrefix + name + "/"}).EscapedPath() // has no quotes
	w.Header().Add("WWW-Authenticate", `Bearer realm="`+realm+`"`)
	w.Header().Add("WWW-Authenticate", `Basic realm="`+realm+`", charset="UTF-8"`)
}

// linkICEServers tells a client of the ICE servers (RFC 9725 §4.6). What tells
// the client from others is client.
func (s *Server) linkICEServers(w http.ResponseWriter, client string) {
	if s.iceServers == nil {
		return
	}
	for _, server := range s.iceServers(client) {
		for _, address := range server.URLs {
			if link, ok := iceLink(address, server); ok {
				w.Header().Add("Link", link)
			}
		}
	}
}

// iceLink is the value of one Link header. There is none for servers that want
// something else than a password.
func iceLink(address string, server ice.Server) (string, bool) {
	scheme, _, _ := strings.Cut(address, ":")
	link := "<" + address + `>; rel="ice-server"`
	switch strings.ToLower(scheme) {
	case "stun", "stuns":
		return link, !strings.ContainsAny(address, "<>\r\n")
	case "turn", "turns":
		password, ok := server.Password()
		if !ok || strings.ContainsAny(address, "<>\r\n") {
			return "", false
		}
		return link + `; username=` + quote(server.Username) + `; credential=` + quote(password) +
			`; credential-type="password"`, true
	default:
		return "", false
	}
}

// quote makes a quoted-string (RFC 9110 §5.6.4).
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
