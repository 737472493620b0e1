package webserver

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"galene/config"
	"galene/group"
	"galene/internal/testlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	wantEmbeddedPolicy = "default-src 'self'; connect-src ws: wss: 'self'; img-src 'self' data: blob:; " +
		"media-src blob: 'self'; script-src 'self'; style-src 'self'; object-src 'none'; base-uri 'none'; " +
		"frame-ancestors 'none'; form-action 'self'"
	wantForeignPolicy = "connect-src ws: wss: 'self'; img-src 'self'; media-src blob: 'self'; " +
		"script-src 'unsafe-eval' 'self'; default-src 'self'"
)

// longScript is big enough to be compressed.
var longScript = strings.Repeat("console.log('hello');\n", 200)

// client is a small web client.
func client() fstest.MapFS {
	return fstest.MapFS{
		"index.html":             {Data: []byte("landing")},
		"stats.html":             {Data: []byte("numbers")},
		"galene.html":            {Data: []byte("meeting")},
		"404.html":               {Data: []byte("nothing here")},
		"js/main.js":             {Data: []byte(longScript)},
		"js/small.js":            {Data: []byte("1")},
		"docs/index.html":        {Data: []byte("docs")},
		"third-party/lib/lib.js": {Data: []byte("lib")},
	}
}

// definitions are the groups of the tests.
var definitions = map[string]string{
	"open":       `{"public": true, "displayName": "Open <house>", "description": "all welcome", "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}`,
	"closed":     `{"description": "members only"}`,
	"sub/room":   `{}`,
	"Grüße & so": `{"public": true}`,
	"moved":      `{"public": true, "redirect": "https://other.example.org/group/moved/"}`,
	"querying":   `{"redirect": "https://other.example.org/?room=7"}`,
	"broken":     `{"public": `,
	"auth":       `{"authServer": "https://auth.example.org:4433/path?x=1"}`,
	"inject":     `{"authServer": "https://auth.example.org; script-src *"}`,
}

// fixture is a server without sockets, and what it depends on.
type fixture struct {
	*Server
	settings config.Settings // to be set before the first request
	log      *testlog.Journal
}

// upgradeOnly is a signalling server that closes each connection at once.
type upgradeOnly struct{}

func (upgradeOnly) ServeWebSocket(w http.ResponseWriter, r *http.Request) {
	u := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	if connection, err := u.Upgrade(w, r, nil); err == nil {
		_ = connection.Close()
	}
}

func newFixture(tb testing.TB, change func(*Options)) *fixture {
	tb.Helper()
	groups := tb.TempDir()
	for name, definition := range definitions {
		write(tb, filepath.Join(groups, filepath.FromSlash(name)+".json"), definition)
	}
	f := &fixture{log: new(testlog.Journal)}
	log := f.log.Logger()
	settings := func() *config.Settings { return &f.settings }
	registry := group.NewRegistry(group.Options{Directory: groups, Settings: settings, Log: log})
	options := Options{
		Registry:   registry,
		WebSockets: upgradeOnly{},
		Settings:   settings,
		Static:     client(),
		Data:       tb.TempDir(),
		Insecure:   true,
		Log:        log,
	}
	if change != nil {
		change(&options)
	}
	server, err := New(options)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	f.Server = server
	tb.Cleanup(func() { server.Shutdown(tb.Context()) })
	return f
}

// serve has f serve on a socket of its own until the test ends, and returns the address.
func (f *fixture) serve(t *testing.T) string {
	t.Helper()
	return f.serveThrough(t, func(l net.Listener) net.Listener { return l })
}

// serveThrough is serve where connections pass through what wrap returns.
func (f *fixture) serveThrough(t *testing.T, wrap func(net.Listener) net.Listener) string {
	t.Helper()
	listener, err := Listen(t.Context(), "127.0.0.1:0", 0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- f.Serve(wrap(listener)) }()
	t.Cleanup(func() {
		f.Shutdown(t.Context())
		if err := <-done; err != nil {
			t.Errorf("Serve after Shutdown: %v, want nil", err)
		}
	})
	return listener.Addr().String()
}

// do sends a request to example.org. headers are "Name: value".
func (f *fixture) do(method, target string, headers ...string) *http.Response {
	if strings.HasPrefix(target, "/") {
		target = "http://example.org" + target
	}
	r := httptest.NewRequest(method, target, nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			r.Host = value
		} else {
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, response *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("read body: %v", err)
	}
	return string(data)
}

func write(tb testing.TB, path, contents string) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(contents), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func symlink(tb testing.TB, target, link string) {
	tb.Helper()
	if err := os.Symlink(target, link); err != nil {
		tb.Fatal(err)
	}
}

// exchange is a row of a table of requests and replies.
type exchange struct {
	name, method, target string
	headers              []string // of the request, "Name: value"
	status               int
	want                 []string // headers of the reply; "Name: " for one that must be absent
	body                 string   // exact body; not checked if it is "*"
}

func (f *fixture) check(t *testing.T, tests []exchange) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			response := f.do(tt.method, tt.target, tt.headers...)
			if response.StatusCode != tt.status {
				t.Errorf("%s %s: status %d, want %d", tt.method, tt.target, response.StatusCode, tt.status)
			}
			for _, header := range tt.want {
				name, want, _ := strings.Cut(header, ": ")
				if got := response.Header.Get(name); got != want {
					t.Errorf("%s %s: %s is %q, want %q", tt.method, tt.target, name, got, want)
				}
			}
			if got := body(t, response); tt.body != "*" && got != tt.body {
				t.Errorf("%s %s: body %q, want %q", tt.method, tt.target, got, tt.body)
			}
		})
	}
}
