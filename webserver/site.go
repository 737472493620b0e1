package webserver

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"galene/config"
)

// site is what the world calls this server: the part of the settings that
// says how it is reached, and from where. It is made for one request.
type site struct {
	canonicalHost string
	proxy         *url.URL // never nil; empty parts do not override anything
	origins       []string // further origins that may use the server
	adminOrigins  []string // further origins that may use the API
	public        bool     // every origin may use it
}

func newSite(c *config.Settings) site {
	s := site{
		canonicalHost: c.CanonicalHost,
		proxy:         new(url.URL),
		origins:       c.AllowOrigin,
		adminOrigins:  c.AllowAdminOrigin,
		public:        c.PublicServer,
	}
	if proxy, err := url.Parse(c.ProxyURL); err == nil {
		s.proxy = proxy
	}
	return s
}

// base returns the URL that published links start with. Its path has no final
// slash.
func (s site) base(r *http.Request) *url.URL {
	base := &url.URL{Scheme: "http", Host: r.Host, Path: s.prefix()}
	if r.TLS != nil {
		base.Scheme = "https"
	}
	if s.proxy.Scheme != "" {
		base.Scheme = s.proxy.Scheme
	}
	if s.proxy.Host != "" {
		base.Host = s.proxy.Host
	}
	return base
}

// prefix is the path under which a proxy shows the server, without final
// slash.
func (s site) prefix() string { return strings.TrimRight(s.proxy.Path, "/") }

// canonical returns where a request has to go instead, if it came under
// another name than the canonical one; otherwise nil.
func (s site) canonical(r *http.Request) *url.URL {
	if s.canonicalHost == "" || strings.EqualFold(s.canonicalHost, r.Host) {
		return nil
	}
	target := &url.URL{
		Scheme:   "https",
		Host:     s.canonicalHost,
		Path:     s.prefix() + r.URL.Path,
		RawQuery: r.URL.RawQuery,
	}
	if s.proxy.Scheme != "" {
		target.Scheme = s.proxy.Scheme
	}
	return target
}

// allows tells whether the page that makes the request may use the server:
// there is no page, it is our own, or its origin is in the configuration.
func (s site) allows(r *http.Request) bool {
	return s.public || s.permits(r, s.origins)
}

// administers tells whether the page that makes the request may use the API.
func (s site) administers(r *http.Request) bool { return s.permits(r, s.adminOrigins) }

// permits tells whether there is no page that makes the request, it is our own,
// or it is of one of the further origins.
func (s site) permits(r *http.Request, origins []string) bool {
	origin := r.Header.Get("Origin")
	return origin == "" || s.isOwn(origin, r.Host) ||
		slices.ContainsFunc(origins, func(o string) bool { return strings.EqualFold(o, origin) })
}

// sameOrigin tells whether the page that makes the request is our own, or there
// is none. A page that does not tell its origin may still have its browser tell
// whether that is ours.
func (s site) sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin != "" && origin != "null" {
		return s.isOwn(origin, r.Host)
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "":
		return origin == ""
	default:
		return false
	}
}

// isOwn tells whether an origin is this server, under the name of the request
// or a configured one. The scheme counts only for the proxy's name, with which
// the configuration gives it: under any other name another proxy may be in
// between, or none.
func (s site) isOwn(origin, requestHost string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	if strings.EqualFold(s.proxy.Host, u.Host) {
		return s.proxy.Scheme == "" || strings.EqualFold(s.proxy.Scheme, u.Scheme)
	}
	for _, host := range []string{requestHost, s.canonicalHost} {
		if host != "" && strings.EqualFold(host, u.Host) {
			return true
		}
	}
	return false
}
