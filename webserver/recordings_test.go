package webserver

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// oddName is a file's name that has to be escaped in pages and addresses.
const oddName = `100% <b>"loud"?#&.webm`

// evilGroup is a group whose name is markup. It has no file: its members have
// chosen the name.
const evilGroup = `room/<script>alert(1)<`

// newArchive is a server with recordings of the group "room".
func newArchive(t *testing.T) (a *admin, directory string) {
	t.Helper()
	directory = t.TempDir()
	a = newAdmin(t, func(o *Options) { o.Recordings = directory })
	write(t, filepath.Join(a.groups, "room.json"), `{"allow-recording": true, "auto-subgroups": true, "users": {
		"ada": {"password": "ada's", "permissions": "op"},
		"root": {"password": "root's", "permissions": "present"},
		"bob": {"password": "bob's", "permissions": "present"}}}`)
	for name, contents := range map[string]string{
		"room/2026-01-02T03:04:05.678-ada.webm": strings.Repeat("x", 2500),
		"room/" + oddName:                       "odd",
		"room/page.html":                        "<script>alert(1)</script>",
		"room/.hidden.webm":                     "hidden",
		"room/sub/inner.webm":                   "inner",
		"room/v1.2/inner.webm":                  "inner",
		evilGroup + "/a.webm":                   "evil",
		"orphan/a.webm":                         "orphan",
	} {
		write(t, filepath.Join(directory, filepath.FromSlash(name)), contents)
	}
	outside := t.TempDir()
	write(t, filepath.Join(outside, "secret"), "the secret")
	symlink(t, filepath.Join(outside, "secret"), filepath.Join(directory, "room", "link.webm"))
	return a, directory
}

// fetch asks for a recording, with a form if there is one.
func (a *admin) fetch(method, path, credential, form string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, "http://example.org"+path, strings.NewReader(form))
	r.RemoteAddr = fmt.Sprintf("[2001:db8:1:%x::1]:5000", a.requests)
	a.requests++
	if name, password, ok := strings.Cut(credential, ":"); ok {
		r.SetBasicAuth(name, password)
	} else if credential != "" {
		r.Header.Set("Authorization", "Bearer "+credential)
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w.Result()
}

func TestRecordings(t *testing.T) {
	t.Parallel()
	a, _ := newArchive(t)
	const file = "/recordings/room/2026-01-02T03:04:05.678-ada.webm"
	challenge := `WWW-Authenticate: basic realm="recordings/room"`
	tests := []struct {
		name, method, path, credential string
		status                         int
		want                           string // a header
	}{
		{"no slash", "GET", "/recordings", "", 308, "Location: /recordings/"},
		{"no group", "GET", "/recordings/", "ada:ada's", 400, ""},
		{"a group without slash", "GET", "/recordings/room", "", 308, "Location: /recordings/room/"},
		{"no group without slash", "GET", "/recordings/nowhere", "", 308, "Location: /recordings/nowhere/"},
		{"a folder with a dot, without slash", "GET", "/recordings/room/v1.2", "ada:ada's", 308, "Location: /recordings/room/v1.2/"},
		{"the list", "GET", "/recordings/room/", "ada:ada's", 200, "Cache-Control: no-cache"},
		{"the list's headers", "HEAD", "/recordings/room/", "ada:ada's", 200, "Content-Security-Policy: " + recordingsPolicy},
		{"a group below", "GET", "/recordings/room/sub/", "ada:ada's", 200, "Referrer-Policy: same-origin"},
		{"a file", "GET", file, "ada:ada's", 200, "Content-Type: video/webm"},
		{"a file's caching", "HEAD", file, "ada:ada's", 200, "Cache-Control: private, no-cache"},
		{"a page", "GET", "/recordings/room/page.html", "ada:ada's", 200, "Content-Disposition: attachment"},
		{"an odd name", "GET", "/recordings/room/" + url.PathEscape(oddName), "ada:ada's", 200, ""},
		{"nobody", "GET", "/recordings/room/", "", 401, challenge},
		{"nobody wants a file", "GET", file, "", 401, challenge},
		{"nobody wants a file that is not there", "GET", "/recordings/room/none.webm", "", 401, challenge},
		{"a wrong password", "GET", file, "ada:wrong", 401, challenge},
		{"somebody who may not record", "GET", file, "bob:bob's", 401, challenge},
		{"an administrator", "GET", "/recordings/other/", "root:root's", 401, `WWW-Authenticate: basic realm="recordings/other"`},
		{"an administrator who is a user", "GET", file, "root:root's", 401, challenge},
		{"a token", "GET", file, globalToken, 401, challenge},
		{"a user of another group", "GET", "/recordings/orphan/", "ada:ada's", 401, `WWW-Authenticate: basic realm="recordings/orphan"`},
		{"no such file", "GET", "/recordings/room/none.webm", "ada:ada's", 404, ""},
		{"no recordings of a group", "GET", "/recordings/room/none/", "ada:ada's", 404, ""},
		{"a hidden file", "GET", "/recordings/room/.hidden.webm", "ada:ada's", 404, ""},
		{"a hidden group", "GET", "/recordings/.room/", "ada:ada's", 404, ""},
		{"a link that leads out", "GET", "/recordings/room/link.webm", "ada:ada's", 404, ""},
		{"an illegal name", "GET", "/recordings/ro%5Com/", "ada:ada's", 404, ""},
		{"NUL", "GET", "/recordings/room/a%00.webm", "ada:ada's", 404, ""},
		{"an endless name", "GET", "/recordings/room/" + strings.Repeat("x", 5000) + ".webm", "ada:ada's", 404, ""},
		{"another method on a file", "POST", file, "ada:ada's", 405, "Allow: GET, HEAD"},
		{"another method on the list", "PUT", "/recordings/room/", "ada:ada's", 405, "Allow: GET, HEAD, POST"},
		{"duplicate slashes", "GET", "/recordings//room/", "ada:ada's", 308, "Location: /recordings/room/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response := a.fetch(tt.method, tt.path, tt.credential, "")
			name, want, _ := strings.Cut(tt.want, ": ")
			if got := response.Header.Get(name); response.StatusCode != tt.status || got != want {
				t.Errorf("%s %s: %d, %q, want %d, %q", tt.method, tt.path, response.StatusCode, got, tt.status, want)
			}
			if response.Header.Get("Content-Security-Policy") == "" || response.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s %s: headers %v", tt.method, tt.path, response.Header)
			}
		})
	}
	part := a.fetch("GET", file, "ada:ada's", "", "Range: bytes=10-19")
	if got := body(t, part); part.StatusCode != 206 || got != strings.Repeat("x", 10) {
		t.Errorf("a part: %d, %q", part.StatusCode, got)
	}
	tag := part.Header.Get("ETag")
	if again := a.fetch("GET", file, "ada:ada's", "", "If-None-Match: "+tag); again.StatusCode != 304 {
		t.Errorf("not modified since %s: %d", tag, again.StatusCode)
	}
}

func TestListOfRecordingsIsEscaped(t *testing.T) {
	t.Parallel()
	a, _ := newArchive(t)
	list := body(t, a.fetch("GET", "/recordings/room/", "ada:ada's", ""))
	for _, want := range []string{
		`href="./2026-01-02T03:04:05.678-ada.webm"`, "2.5 kB",
		`href="./100%25%20%3Cb%3E%22loud%22%3F%23&amp;.webm"`,
		`value="100% &lt;b&gt;&#34;loud&#34;?#&amp;.webm"`,
	} {
		if !strings.Contains(list, want) {
			t.Errorf("the list lacks %s:\n%s", want, list)
		}
	}
	for _, forbidden := range []string{"<b>", ".hidden", ">sub<", "v1.2", "link.webm"} {
		if strings.Contains(list, forbidden) {
			t.Errorf("the list contains %s:\n%s", forbidden, list)
		}
	}
	response := a.fetch("GET", "/recordings/"+(&url.URL{Path: evilGroup}).EscapedPath()+"/", "ada:ada's", "")
	if got := body(t, response); response.StatusCode != 200 || strings.Contains(got, "<script>") || !strings.Contains(got, "&lt;script&gt;") {
		t.Errorf("the list of a group with an evil name: %d\n%s", response.StatusCode, got)
	}
}

func TestRecordingsAreDeletedByTheirPageOnly(t *testing.T) {
	t.Parallel()
	form := func(name string) string { return url.Values{"q": {"delete"}, "filename": {name}}.Encode() }
	const own, foreign = "Origin: http://example.org", "Origin: https://evil.example.org"
	tests := []struct {
		name, credential, form string
		headers                []string
		status                 int
	}{
		{"the page", "ada:ada's", form(oddName), []string{own}, 303},
		{"the page behind a proxy", "ada:ada's", form(oddName), []string{"Origin: https://example.org"}, 303},
		{"the page, with its origin withheld", "ada:ada's", form(oddName), []string{"Origin: null", "Sec-Fetch-Site: same-origin"}, 303},
		{"no browser", "ada:ada's", form(oddName), nil, 303},
		{"another page", "ada:ada's", form(oddName), []string{foreign}, 403},
		{"another page, with its origin withheld", "ada:ada's", form(oddName), []string{"Origin: null", "Sec-Fetch-Site: cross-site"}, 403},
		{"an old browser, with the origin withheld", "ada:ada's", form(oddName), []string{"Origin: null"}, 403},
		{"a page of a host beside", "ada:ada's", form(oddName), []string{"Sec-Fetch-Site: same-site"}, 403},
		{"nobody", "", form(oddName), []string{own}, 401},
		{"somebody who may not record", "bob:bob's", form(oddName), []string{own}, 401},
		{"no file", "ada:ada's", form("none.webm"), []string{own}, 404},
		{"a folder", "ada:ada's", form("sub"), []string{own}, 404},
		{"a link", "ada:ada's", form("link.webm"), []string{own}, 404},
		{"a hidden file", "ada:ada's", form(".hidden.webm"), []string{own}, 404},
		{"NUL", "ada:ada's", form("a\x00"), []string{own}, 404},
		{"no name", "ada:ada's", form(""), []string{own}, 400},
		{"a file elsewhere", "ada:ada's", form("../orphan/a.webm"), []string{own}, 400},
		{"a file elsewhere, on other systems", "ada:ada's", form(`..\orphan`), []string{own}, 400},
		{"something else", "ada:ada's", "q=rename&filename=x", []string{own}, 400},
		{"no form", "ada:ada's", "%zz", []string{own}, 400},
		{"a huge form", "ada:ada's", "q=" + strings.Repeat("x", maxRequestBody), []string{own}, 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, directory := newArchive(t)
			response := a.fetch("POST", "/recordings/room/", tt.credential, tt.form, tt.headers...)
			if response.StatusCode != tt.status {
				t.Errorf("%d %s, want %d", response.StatusCode, body(t, response), tt.status)
			}
			_, err := os.Lstat(filepath.Join(directory, "room", oddName))
			if deleted := err != nil; deleted != (tt.status == 303) {
				t.Errorf("deleted: %v, want %v", deleted, tt.status == 303)
			}
			if _, err := os.Lstat(filepath.Join(directory, "orphan", "a.webm")); err != nil {
				t.Error(err)
			}
			if tt.status == 303 && (response.Header.Get("Location") != "/recordings/room/" || a.log.Count("recording deleted") != 1) {
				t.Errorf("leads to %q, logged %d times", response.Header.Get("Location"), a.log.Count("recording deleted"))
			}
		})
	}
}

func TestWithoutRecordings(t *testing.T) {
	t.Parallel()
	for _, directory := range []string{"", filepath.Join(t.TempDir(), "missing")} {
		a := newAdmin(t, func(o *Options) { o.Recordings = directory })
		write(t, filepath.Join(a.groups, "room.json"), `{"allow-recording": true, "users": {"ada": {"password": "ada's", "permissions": "op"}}}`)
		if got := a.fetch("GET", "/recordings/room/", "ada:ada's", "").StatusCode; got != 404 {
			t.Errorf("recordings in %q: %d, want 404", directory, got)
		}
	}
}

// Whatever the path and the name are, nothing outside the folder of the group is
// shown or removed.
func FuzzSplitRecording(f *testing.F) {
	for _, name := range []string{"room/", "room/a.webm", "a/b/c.webm", "..", "../x.webm", "a", ""} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		group, file, slash := splitRecording(name)
		if strings.Contains(file, "/") {
			t.Errorf("splitRecording(%q) = file %q", name, file)
		}
		if !slash && group+"/"+file != name {
			t.Errorf("splitRecording(%q) = %q, %q", name, group, file)
		}
	})
}

func TestFormatSize(t *testing.T) {
	t.Parallel()
	for size, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 123456789: "123.5 MB", 5e15: "5000.0 TB"} {
		if got := formatSize(size); got != want {
			t.Errorf("formatSize(%d) = %q, want %q", size, got, want)
		}
	}
}

func TestStatisticsAreForAdministrators(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	tests := []struct {
		name, method, path, credential string
		status                         int
		body                           string
	}{
		{"nobody", "GET", "/stats.json", "", 401, "*"},
		{"nobody wants the page", "GET", "/stats.html", "", 401, "*"},
		{"a group's administrator", "GET", "/stats.json", "boss:boss's", 401, "*"},
		{"an administrator", "GET", "/stats.json", "root:root's", 200, `["statistics"]` + "\n"},
		{"a global token", "GET", "/stats.json", globalToken, 200, `["statistics"]` + "\n"},
		{"the page", "GET", "/stats.html", "root:root's", 200, "numbers"},
		{"another method", "POST", "/stats.json", "root:root's", 405, "*"},
		{"another method on the page", "POST", "/stats.html", "root:root's", 405, "*"},
	}
	for _, tt := range tests {
		response := a.fetch(tt.method, tt.path, tt.credential, "")
		if got := body(t, response); response.StatusCode != tt.status || tt.body != "*" && got != tt.body {
			t.Errorf("%s: %d %q, want %d %q", tt.name, response.StatusCode, got, tt.status, tt.body)
		}
		if got := response.Header.Get("WWW-Authenticate"); (got == `basic realm="/galene-api/"`) != (tt.status == 401) {
			t.Errorf("%s: challenge %q", tt.name, got)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.check(t, []exchange{
		{"health", "GET", "/healthz", nil, 200, []string{"Cache-Control: no-store", "Content-Type: text/plain; charset=utf-8"}, "ok\n"},
		{"readiness", "GET", "/readyz", []string{"Host: other"}, 200, []string{"Cache-Control: no-store"}, "ready\n"},
		{"another method", "POST", "/healthz", nil, 405, nil, "*"},
		{"another method", "POST", "/readyz", nil, 405, nil, "*"},
	})
	ending := newFixture(t, nil)
	ending.Shutdown(t.Context())
	broken := newFixture(t, func(o *Options) {
		o.Insecure = false
		write(t, filepath.Join(o.Data, "cert.pem"), "rubbish")
	})
	for name, f := range map[string]*fixture{"at the end": ending, "without certificate": broken} {
		if got := f.do("GET", "/readyz").StatusCode; got != 503 {
			t.Errorf("ready %s: %d, want 503", name, got)
		}
		if got := f.do("GET", "/healthz").StatusCode; got != 200 {
			t.Errorf("alive %s: %d, want 200", name, got)
		}
	}
}
