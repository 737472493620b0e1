package webserver

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"galene/group"
)

// serveStatus tells the world about one group.
func (s *Server) serveStatus(w http.ResponseWriter, r *http.Request, name string) {
	site := s.site()
	if !crossOrigin(w, r, site) {
		return
	}
	status, err := s.registry.Status(name)
	if err != nil {
		s.failGroup(w, name, err)
		return
	}
	site.locate(r, &status)
	s.writeJSON(w, status)
}

// servePublicGroups lists the public groups.
func (s *Server) servePublicGroups(w http.ResponseWriter, r *http.Request) {
	site := s.site()
	if !crossOrigin(w, r, site) {
		return
	}
	statuses := s.registry.PublicStatuses()
	for i := range statuses {
		site.locate(r, &statuses[i])
	}
	s.writeJSON(w, statuses)
}

// locate fills in the URLs of a group: its page, and where its clients connect
// to.
func (s site) locate(r *http.Request, status *group.Status) {
	base := s.base(r)
	page := *base
	page.Path = base.Path + groupPrefix + status.Name + "/"
	status.Location = page.String()

	endpoint := url.URL{Scheme: "wss", Host: base.Host, Path: base.Path + "/ws"}
	if base.Scheme == "http" {
		endpoint.Scheme = "ws"
	}
	status.Endpoint = endpoint.String()
}

// crossOrigin lets pages of allowed origins read the reply, and answers what
// is not a GET or HEAD request. It reports whether the request may go on.
func crossOrigin(w http.ResponseWriter, r *http.Request, site site) bool {
	header := w.Header()
	header.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	allowed := origin != "" && site.allows(r)
	if allowed {
		header.Set("Access-Control-Allow-Origin", origin)
	}
	if r.Method != http.MethodOptions {
		return readOnly(w, r)
	}
	header.Set("Allow", "OPTIONS, GET, HEAD")
	if allowed {
		header.Set("Access-Control-Allow-Methods", "OPTIONS, GET, HEAD")
	}
	return false
}

// writeJSON replies with a value that changes all the time.
func (s *Server) writeJSON(w http.ResponseWriter, value any) {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(value); err != nil {
		s.log.Error("cannot encode a reply", "error", err)
		http.Error(w, "internal server error", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-cache")
	header.Set("Content-Length", strconv.Itoa(body.Len()))
	_, _ = w.Write(body.Bytes()) // the client has gone if it fails
}
