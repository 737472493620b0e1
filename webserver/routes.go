package webserver

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// maxRequestBody is the greatest body, in bytes, that any request may have.
const maxRequestBody = 1 << 20

// routes makes the handler of everything.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.serveFile)
	mux.HandleFunc("/group/", s.serveGroup)
	mux.HandleFunc("/ws", s.serveWebSocket)
	mux.HandleFunc("/public-groups.json", s.servePublicGroups)
	mux.HandleFunc("/recordings", s.serveRecordingsRoot)
	mux.HandleFunc("/recordings/", s.serveRecordings)
	mux.HandleFunc("/stats.json", s.serveStats)
	mux.HandleFunc("/"+statsPage, s.serveStatsPage)
	mux.HandleFunc("/healthz", s.serveHealth)
	mux.HandleFunc("/readyz", s.serveReadiness)
	mux.HandleFunc("/galene-api/", s.serveAPI)
	if s.metrics != nil {
		mux.HandleFunc("/metrics", s.serveMetrics)
	}
	return s.addressed(s.secure(s.clean(bound(mux))))
}

// bound limits what a client can send.
func bound(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxRequestBody)
		next.ServeHTTP(w, r)
	})
}

// clean redirects requests whose path has duplicate slashes or dot segments,
// encoded or not, so that handlers see one spelling of each path.
func (s *Server) clean(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cleaned := cleanPath(r.URL.Path); cleaned != r.URL.Path {
			s.redirectPath(w, r, cleaned)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func cleanPath(p string) string {
	cleaned := path.Clean("/" + p)
	if cleaned != "/" && strings.HasSuffix(p, "/") {
		cleaned += "/"
	}
	return cleaned
}

// redirectPath redirects to another path of this server for good, with the
// same query.
func (s *Server) redirectPath(w http.ResponseWriter, r *http.Request, path string) {
	target := &url.URL{Path: s.site().prefix() + path, RawQuery: r.URL.RawQuery}
	http.Redirect(w, r, target.String(), http.StatusPermanentRedirect)
}

// redirectOnce redirects in a way that the next request has to find out anew,
// since it depends on the configuration.
func redirectOnce(w http.ResponseWriter, r *http.Request, target string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, target, http.StatusTemporaryRedirect) //nolint:gosec // where to is an administrator's choice
}

// redirectCanonical sends a visitor to the server's canonical name, and
// reports whether it did.
func (s *Server) redirectCanonical(w http.ResponseWriter, r *http.Request) bool {
	target := s.site().canonical(r)
	if target == nil {
		return false
	}
	redirectOnce(w, r, target.String())
	return true
}

// readOnly refuses methods other than GET and HEAD, and reports whether the
// request may go on.
func readOnly(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	return false
}

// serveFile serves the web client's files.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request) {
	if s.redirectCanonical(w, r) || !readOnly(w, r) {
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	folder := strings.TrimSuffix(name, "/")
	if name != "" && folder == name {
		s.finish(w, r, s.files.serve(w, r, name))
		return
	}

	result := s.files.serve(w, r, path.Join(folder, "index.html"))
	if result == missing && s.files.isFolder(folder) || result == isFolder {
		result = forbidden // there is no listing
	}
	s.finish(w, r, result)
}

// finish replies when a file was not served.
func (s *Server) finish(w http.ResponseWriter, r *http.Request, result outcome) {
	switch result {
	case served:
	case missing:
		s.files.notFound(w)
	case isFolder:
		s.redirectPath(w, r, r.URL.Path+"/")
	case forbidden:
		http.Error(w, "Forbidden", http.StatusForbidden)
	case broken:
		http.Error(w, "internal server error", http.StatusInternalServerError)
	}
}
