package webserver

import "net/http"

const statsPage = "stats.html"

// requireAdmin replies to whoever does not administer the server, and reports
// whether the request may go on. Browsers ask for a password once per realm.
func (s *Server) requireAdmin(w http.ResponseWriter, r *http.Request, realm string) bool {
	_, err := s.registry.Authenticate(r.Context(), "", credentialsOf(r))
	if err == nil {
		return true
	}
	if !refuse(w, err, `basic realm="`+realm+`"`) {
		s.log.Error("cannot authenticate an administrator", "error", err)
		http.Error(w, "internal server error", http.StatusInternalServerError)
	}
	return false
}

// serveStats serves the statistics of all groups, like the API does.
func (s *Server) serveStats(w http.ResponseWriter, r *http.Request) {
	switch {
	case !readOnly(w, r) || !s.requireAdmin(w, r, apiRealm):
	case s.stats == nil:
		http.NotFound(w, r)
	default:
		s.writeJSON(w, s.stats())
	}
}

// serveStatsPage serves the page that shows them.
func (s *Server) serveStatsPage(w http.ResponseWriter, r *http.Request) {
	if !s.redirectCanonical(w, r) && readOnly(w, r) && s.requireAdmin(w, r, apiRealm) {
		s.finish(w, r, s.files.serve(w, r, statsPage))
	}
}
