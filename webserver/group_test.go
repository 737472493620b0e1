package webserver

import (
	"strings"
	"testing"
)

func TestGroupPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	security := []string{
		"Content-Security-Policy: " + wantEmbeddedPolicy,
		"Referrer-Policy: no-referrer",
		"X-Content-Type-Options: nosniff",
	}
	withAuth := strings.Replace(wantEmbeddedPolicy, "connect-src ", "connect-src https://auth.example.org:4433 ", 1)
	f.check(t, []exchange{
		{
			"the page", "GET", "/group/open/", nil, 200,
			append(security, "Content-Type: text/html; charset=utf-8", "Cache-Control: max-age=1800"), "meeting",
		},
		{"HEAD", "HEAD", "/group/open/", nil, 200, append(security, "Content-Length: 7"), ""},
		{"a group in a group", "GET", "/group/sub/room/", nil, 200, security, "meeting"},
		{"a name in Unicode", "GET", "/group/Gr%C3%BC%C3%9Fe%20&%20so/", nil, 200, security, "meeting"},
		{
			"an invitation without slash", "GET", "/group/open?token=abc", nil, 308,
			append(security, "Location: /group/open/?token=abc"), "*",
		},
		{
			"names are encoded in redirects", "GET", "/group/Gr%C3%BC%C3%9Fe%20&%20so", nil, 308,
			append(security, "Location: /group/Gr%C3%BC%C3%9Fe%20&%20so/"), "*",
		},
		{"no such group", "GET", "/group/none/", nil, 404, append(security, "Content-Type: text/html; charset=utf-8"), "nothing here"},
		{"no such group without slash", "GET", "/group/none", nil, 404, security, "nothing here"},
		{"no name", "GET", "/group/", nil, 404, security, "nothing here"},
		{"a name with a dot", "GET", "/group/.hidden/", nil, 404, security, "nothing here"},
		{"a part with a dot", "GET", "/group/sub/.room/", nil, 404, security, "nothing here"},
		{"a backslash", "GET", "/group/op%5Cen/", nil, 404, security, "nothing here"},
		{"NUL", "GET", "/group/op%00en/", nil, 404, security, "nothing here"},
		{"an endless name", "GET", "/group/" + strings.Repeat("x", 5000) + "/", nil, 404, security, "nothing here"},
		{"unknown resource", "GET", "/group/open/.secrets", nil, 404, security, "nothing here"},
		{"no WHIP here", "POST", "/group/open/.whip", nil, 404, security, "nothing here"},
		{"below the status", "GET", "/group/open/.status/more", nil, 404, security, "nothing here"},
		{"a broken definition", "GET", "/group/broken/", nil, 500, append(security, "Content-Type: text/plain; charset=utf-8"), "internal server error\n"},
		{"a broken definition without slash", "GET", "/group/broken", nil, 500, security, "internal server error\n"},
		{"POST", "POST", "/group/open/", nil, 405, append(security, "Allow: GET, HEAD"), "*"},
		{
			"a group that has moved", "GET", "/group/moved/", nil, 307,
			append(security, "Location: https://other.example.org/group/moved/", "Cache-Control: no-store"), "*",
		},
		{"moved, first to the slash", "GET", "/group/moved", nil, 308, append(security, "Location: /group/moved/"), "*"},
		{"moved, with a query", "GET", "/group/moved/?token=abc", nil, 307, []string{"Location: https://other.example.org/group/moved/?token=abc"}, "*"},
		{"moved to a query", "GET", "/group/querying/?token=abc", nil, 307, []string{"Location: https://other.example.org/?room=7"}, "*"},
		{"an authorisation server", "GET", "/group/auth/", nil, 200, []string{"Content-Security-Policy: " + withAuth}, "meeting"},
		{"duplicate slashes", "GET", "/group//open/", nil, 308, append(security, "Location: /group/open/"), "*"},
	})
}

func TestPolicyTakesNothingButAnOrigin(t *testing.T) {
	t.Parallel()
	tests := []struct{ authServer, want string }{
		{"", ""},
		{"https://auth.example.org", "https://auth.example.org "},
		{"HTTPS://auth.example.org/path?query#fragment", "https://auth.example.org "},
		{"http://127.0.0.1:8080/", "http://127.0.0.1:8080 "},
		{"https://[::1]:8443/", "https://[::1]:8443 "},
		{"https://user:password@auth.example.org/", "https://auth.example.org "},
		{"https://auth.example.org; script-src *", ""},
		{"https://auth.example.org;script-src", ""},
		{"https://a,b/", ""},
		{"https://*", ""},
		{"https://'self'", ""},
		{"https:", ""},
		{"javascript:alert(1)", ""},
		{"//auth.example.org", ""},
		{"not a URL\x00", ""},
	}
	for _, tt := range tests {
		want := strings.Replace(wantEmbeddedPolicy, "connect-src ", "connect-src "+tt.want, 1)
		if got := embeddedPolicy(tt.authServer); got != want {
			t.Errorf("embeddedPolicy(%q) = %q, want %q", tt.authServer, got, want)
		}
		want = strings.Replace(wantForeignPolicy, "connect-src ", "connect-src "+tt.want, 1)
		if got := foreignPolicy(tt.authServer); got != want {
			t.Errorf("foreignPolicy(%q) = %q, want %q", tt.authServer, got, want)
		}
	}
}

func TestSplitGroup(t *testing.T) {
	t.Parallel()
	type parts struct {
		name, kind, rest string
		slash, ok        bool
	}
	tests := []struct {
		path string
		want parts
	}{
		{"/group/", parts{}},
		{"/group/a", parts{name: "a", ok: true}},
		{"/group/a/", parts{name: "a", slash: true, ok: true}},
		{"/group/a/b/", parts{name: "a/b", slash: true, ok: true}},
		{"/group/a.b/", parts{name: "a.b", slash: true, ok: true}},
		{"/group/.a/", parts{}},
		{"/group/.status", parts{}},
		{"/group/a/.status", parts{name: "a", kind: ".status", ok: true}},
		{"/group/a/b/.status", parts{name: "a/b", kind: ".status", ok: true}},
		{"/group/a/.status/", parts{name: "a", kind: ".status", rest: "/", ok: true}},
		{"/group/a/.whip/x/.y", parts{name: "a", kind: ".whip", rest: "/x/.y", ok: true}},
		{"/group/a/.", parts{name: "a", kind: ".", ok: true}},
	}
	for _, tt := range tests {
		var got parts
		got.name, got.kind, got.rest, got.slash, got.ok = splitGroup(tt.path)
		if got != tt.want {
			t.Errorf("splitGroup(%q) = %+v, want %+v", tt.path, got, tt.want)
		}
	}
}

func TestABrokenDefinitionIsLoggedOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for range 3 {
		if response := f.do("GET", "/group/broken/"); response.StatusCode != 500 {
			t.Errorf("GET of a group with a broken definition = %d, want 500", response.StatusCode)
		}
	}
	if got := f.log.Count("broken.json"); got != 1 {
		t.Errorf("logged %d times, want once", got)
	}
}
