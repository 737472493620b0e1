package webserver

import (
	"errors"
	"net/http"
	"strings"

	"galene/group"
)

const (
	groupPrefix = "/group/"
	groupPage   = "galene.html"
)

// splitGroup takes the path of a group's resource apart: the group's name, the
// kind of resource, which starts with a dot, and what follows the kind. The
// kind is empty for the group's page; slash tells whether the page's path has
// its final slash. ok is false for a path that cannot be a group's.
func splitGroup(urlPath string) (name, kind, rest string, slash, ok bool) {
	name = strings.TrimPrefix(urlPath, groupPrefix)
	if strings.HasPrefix(name, ".") {
		return "", "", "", false, false
	}
	name, kind, found := strings.Cut(name, "/.")
	if found {
		kind, rest, found = strings.Cut("."+kind, "/")
		if found {
			rest = "/" + rest
		}
		return name, kind, rest, false, name != ""
	}
	name, slash = strings.CutSuffix(name, "/")
	return name, "", "", slash, name != ""
}

// serveGroup serves everything about one group.
func (s *Server) serveGroup(w http.ResponseWriter, r *http.Request) {
	name, kind, rest, slash, ok := splitGroup(r.URL.Path)
	if d, found := doorOf(kind); ok && found {
		s.serveDoor(w, r, d, name, rest)
		return
	}
	if s.redirectCanonical(w, r) {
		return
	}
	switch {
	case !ok, rest != "":
		s.files.notFound(w)
	case kind == "":
		s.serveGroupPage(w, r, name, slash)
	case kind == ".status":
		s.serveStatus(w, r, name)
	case kind == ".status.json":
		if s.exists(w, name) && readOnly(w, r) {
			s.redirectPath(w, r, groupPrefix+name+"/.status")
		}
	default:
		s.files.notFound(w)
	}
}

// serveGroupPage serves the page on which one enters a group.
func (s *Server) serveGroupPage(w http.ResponseWriter, r *http.Request, name string, slash bool) {
	description, err := s.registry.Description(name)
	switch {
	case err != nil:
		s.failGroup(w, name, err)
	case !readOnly(w, r):
	case !slash:
		s.redirectPath(w, r, r.URL.Path+"/")
	case description.Redirect != "":
		redirectOnce(w, r, withQuery(description.Redirect, r.URL.RawQuery))
	default:
		if description.AuthServer != "" {
			w.Header().Set("Content-Security-Policy", s.policy(description.AuthServer))
		}
		s.finish(w, r, s.files.serve(w, r, groupPage))
	}
}

// withQuery hands a visitor's query on to the address of a moved group, unless
// that has one of its own.
func withQuery(target, query string) string {
	if query == "" || strings.ContainsAny(target, "?#") {
		return target
	}
	return target + "?" + query
}

// exists tells whether there is a usable group of that name, and replies if
// not.
func (s *Server) exists(w http.ResponseWriter, name string) bool {
	_, err := s.registry.Description(name)
	if err != nil {
		s.failGroup(w, name, err)
	}
	return err == nil
}

// failGroup replies that a group cannot be used. It is the only place where
// the registry's errors become HTTP statuses.
func (s *Server) failGroup(w http.ResponseWriter, name string, err error) {
	if errors.Is(err, group.ErrNotFound) || errors.Is(err, group.ErrInvalidName) {
		s.files.notFound(w)
		return
	}
	if _, ok := errors.AsType[*group.DefinitionError](err); !ok { // which the registry logs, once
		s.log.Error("cannot use a group", "group", name, "error", err)
	}
	http.Error(w, "internal server error", http.StatusInternalServerError)
}
