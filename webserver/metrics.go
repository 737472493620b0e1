package webserver

import (
	"errors"
	"net/http"
	"strings"

	"galene/group"
)

// serveMetrics serves metrics to who administers the server, for systems that
// have no other way to them.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) {
		return
	}
	_, err := s.registry.Authenticate(r.Context(), "", scraperCredentials(r))
	switch {
	case err == nil:
		w.Header().Set("Cache-Control", "no-cache")
		s.metrics.ServeHTTP(w, r)
	case errors.Is(err, group.ErrUnauthorised):
		w.Header().Set("WWW-Authenticate", `basic realm="galene"`)
		http.Error(w, "not authorised", http.StatusUnauthorized)
	case errors.Is(err, group.ErrBusy):
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many attempts, try again later", http.StatusTooManyRequests)
	default:
		s.log.Error("cannot authenticate an administrator", "error", err)
		http.Error(w, "internal server error", http.StatusInternalServerError)
	}
}

// scraperCredentials returns the token (RFC 6750 §2.1) or the username and password
// (RFC 7617) of a request, as far as it has any.
func scraperCredentials(r *http.Request) group.Credentials {
	c := group.Credentials{Address: group.ParseAddress(r.RemoteAddr)}
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "bearer") {
		c.Token = strings.TrimSpace(token)
	} else if username, password, ok := r.BasicAuth(); ok {
		c.Username, c.Password = &username, password
	}
	return c
}
