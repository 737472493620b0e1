package webserver

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Whatever a client asks for, the server does not fail, its reply carries the
// security headers, nothing outside the static directory is served, and
// nobody is redirected to another server.
func FuzzServeHTTP(f *testing.F) {
	for _, path := range []string{
		"/", "/index.html", "/js", "/../secret", "/group/open", "/group/open/", "/group/sub/room/.status",
		"//evil.example.org/%2e%2e", "/\\evil.example.org", "/group/open/.whip/x", "/public-groups.json", "/a\x00b", "/link/secret",
	} {
		f.Add("GET", path, "gzip;q=0.5, *", "https://evil.example.org")
	}
	outside := f.TempDir()
	directory := filepath.Join(outside, "static")
	for name, contents := range client() {
		write(f, filepath.Join(directory, name), string(contents.Data))
	}
	write(f, filepath.Join(outside, "secret"), "the secret")
	symlink(f, outside, filepath.Join(directory, "link"))
	servers := []*fixture{
		newFixture(f, nil),
		newFixture(f, func(o *Options) { o.StaticDirectory = directory }),
	}
	safe := regexp.MustCompile(`^/([^/\\]|$)`)

	f.Fuzz(func(t *testing.T, method, path, encoding, origin string) {
		for _, server := range servers {
			r := &http.Request{
				Method: method, URL: &url.URL{Path: path}, Host: "example.org", Body: http.NoBody,
				Header: http.Header{"Accept-Encoding": {encoding}, "Origin": {origin}},
			}
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r.WithContext(t.Context()))
			broken := strings.HasPrefix(cleanPath(path), "/group/broken")
			if w.Code >= http.StatusInternalServerError && !broken {
				t.Errorf("%s %q: status %d", method, path, w.Code)
			}
			if w.Header().Get("Content-Security-Policy") == "" {
				t.Errorf("%s %q: no policy", method, path)
			}
			if location := w.Header().Get("Location"); location != "" && !safe.MatchString(location) && !moved(path) {
				t.Errorf("%s %q: redirected to %q", method, path, location)
			}
			if strings.Contains(w.Body.String(), "the secret") {
				t.Errorf("%s %q: served what is outside", method, path)
			}
		}
	})
}

// moved tells whether a path is that of a group which is on another server.
func moved(path string) bool {
	return path == "/group/moved/" || path == "/group/querying/"
}
