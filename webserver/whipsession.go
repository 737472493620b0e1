package webserver

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"galene/signalling"
)

// serveDoorSession serves one session: it takes candidates, restarts ICE, and ends
// it.
func (s *Server) serveDoorSession(w http.ResponseWriter, r *http.Request, d door, name, key string) {
	session, ok := s.media.HTTPSession(d.kind, name, key)
	if !ok && !isPreflight(r) {
		s.files.notFound(w)
		return
	}
	const methods = "OPTIONS, DELETE, PATCH"
	if r.Method == http.MethodOptions {
		header := w.Header()
		header.Set("Allow", methods)
		header.Set("Accept-Patch", typeFragment)
		header.Set("Access-Control-Allow-Methods", methods)
		header.Set("Access-Control-Allow-Headers", allowedHeaders)
		return
	}
	if _, proof := mediaCredentials(r, d.username); !session.Authorised(proof) {
		http.Error(w, "not the credentials with which the session was made", http.StatusForbidden)
		return
	}
	switch r.Method {
	case http.MethodDelete:
		s.failSession(w, session.End(conditions(r)))
	case http.MethodPatch:
		s.patchSession(w, r, session)
	default:
		refuseMethod(w, methods)
	}
}

// isPreflight tells whether a browser asks for permission (Fetch §4.9). The answer
// depends on no session: where that has ended, the request itself is to fail, in
// a way that its page can read.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// patchSession adds candidates to a session, or restarts its ICE.
func (s *Server) patchSession(w http.ResponseWriter, r *http.Request, session *signalling.HTTPSession) {
	matches := conditions(r)
	if !matches(session.ETag()) {
		s.failSession(w, signalling.ErrPrecondition)
		return
	}
	if !hasType(r, typeFragment) {
		refuseType(w, typeFragment)
		return
	}
	text, ok := readText(w, r, maxOffer)
	if !ok {
		return
	}
	reply, etag, err := session.Patch(r.Context(), matches, text)
	switch {
	case err != nil:
		s.failSession(w, err)
	case reply == "":
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Content-Type", typeFragment)
		w.Header().Set("ETag", etag)
		_, _ = io.WriteString(w, reply) //nolint:gosec // a fragment of ours, of its own type
	}
}

// failSession replies why a session did not do what it was asked for; nothing if
// it did.
func (s *Server) failSession(w http.ResponseWriter, err error) {
	fault, malformed := errors.AsType[*signalling.FragmentError](err)
	switch {
	case err == nil:
	case malformed:
		http.Error(w, fault.Text, http.StatusBadRequest)
	case errors.Is(err, signalling.ErrSessionOver):
		s.files.notFound(w)
	case errors.Is(err, signalling.ErrPrecondition):
		http.Error(w, "precondition failed", http.StatusPreconditionFailed)
	default:
		s.log.Warn("ICE could not be restarted", "error", err)
		http.Error(w, "ICE could not be restarted", http.StatusInternalServerError)
	}
}

// conditions tells what a request demands of the entity tag (RFC 9110 §13.1.1 and
// §13.1.2). Without demands every tag will do.
func conditions(r *http.Request) func(etag string) bool {
	match, noneMatch := r.Header.Values("If-Match"), r.Header.Values("If-None-Match")
	return func(etag string) bool {
		return (len(match) == 0 || lists(match, etag)) && (len(noneMatch) == 0 || !lists(noneMatch, etag))
	}
}

// lists tells whether the values of a header name a tag or any. RFC 9725 has "*"
// in quotes in its examples. Our tags have no commas.
func lists(values []string, etag string) bool {
	for _, value := range values {
		for tag := range strings.SplitSeq(value, ",") {
			if tag = strings.TrimSpace(tag); tag == "*" || tag == `"*"` || tag == etag {
				return true
			}
		}
	}
	return false
}

// hasType tells whether a request's body is of a media type, whatever its
// parameters.
func hasType(r *http.Request, want string) bool {
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return (err == nil || errors.Is(err, mime.ErrInvalidMediaParameter)) && got == want
}

func refuseType(w http.ResponseWriter, want string) {
	w.Header().Set("Accept", want)
	http.Error(w, "the content type is not "+want, http.StatusUnsupportedMediaType)
}
