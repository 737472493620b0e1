package webserver

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gorilla/websocket"

	"galene/config"
)

// eventually repeats the check until it passes.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestCanonicalHost(t *testing.T) {
	t.Parallel()
	plain := config.Settings{CanonicalHost: "Galene.example.org"}
	proxied := config.Settings{CanonicalHost: "galene.example.org", ProxyURL: "http://p.example.org/base/"}
	tests := []struct {
		name, method, target, host string
		settings                   config.Settings
		status                     int
		location                   string
	}{
		{"the right host", "GET", "/", "galene.example.org", plain, 200, ""},
		{"another host", "GET", "/", "other", plain, 307, "https://Galene.example.org/"},
		{"with a port", "GET", "/", "galene.example.org:8443", plain, 307, "https://Galene.example.org/"},
		{"a page with an invitation", "GET", "/group/open/?token=x%20y", "other", plain, 307, "https://Galene.example.org/group/open/?token=x%20y"},
		{"a status", "GET", "/group/open/.status", "other", plain, 307, "https://Galene.example.org/group/open/.status"},
		{"another method", "POST", "/group/open/.whip", "other", plain, 307, "https://Galene.example.org/group/open/.whip"},
		{"not for the list", "GET", "/public-groups.json", "other", plain, 200, ""},
		{"not for signalling", "GET", "/ws", "other", plain, 400, ""},
		{"not for the API", "GET", "/galene-api/", "other", plain, 404, ""},
		{"behind a proxy", "GET", "/docs/?a=b", "other", proxied, 307, "http://galene.example.org/base/docs/?a=b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.settings = tt.settings
			response := f.do(tt.method, tt.target, "Host: "+tt.host)
			if response.StatusCode != tt.status || response.Header.Get("Location") != tt.location {
				t.Errorf("%s %s on %s: status %d to %q, want %d to %q", tt.method, tt.target, tt.host,
					response.StatusCode, response.Header.Get("Location"), tt.status, tt.location)
			}
			if cached := response.Header.Get("Cache-Control"); tt.status == 307 && cached != "no-store" {
				t.Errorf("%s %s: Cache-Control is %q, want no-store", tt.method, tt.target, cached)
			}
		})
	}
}

func TestRedirectsKnowTheProxy(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.settings = config.Settings{ProxyURL: "https://p.example.org/base/"}
	f.check(t, []exchange{
		{"a group", "GET", "/group/open?x=1", nil, 308, []string{"Location: /base/group/open/?x=1"}, "*"},
		{"a directory", "GET", "/docs", nil, 308, []string{"Location: /base/docs/"}, "*"},
		{"an unclean path", "GET", "/docs//", nil, 308, []string{"Location: /base/docs/"}, "*"},
		{"the old status", "GET", "/group/open/.status.json", nil, 308, []string{"Location: /base/group/open/.status"}, "*"},
	})
}

func TestPagesKnowTheProxy(t *testing.T) {
	t.Parallel()
	const page, odd = `<a href="/"><script src="/js/a.js"></script>`, `/"b a&se`
	f := newFixture(t, func(o *Options) {
		o.Static = fstest.MapFS{
			"index.html": {Data: []byte(page)}, "galene.html": {Data: []byte(page)}, "404.html": {Data: []byte(page)},
			"js/a.js": {Data: []byte(`x="/y"`)},
		}
	})
	for _, tt := range []struct{ proxy, want string }{
		{"", page},
		{"https://p.example.org/", page},
		{"https://p.example.org/base/", `<a href="/base/"><script src="/base/js/a.js"></script>`},
		{"https://p.example.org/a/b", `<a href="/a/b/"><script src="/a/b/js/a.js"></script>`},
		{(&url.URL{Path: odd}).String(), `<a href="/%22b%20a&amp;se/"><script src="/%22b%20a&amp;se/js/a.js"></script>`},
	} {
		f.settings = config.Settings{ProxyURL: tt.proxy}
		var tags []string
		for _, path := range []string{"/", "/group/open/", "/nothing"} {
			response := f.do("GET", path)
			if got := body(t, response); got != tt.want || response.Header.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("%s behind %q is %s, want %s", path, tt.proxy, got, tt.want)
			}
			tags = append(tags, response.Header.Get("ETag"))
		}
		if again := f.do("GET", "/", "If-None-Match: "+tags[0]); again.StatusCode != 304 {
			t.Errorf("behind %q, the same page again: %d", tt.proxy, again.StatusCode)
		}
		if got := body(t, f.do("GET", "/js/a.js")); got != `x="/y"` {
			t.Errorf("behind %q, a script is %s", tt.proxy, got)
		}
	}
	theirs := t.TempDir()
	write(t, filepath.Join(theirs, "index.html"), page)
	foreign := newFixture(t, func(o *Options) { o.StaticDirectory = theirs })
	foreign.settings = config.Settings{ProxyURL: "https://p.example.org/base/"}
	if got := body(t, foreign.do("GET", "/")); got != page {
		t.Errorf("a page of somebody else's client became %s", got)
	}
}

func TestWebSocketOrigins(t *testing.T) {
	t.Parallel()
	listed := config.Settings{AllowOrigin: []string{"https://Friend.example.org:8443"}}
	proxied := config.Settings{ProxyURL: "https://p.example.org/base/"}
	tests := []struct {
		name     string
		settings config.Settings
		host     string // of the request; the server's if empty
		origin   string
		want     bool
	}{
		{"no origin", config.Settings{}, "", "", true},
		{"our own", config.Settings{}, "galene.example.org", "https://galene.example.org", true},
		{"our own, behind something that speaks TLS", config.Settings{}, "Galene.example.org:8443", "https://galene.example.org:8443", true},
		{"another port", config.Settings{}, "galene.example.org", "http://galene.example.org:81", false},
		{"foreign", config.Settings{}, "galene.example.org", "https://evil.example.org", false},
		{"opaque", config.Settings{}, "galene.example.org", "null", false},
		{"rubbish", config.Settings{}, "galene.example.org", "://", false},
		{"listed", listed, "galene.example.org", "https://friend.example.org:8443", true},
		{"listed with another port", listed, "galene.example.org", "https://friend.example.org", false},
		{"listed with a longer name", listed, "galene.example.org", "https://friend.example.org:84430", false},
		{"the proxy's", proxied, "backend:8443", "https://p.example.org", true},
		{"the proxy's without TLS", proxied, "backend:8443", "http://p.example.org", false},
		{"our own without the proxy's TLS", proxied, "p.example.org", "http://p.example.org", false},
		{"our own, on a way past the proxy", proxied, "backend:8443", "http://backend:8443", true},
		{"the canonical host", config.Settings{CanonicalHost: "canonical.example.org"}, "backend", "https://canonical.example.org", true},
		{"a public server", config.Settings{PublicServer: true}, "galene.example.org", "https://evil.example.org", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.settings = tt.settings
			server := httptest.NewServer(f)
			defer server.Close()
			header := http.Header{}
			if tt.host != "" {
				header.Set("Host", tt.host)
			}
			if tt.origin != "" {
				header.Set("Origin", tt.origin)
			}
			connection, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(server.URL, "http")+"/ws", header)
			if err == nil {
				_ = connection.Close()
			} else if !errors.Is(err, websocket.ErrBadHandshake) {
				t.Fatal(err)
			}
			want := http.StatusForbidden
			if tt.want {
				want = http.StatusSwitchingProtocols
			}
			if response.StatusCode != want {
				t.Errorf("origin %q on %q: status %d, want %d", tt.origin, tt.host, response.StatusCode, want)
			}
			_ = response.Body.Close()
		})
	}
}

func TestWebSocketNeedsAnUpgrade(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	if response := f.do("GET", "/ws"); response.StatusCode != http.StatusBadRequest {
		t.Errorf("GET /ws: status %d, want 400", response.StatusCode)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	handler := bound(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buffer := make([]byte, 64<<10)
		for {
			if _, err := r.Body.Read(buffer); err != nil {
				if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
					w.WriteHeader(http.StatusRequestEntityTooLarge)
				}
				return
			}
		}
	}))
	for size, want := range map[int]int{maxRequestBody: 200, maxRequestBody + 1: 413} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", size))))
		if w.Code != want {
			t.Errorf("a body of %d bytes: status %d, want %d", size, w.Code, want)
		}
	}
}
