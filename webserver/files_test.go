package webserver

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEmbeddedFiles(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	security := []string{
		"Content-Security-Policy: " + wantEmbeddedPolicy,
		"Referrer-Policy: no-referrer",
		"X-Content-Type-Options: nosniff",
	}
	f.check(t, []exchange{
		{
			"the root is its index", "GET", "/", nil, 200,
			append(security, "Content-Type: text/html; charset=utf-8", "Cache-Control: max-age=1800", "Last-Modified: "), "landing",
		},
		{"HEAD has no body", "HEAD", "/", nil, 200, append(security, "Content-Length: 7"), ""},
		{
			"a script", "GET", "/js/small.js", nil, 200,
			append(security, "Content-Type: text/javascript; charset=utf-8", "Vary: "), "1",
		},
		{"a query is ignored", "GET", "/js/small.js?v=3", nil, 200, nil, "1"},
		{"libraries are kept longer", "GET", "/third-party/lib/lib.js", nil, 200, append(security, "Cache-Control: max-age=86400"), "lib"},
		{"a directory needs its slash", "GET", "/docs?x=1", nil, 308, append(security, "Location: /docs/?x=1"), "*"},
		{"a directory is its index", "GET", "/docs/", nil, 200, security, "docs"},
		{"a directory is not listed", "GET", "/js/", nil, 403, append(security, "Content-Type: text/plain; charset=utf-8"), "Forbidden\n"},
		{
			"what is not there", "GET", "/nothing", nil, 404,
			append(security, "Content-Type: text/html; charset=utf-8", "Cache-Control: ", "ETag: "), "nothing here",
		},
		{"a file is no directory", "GET", "/js/small.js/", nil, 404, security, "nothing here"},
		{"NUL", "GET", "/a%00b", nil, 404, security, "nothing here"},
		{"an endless name", "GET", "/" + strings.Repeat("x", 5000), nil, 404, security, "nothing here"},
		{"POST", "POST", "/", nil, 405, append(security, "Allow: GET, HEAD"), "*"},
		{"DELETE of nothing", "DELETE", "/nothing", nil, 405, append(security, "Allow: GET, HEAD"), "*"},
		{"dot segments are cleaned", "GET", "/js/../docs/?x=1", nil, 308, append(security, "Location: /docs/?x=1"), "*"},
		{"encoded ones too", "GET", "/%2e%2e/%2e%2e/etc/passwd", nil, 308, append(security, "Location: /etc/passwd"), "*"},
		{"duplicate slashes are cleaned", "GET", "//js//small.js", nil, 308, append(security, "Location: /js/small.js"), "*"},
		{"a redirect stays on this host", "GET", "/%5Cevil.example.org/..//", nil, 308, append(security, "Location: /"), "*"},
		{"recordings", "GET", "/recordings/open/", nil, 404, security, "nothing here"},
		{"the API", "GET", "/galene-api/v1", nil, 404, append(security, "Content-Type: text/plain; charset=utf-8"), "404 page not found\n"},
		{"a range", "GET", "/js/main.js", []string{"Range: bytes=0-6", "Accept-Encoding: gzip"}, 206, []string{"Content-Encoding: ", fmt.Sprintf("Content-Range: bytes 0-6/%d", len(longScript))}, "console"},
		{"an impossible range", "GET", "/js/small.js", []string{"Range: bytes=5-"}, 416, security, "*"},
	})
}

func TestEmbeddedFilesAreValidatedByContent(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for _, encoding := range []string{"identity", "gzip"} {
		accept := "Accept-Encoding: " + encoding
		first := f.do("GET", "/js/main.js", accept)
		tag := first.Header.Get("ETag")
		if !strings.HasPrefix(tag, `"`) || len(tag) < 20 {
			t.Errorf("%s: ETag = %q, want a strong one", encoding, tag)
		}
		second := f.do("GET", "/js/main.js", accept, "If-None-Match: "+tag)
		if second.StatusCode != http.StatusNotModified || second.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: repeated GET: status %d, headers %v", encoding, second.StatusCode, second.Header)
		}
		other := f.do("GET", "/js/main.js", accept, `If-Match: "other"`)
		if other.StatusCode != http.StatusPreconditionFailed {
			t.Errorf("%s: GET with another tag: status %d, want 412", encoding, other.StatusCode)
		}
	}
	plain, compressed := f.do("GET", "/js/main.js"), f.do("GET", "/js/main.js", "Accept-Encoding: gzip")
	if plain.Header.Get("ETag") == compressed.Header.Get("ETag") {
		t.Error("both encodings have the same ETag")
	}
}

func TestEmbeddedFilesAreCompressedIfThatHelps(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	tests := []struct {
		target, accept string
		want           bool
	}{
		{"/js/main.js", "gzip, deflate, br", true},
		{"/js/main.js", "br;q=1.0, GZIP;q=0.5", true},
		{"/js/main.js", "*", true},
		{"/js/main.js", "br", false},
		{"/js/main.js", "gzip;q=0", false},
		{"/js/main.js", "*, gzip;q=0.000", false},
		{"/js/main.js", "", false},
		{"/js/small.js", "gzip", false},
	}
	for _, tt := range tests {
		response := f.do("GET", tt.target, "Accept-Encoding: "+tt.accept)
		if got := response.Header.Get("Content-Encoding") == "gzip"; got != tt.want {
			t.Errorf("GET %s, Accept-Encoding %q: compressed is %v, want %v", tt.target, tt.accept, got, tt.want)
			continue
		}
		if !tt.want {
			continue
		}
		r, err := gzip.NewReader(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(r); err != nil || string(data) != longScript {
			t.Errorf("GET %s: %d bytes after decompression, error %v, want %d", tt.target, len(data), err, len(longScript))
		}
		if vary := response.Header.Get("Vary"); vary != "Accept-Encoding" {
			t.Errorf("GET %s: Vary is %q", tt.target, vary)
		}
	}
}

func TestStaticDirectory(t *testing.T) {
	t.Parallel()
	directory, outside := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "secret"), "secret")
	write(t, filepath.Join(directory, "index.html"), "theirs")
	write(t, filepath.Join(directory, "galene.html"), "their meeting")
	write(t, filepath.Join(directory, "sub", "data.json"), "{}")
	write(t, filepath.Join(directory, "third-party", "x.js"), "x")
	for link, target := range map[string]string{
		"escape":   filepath.Join(outside, "secret"),
		"climb":    "../../../../../../../../etc/passwd",
		"loop":     "loop",
		"inside":   "sub/data.json",
		"dangling": "nowhere",
	} {
		symlink(t, target, filepath.Join(directory, link))
	}
	modified := time.Date(2024, 3, 1, 12, 0, 0, 123456789, time.UTC)
	if err := os.Chtimes(filepath.Join(directory, "index.html"), modified, modified); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(o *Options) { o.StaticDirectory = directory })
	tag := fmt.Sprintf(`"6-%d"`, modified.UnixNano())
	security := []string{
		"Content-Security-Policy: " + wantForeignPolicy,
		"Referrer-Policy: no-referrer",
		"X-Content-Type-Options: nosniff",
	}
	f.check(t, []exchange{
		{
			"the index", "GET", "/", nil, 200,
			append(security, "ETag: "+tag, "Last-Modified: Fri, 01 Mar 2024 12:00:00 GMT", "Cache-Control: max-age=1800"), "theirs",
		},
		{"unchanged by tag", "GET", "/", []string{"If-None-Match: " + tag}, 304, append(security, "ETag: "+tag), ""},
		{"unchanged by time", "GET", "/", []string{"If-Modified-Since: Fri, 01 Mar 2024 12:00:00 GMT"}, 304, security, ""},
		{"changed by tag", "GET", "/", []string{`If-Match: "6-1"`}, 412, security, ""},
		{"a range", "GET", "/", []string{"Range: bytes=2-"}, 206, append(security, "Content-Range: bytes 2-5/6"), "eirs"},
		{"a range of an old version", "GET", "/", []string{"Range: bytes=2-", `If-Range: "6-1"`}, 200, security, "theirs"},
		{"HEAD", "HEAD", "/", nil, 200, append(security, "Content-Length: 6", "ETag: "+tag), ""},
		{"libraries", "GET", "/third-party/x.js", nil, 200, append(security, "Cache-Control: max-age=86400"), "x"},
		{"a link inside", "GET", "/inside", nil, 200, security, "{}"},
		{"a link out", "GET", "/escape", nil, 404, security, "<p>Not found</p>\n"},
		{"a link up", "GET", "/climb", nil, 404, security, "<p>Not found</p>\n"},
		{"a link to itself", "GET", "/loop", nil, 404, security, "<p>Not found</p>\n"},
		{"a link to nowhere", "GET", "/dangling", nil, 404, security, "<p>Not found</p>\n"},
		{"a directory without slash", "GET", "/sub", nil, 308, append(security, "Location: /sub/"), "*"},
		{"a directory without index", "GET", "/sub/", nil, 403, security, "Forbidden\n"},
		{"the page of a group", "GET", "/group/open/", nil, 200, security, "their meeting"},
		{"NUL", "GET", "/a%00b", nil, 404, security, "<p>Not found</p>\n"},
		{"an endless name", "GET", "/" + strings.Repeat("x", 300), nil, 404, security, "<p>Not found</p>\n"},
		{"POST", "POST", "/", nil, 405, append(security, "Allow: GET, HEAD"), "*"},
	})
}

func TestStaticDirectoryMustExist(t *testing.T) {
	t.Parallel()
	_, err := New(Options{StaticDirectory: filepath.Join(t.TempDir(), "missing")})
	if err == nil {
		t.Error("New with a missing static directory gave no error")
	}
}
