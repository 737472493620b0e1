package webserver

import (
	"io"
	"net/http"
	"strconv"
)

// serveHealth tells whoever watches the server that it lives: it takes requests
// and answers them.
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) {
	if readOnly(w, r) {
		reportHealth(w, http.StatusOK, "ok\n")
	}
}

// serveReadiness tells whoever balances loads whether visitors should be sent
// here: not while the server ends, and not while it has no certificate to show.
// Reasons are for the log, since anybody may ask.
func (s *Server) serveReadiness(w http.ResponseWriter, r *http.Request) {
	switch {
	case !readOnly(w, r):
	case s.closing.Load(), s.certificates != nil && !s.certificates.ready():
		reportHealth(w, http.StatusServiceUnavailable, "not ready\n")
	default:
		reportHealth(w, http.StatusOK, "ready\n")
	}
}

func reportHealth(w http.ResponseWriter, status int, text string) {
	header := w.Header()
	header.Set("Content-Type", contentTypes[".txt"])
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the client has gone if it fails
}
