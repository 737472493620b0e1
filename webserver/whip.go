package webserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"galene/group"
	"galene/rtpconn"
	"galene/signalling"
)

const (
	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"

	// maxOffer bounds the session description of a request, in bytes.
	maxOffer = 128 << 10
)

// Headers for pages of other origins.
const (
	allowedHeaders = "Authorization, Content-Type, If-Match, If-None-Match"
	exposedHeaders = "Location, Content-Type, Link, ETag"
)

// door is a way to exchange media over HTTP, without a page: an endpoint below the
// group's path, and a URL for each session below that.
type door struct {
	name     string // the last part of the endpoint's path
	kind     group.MemberKind
	username string // of clients that name none
	open     func(context.Context, *signalling.Server, signalling.HTTPOffer, url.Values) (*signalling.HTTPSession, string, error)
}

// doorOf finds a door by its name.
func doorOf(name string) (door, bool) {
	switch name {
	case whip().name:
		return whip(), true
	case whep().name:
		return whep(), true
	default:
		return door{}, false
	}
}

// whip is the door for publishers (RFC 9725).
func whip() door {
	return door{
		name: ".whip", kind: group.WHIPMember, username: "whip",
		open: func(ctx context.Context, s *signalling.Server, o signalling.HTTPOffer, _ url.Values) (*signalling.HTTPSession, string, error) {
			return s.Publish(ctx, o)
		},
	}
}

// serveDoor serves a group's endpoint, or a session below it.
func (s *Server) serveDoor(w http.ResponseWriter, r *http.Request, d door, name, rest string) {
	if s.media == nil {
		if !s.redirectCanonical(w, r) {
			s.files.notFound(w)
		}
		return
	}
	s.allowOrigin(w, r)
	if key, ok := strings.CutPrefix(rest, "/"); ok && key != "" {
		s.serveDoorSession(w, r, d, name, key)
		return
	}
	// A preflight cannot be redirected.
	if r.Method != http.MethodOptions && s.redirectCanonical(w, r) {
		return
	}
	description, err := s.registry.Description(name)
	switch {
	case err != nil:
		s.failGroup(w, name, err)
	case r.Method == http.MethodOptions:
		s.preflightDoor(w, r, d, name)
	case r.Method != http.MethodPost:
		refuseMethod(w, "OPTIONS, POST")
	case description.Redirect != "":
		redirectOnce(w, r, below(description.Redirect, d.name, r))
	default:
		s.openDoor(w, r, d, name)
	}
}

// allowOrigin lets pages of allowed origins read the reply. Requests of others
// are served all the same: without a page anybody can make them.
func (s *Server) allowOrigin(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" && s.site().allows(r) {
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Expose-Headers", exposedHeaders)
	}
}

func refuseMethod(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
}

// below appends the name of a door to the address of a moved group, and what the
// client asked for there.
func below(redirect, name string, r *http.Request) string {
	target, err := url.Parse(redirect)
	if err != nil {
		return redirect
	}
	target = target.JoinPath(name)
	if target.RawQuery == "" {
		target.RawQuery = r.URL.RawQuery
	}
	return target.String()
}

// preflightDoor replies to OPTIONS, which pages of other origins need without
// credentials. ICE servers are only for who has them.
func (s *Server) preflightDoor(w http.ResponseWriter, r *http.Request, d door, name string) {
	header := w.Header()
	header.Set("Allow", "OPTIONS, POST")
	header.Set("Accept-Post", typeSDP)
	header.Set("Access-Control-Allow-Methods", "OPTIONS, POST")
	header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	header.Set("Access-Control-Expose-Headers", "Link")
	credentials, proof := mediaCredentials(r, d.username)
	if proof == "" {
		return
	}
	who, err := s.registry.Authenticate(r.Context(), name, credentials)
	if err == nil && (d.kind != group.WHIPMember || who.Permissions.Has(group.PermissionPresent)) {
		s.linkICEServers(w, r.RemoteAddr)
	}
}

// openDoor makes a session of what a client offers.
func (s *Server) openDoor(w http.ResponseWriter, r *http.Request, d door, name string) {
	if !hasType(r, typeSDP) {
		refuseType(w, typeSDP)
		return
	}
	sdp, ok := readText(w, r, maxOffer)
	if !ok {
		return
	}
	credentials, proof := mediaCredentials(r, d.username)
	session, answer, err := d.open(r.Context(), s.media, signalling.HTTPOffer{
		Group: name, Credentials: credentials, Proof: proof, SDP: sdp, Address: r.RemoteAddr,
	}, r.URL.Query())
	if err != nil {
		s.failDoor(w, r, d, name, err)
		return
	}
	location := &url.URL{Path: s.site().prefix() + groupPrefix + name + "/" + d.name + "/" + session.Key()}
	header := w.Header()
	header.Set("Content-Type", typeSDP)
	header.Set("Location", location.EscapedPath())
	header.Set("ETag", session.ETag())
	header.Set("Access-Control-Expose-Headers", exposedHeaders)
	s.linkICEServers(w, session.ID())
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, answer) // the client has gone if it fails; the session will
}

// readText reads the body of a request, and replies if it is too long. It never
// holds more than most bytes: whoever sends them may be nobody yet, and take all
// the time there is for the rest.
func readText(w http.ResponseWriter, r *http.Request, most int64) (string, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	_, tooLong := errors.AsType[*http.MaxBytesError](err)
	switch {
	case tooLong:
		http.Error(w, "request body too large", http.StatusRequestEntityTooLarge)
		return "", false
	case err != nil:
		http.Error(w, "request body could not be read", http.StatusBadRequest)
		return "", false
	}
	return string(body), true
}

// How many seconds a client should wait before it tries again.
const (
	retrySoon  = "2"
	retryLater = "10"
)

// failDoor replies that no session was made, and why.
func (s *Server) failDoor(w http.ResponseWriter, r *http.Request, d door, name string, err error) {
	if refusal, ok := errors.AsType[*group.JoinError](err); ok {
		s.failJoin(w, r, d, name, refusal)
		return
	}
	if fault, ok := errors.AsType[*rtpconn.NegotiationError](err); ok {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*rtpconn.UnsupportedError](err); ok {
			status = http.StatusNotAcceptable
		}
		http.Error(w, fault.Text, status)
		return
	}
	switch {
	case errors.Is(err, signalling.ErrLongOffer):
		http.Error(w, "request body too large", http.StatusRequestEntityTooLarge)
	case errors.Is(err, signalling.ErrTooManySessions):
		refuseForNow(w, "too many sessions", http.StatusServiceUnavailable, retryLater)
	case errors.Is(err, signalling.ErrNoStream):
		refuseForNow(w, "there is no such stream yet", http.StatusConflict, retrySoon)
	case errors.Is(err, signalling.ErrStopping), errors.Is(err, rtpconn.ErrClosed):
		refuseForNow(w, "server is shutting down", http.StatusServiceUnavailable, retryLater)
	case errors.Is(err, signalling.ErrSessionOver):
		refuseForNow(w, "the session has ended", http.StatusServiceUnavailable, retryLater)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		refuseForNow(w, "the server is busy, please try again", http.StatusServiceUnavailable, retrySoon)
	case errors.Is(err, group.ErrNotPermitted), errors.Is(err, group.ErrNotMember):
		http.Error(w, "you are not permitted to publish in this group", http.StatusForbidden)
	default:
		s.log.Error("no session was made", "door", d.name, "group", name, "error", err)
		http.Error(w, "internal server error", http.StatusInternalServerError)
	}
}

// refuseForNow replies that it may be different after some seconds.
func refuseForNow(w http.ResponseWriter, text string, status int, seconds string) {
	header := w.Header()
	header.Set("Retry-After", seconds)
	if header.Get("Access-Control-Expose-Headers") != "" {
		header.Set("Access-Control-Expose-Headers", exposedHeaders+", Retry-After")
	}
	http.Error(w, text, status)
}

// failJoin replies that somebody could not join.
func (s *Server) failJoin(w http.ResponseWriter, r *http.Request, d door, name string, refusal *group.JoinError) {
	switch {
	case refusal.Redirect != "":
		redirectOnce(w, r, below(refusal.Redirect, d.name, r))
	case errors.Is(refusal, group.ErrBusy), errors.Is(refusal, group.ErrUnavailable):
		text := refusal.Text
		if errors.Is(refusal, group.ErrUnauthorised) {
			text = "too many attempts, please try again later"
		}
		refuseForNow(w, text, http.StatusServiceUnavailable, retryLater)
	case errors.Is(refusal, group.ErrUnauthorised):
		challenge(w, name)
		http.Error(w, refusal.Text, http.StatusUnauthorized)
	case errors.Is(refusal, group.ErrInternal):
		s.failGroup(w, name, refusal)
	case errors.Is(refusal, group.ErrNotFound):
		s.files.notFound(w)
	case refusal.ID != "":
		http.Error(w, refusal.Text, http.StatusConflict)
	default:
		http.Error(w, refusal.Text, http.StatusForbidden)
	}
}
