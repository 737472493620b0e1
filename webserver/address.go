package webserver

import (
	"net/http"
	"slices"
	"strings"

	"galene/config"
	"galene/group"
)

// maxHops bounds the proxies that one request may have come through.
const maxHops = 32

// addressed has requests that come through a trusted proxy bear the address of
// the client, for logs and limits.
func (s *Server) addressed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if values := r.Header.Values("X-Forwarded-For"); len(values) > 0 {
			r.RemoteAddr = clientAddress(r.RemoteAddr, values, s.settings())
		}
		next.ServeHTTP(w, r)
	})
}

// clientAddress tells from where a request comes. forwarded are the values of
// X-Forwarded-For: to their end each proxy adds its peer. They are believed from
// there as far as proxies are trusted, since anybody can write the rest. peer is
// returned if it is none of them.
func clientAddress(peer string, forwarded []string, settings *config.Settings) string {
	if !settings.Trusts(group.ParseAddress(peer)) {
		return peer
	}
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for i, hop := range slices.Backward(hops) {
		address := group.ParseAddress(strings.Trim(strings.TrimSpace(hop), "[]"))
		if !address.IsValid() {
			address = group.ParseAddress(strings.TrimSpace(hop)) // with brackets and a port
		}
		if !address.IsValid() || len(hops)-i > maxHops {
			return peer // what trusted proxies have said so far
		}
		peer = address.Unmap().WithZone("").String()
		if !settings.Trusts(address) {
			return peer
		}
	}
	return peer
}
