package webserver

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// policy makes the value of Content-Security-Policy. authServer is the URL of
// a group's authorisation server, which its page may talk to; empty for none.
type policy func(authServer string) string

// embeddedPolicy is for our own client, which needs nothing from elsewhere, no
// inline script or style, and no evaluation of strings.
func embeddedPolicy(authServer string) string {
	return "default-src 'self'; connect-src " + connectSource(authServer) +
		"; img-src 'self' data: blob:; media-src blob: 'self'; script-src 'self'; style-src 'self'" +
		"; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
}

// foreignPolicy is for anybody's client, and as lenient as existing ones need:
// they play local files and compile WebAssembly.
func foreignPolicy(authServer string) string {
	return "connect-src " + connectSource(authServer) +
		"; img-src 'self'; media-src blob: 'self'; script-src 'unsafe-eval' 'self'; default-src 'self'"
}

func connectSource(authServer string) string {
	const own = "ws: wss: 'self'"
	if origin := originOf(authServer); origin != "" {
		return origin + " " + own
	}
	return own
}

// hostSource is what may stand for a host in a policy: a name or an address,
// perhaps with a port. It leaves no way to add a directive.
var hostSource = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

// originOf reduces a URL to its scheme and host. It returns the empty string
// if that is not an HTTP origin.
func originOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || !hostSource.MatchString(u.Host) {
		return ""
	}
	switch scheme := strings.ToLower(u.Scheme); scheme {
	case "http", "https":
		return scheme + "://" + u.Host
	}
	return ""
}

// secure sets the headers that every reply carries. Group pages replace the
// policy by their own.
func (s *Server) secure(next http.Handler) http.Handler {
	value := s.policy("")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", value)
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}
