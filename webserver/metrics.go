package webserver

import "net/http"

// metricsRealm is what a scraper's credentials are for.
const metricsRealm = "galene"

// serveMetrics serves metrics to who administers the server, for systems that
// have no other way to them.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	if readOnly(w, r) && s.requireAdmin(w, r, metricsRealm) {
		w.Header().Set("Cache-Control", "no-cache")
		s.metrics.ServeHTTP(w, r)
	}
}
