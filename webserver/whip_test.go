package webserver

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"galene/config"
	"galene/group"
	"galene/ice"
	"galene/rtpconn"
	"galene/signalling"
	"galene/token"
)

// doorGroups are the groups of the tests of doors.
var doorGroups = map[string]string{
	"stage":     `{"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}, "users": {"tv": {"password": "se:cret", "permissions": "present"}}}`,
	"secret":    `{"users": {"tv": {"password": "secret", "permissions": "present"}, "guest": {"password": "x", "permissions": "observe"}, "whip": {"password": "y", "permissions": "present"}}}`,
	"quiet":     `{"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "observe"}}`,
	"locked":    `{"autolock": true, "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}`,
	"over":      `{"expires": "1999-01-01T00:00:00Z", "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}`,
	"small":     `{"max-clients": 1, "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}`,
	"sub/a b":   `{"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}`,
	"audioonly": `{"codecs": ["opus"], "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}`,
}

// doorway is a server with doors and an engine, and tokens.
type doorway struct {
	*fixture
	sessions *signalling.Server
	tokens   *token.Store
}

// Nobody ever connects here, and a busy machine may take its time.
func newDoorway(tb testing.TB, limits signalling.Limits) *doorway {
	tb.Helper()
	limits.ConnectWait = cmp.Or(limits.ConnectWait, time.Hour)
	log := slog.New(slog.DiscardHandler)
	engine, err := rtpconn.NewEngine(rtpconn.Options{Loopback: true, Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	d := &doorway{}
	if d.tokens, err = token.Open(filepath.Join(tb.TempDir(), "tokens.jsonl"), log); err != nil {
		tb.Fatal(err)
	}
	d.fixture = newFixture(tb, func(o *Options) {
		groups := tb.TempDir()
		for name, definition := range doorGroups {
			write(tb, filepath.Join(groups, filepath.FromSlash(name)+".json"), definition)
		}
		for _, name := range []string{"moved", "broken"} {
			write(tb, filepath.Join(groups, name+".json"), definitions[name])
		}
		o.Registry = group.NewRegistry(group.Options{Directory: groups, Settings: o.Settings, Tokens: d.tokens, Log: o.Log})
		d.sessions = signalling.NewServer(signalling.Options{Registry: o.Registry, Engine: engine, Log: o.Log, Limits: limits})
		o.Media = d.sessions
		o.ICEServers = func(string) []ice.Server {
			return []ice.Server{
				{URLs: []string{"stun:stun.example.org", "http://example.org"}},
				{URLs: []string{"turn:turn.example.org?transport=udp", "turns:turn.example.org"}, Username: `a"b`, Credential: []byte(`"c\\d"`), CredentialType: "password"},
				{URLs: []string{"turn:other.example.org"}, Username: "x", Credential: []byte(`{"accessToken":"y"}`), CredentialType: "oauth"},
			}
		}
	})
	tb.Cleanup(func() {
		d.registry.Shutdown("bye")
		d.sessions.Shutdown(tb.Context())
		if err := engine.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}

// token makes a token for a group.
func (d *doorway) token(tb testing.TB, group string, username *string, permissions ...string) string {
	tb.Helper()
	expires := time.Now().Add(time.Hour)
	made, err := d.tokens.Add(&token.Token{Group: group, Username: username, Permissions: permissions, Expires: &expires})
	if err != nil {
		tb.Fatal(err)
	}
	return made.Token
}

// send sends a request with a body.
func (d *doorway) send(method, target, body string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, "http://example.org"+target, strings.NewReader(body))
	r.Header.Del("Content-Type")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "From" {
			r.RemoteAddr = value
			continue
		}
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result()
}

const sdpType = "Content-Type: application/sdp"

// publisherOffer is the offer of a client that has sound and picture to send.
func publisherOffer(tb testing.TB) string {
	tb.Helper()
	return offerOf(tb, webrtc.RTPTransceiverDirectionSendonly)
}

func offerOf(tb testing.TB, direction webrtc.RTPTransceiverDirection) string {
	tb.Helper()
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = pc.GracefulClose() }()
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if _, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: direction}); err != nil {
			tb.Fatal(err)
		}
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return offer.SDP
}

// wantHeaders checks headers, "Name: value"; a value of "*" only has to be there,
// and an empty one must not.
func wantHeaders(t *testing.T, response *http.Response, want ...string) {
	t.Helper()
	for _, header := range want {
		name, value, _ := strings.Cut(header, ": ")
		got := strings.Join(response.Header.Values(name), ", ")
		if got != value && (value != "*" || got == "") {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

func TestWHIPEndpoint(t *testing.T) {
	t.Parallel()
	d := newDoorway(t, signalling.Limits{})
	offer := publisherOffer(t)
	tv, empty := "tv", ""
	presenter := d.token(t, "secret", &tv, "present")
	nameless := d.token(t, "stage", nil, "present")
	free := d.token(t, "quiet", &empty, "present")
	observer := d.token(t, "secret", &tv, "message")
	taken := d.token(t, "secret", nil, "present")
	tests := []struct {
		name, method, group, body string
		headers                   []string
		status                    int
		want                      []string
		text                      string // part of the body
	}{
		{"a publisher without credentials", "POST", "stage", offer, []string{sdpType}, 201, []string{
			"Content-Type: application/sdp", "Location: *", "ETag: *", "Access-Control-Expose-Headers: Location, Content-Type, Link, ETag",
			`Link: <stun:stun.example.org>; rel="ice-server", ` +
				`<turn:turn.example.org?transport=udp>; rel="ice-server"; username="a\"b"; credential="c\\d"; credential-type="password", ` +
				`<turns:turn.example.org>; rel="ice-server"; username="a\"b"; credential="c\\d"; credential-type="password"`,
		}, "a=candidate:"},
		{"a content type with parameters", "POST", "stage", offer, []string{"Content-Type: application/SDP; charset=utf-8"}, 201, nil, "v=0"},
		{"a token", "POST", "secret", offer, []string{sdpType, "Authorization: Bearer " + presenter}, 201, nil, "v=0"},
		{"a token, the scheme in other letters and among others", "POST", "secret", offer, []string{sdpType, "Authorization: x y, bEARER " + presenter}, 201, nil, "v=0"},
		{"a token without a name", "POST", "stage", offer, []string{sdpType, "Authorization: Bearer " + nameless}, 201, nil, "v=0"},
		{"a token that leaves the name open", "POST", "quiet", offer, []string{sdpType, "Authorization: Bearer " + free}, 201, nil, "v=0"},
		{"a user with a password", "POST", "secret", offer, []string{sdpType, "Authorization: Basic dHY6c2VjcmV0"}, 201, nil, "v=0"},
		{"a password with a colon", "POST", "stage", offer, []string{sdpType, "Authorization: Basic dHY6c2U6Y3JldA=="}, 201, nil, "v=0"},
		{"a group below another, with a space", "POST", "sub/a%20b", offer, []string{sdpType}, 201, nil, "v=0"},

		{"no credentials where there must be some", "POST", "secret", offer, []string{sdpType}, 401, []string{
			`WWW-Authenticate: Bearer realm="/group/secret/", Basic realm="/group/secret/", charset="UTF-8"`, "Location: ", "Link: ",
		}, "not authorised"},
		{"a wrong password", "POST", "secret", offer, []string{sdpType, "Authorization: Basic dHY6d3Jvbmc="}, 401, []string{"WWW-Authenticate: *"}, "not authorised"},
		{"an unknown token", "POST", "stage", offer, []string{sdpType, "Authorization: Bearer nonsense"}, 401, []string{"WWW-Authenticate: *", "Link: "}, "not authorised"},
		{"a token for another group", "POST", "stage", offer, []string{sdpType, "Authorization: Bearer " + presenter}, 401, []string{"WWW-Authenticate: *"}, "not authorised"},
		{"a token that must not publish", "POST", "secret", offer, []string{sdpType, "Authorization: Bearer " + observer}, 403, nil, "not permitted"},
		{"a token, under a user's name", "POST", "secret", offer, []string{sdpType, "Authorization: Bearer " + taken}, 409, nil, "taken"},
		{"somebody who must not publish", "POST", "quiet", offer, []string{sdpType}, 403, []string{"WWW-Authenticate: "}, "not permitted"},
		{"a locked group", "POST", "locked", offer, []string{sdpType}, 403, nil, "this group is locked"},
		{"a group that is closed", "POST", "over", offer, []string{sdpType}, 403, nil, "this group is closed"},
		{"a group that has moved", "POST", "moved", offer, []string{sdpType}, 307, []string{"Location: https://other.example.org/group/moved/.whip"}, ""},
		{"no such group", "POST", "none", offer, []string{sdpType}, 404, nil, "nothing here"},
		{"no such group, and another method", "GET", "none", "", nil, 404, nil, "nothing here"},
		{"a broken group", "POST", "broken", offer, []string{sdpType}, 500, nil, "internal server error"},

		{"no description", "POST", "stage", "", []string{sdpType}, 400, nil, "nothing to send"},
		{"nonsense", "POST", "stage", "nonsense", []string{sdpType}, 400, []string{"Location: "}, "session description"},
		{"an offer that sends nothing", "POST", "stage", offerOf(t, webrtc.RTPTransceiverDirectionRecvonly), []string{sdpType}, 400, nil, "nothing to send"},
		{"a description that is too long", "POST", "stage", offer + strings.Repeat("a=x\r\n", maxOffer/5), []string{sdpType}, 413, nil, "too large"},
		{"a body that is too long", "POST", "stage", strings.Repeat("x", maxRequestBody+1), []string{sdpType}, 413, nil, "too large"},
		{"another type", "POST", "stage", offer, []string{"Content-Type: text/plain"}, 415, []string{"Accept: application/sdp"}, ""},
		{"no type", "POST", "stage", offer, nil, 415, []string{"Accept: application/sdp"}, ""},
		{"GET", "GET", "stage", "", nil, 405, []string{"Allow: OPTIONS, POST"}, ""},
		{"HEAD", "HEAD", "stage", "", nil, 405, []string{"Allow: OPTIONS, POST"}, ""},
		{"PUT", "PUT", "stage", offer, []string{sdpType}, 405, []string{"Allow: OPTIONS, POST"}, ""},
		{"PATCH", "PATCH", "stage", offer, nil, 405, []string{"Allow: OPTIONS, POST"}, ""},

		{"OPTIONS", "OPTIONS", "secret", "", nil, 200, []string{
			"Access-Control-Allow-Methods: OPTIONS, POST", "Access-Control-Allow-Headers: Authorization, Content-Type",
			"Access-Control-Expose-Headers: Link", "Accept-Post: application/sdp", "Link: ", "WWW-Authenticate: ",
		}, ""},
		{"OPTIONS in an open group", "OPTIONS", "stage", "", nil, 200, []string{"Link: "}, ""},
		{"OPTIONS with a token", "OPTIONS", "secret", "", []string{"Authorization: Bearer " + presenter}, 200, []string{"Link: *"}, ""},
		{"OPTIONS with a token that must not publish", "OPTIONS", "secret", "", []string{"Authorization: Bearer " + observer}, 200, []string{"Link: "}, ""},
		{"OPTIONS with an unknown token", "OPTIONS", "secret", "", []string{"Authorization: Bearer nonsense"}, 200, []string{"Link: "}, ""},
		{"OPTIONS of no group", "OPTIONS", "none", "", nil, 404, nil, ""},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			from := "From: [2001:db8:0:" + string(rune('a'+i%6)) + "::1]:1"
			target := "/group/" + tt.group + "/.whip"
			response := d.send(tt.method, target, tt.body, append(tt.headers, from)...)
			if response.StatusCode != tt.status {
				t.Errorf("%s %s: status %d, want %d", tt.method, target, response.StatusCode, tt.status)
			}
			wantHeaders(t, response, tt.want...)
			if text := body(t, response); !strings.Contains(text, tt.text) {
				t.Errorf("%s %s: body %q, want %q in it", tt.method, target, text, tt.text)
			}
			if location := response.Header.Get("Location"); tt.status == 201 && !strings.HasPrefix(location, target+"/") {
				t.Errorf("%s %s: Location %q, want it below", tt.method, target, location)
			}
		})
	}
}

func TestWHIPRefusalsThatPass(t *testing.T) {
	t.Parallel()
	offer := publisherOffer(t)
	d := newDoorway(t, signalling.Limits{HTTPSessionsPerAddress: 1, SDPBytes: len(offer)})
	want := func(name string, status int, response *http.Response) {
		t.Helper()
		if response.StatusCode != status {
			t.Errorf("%s: status %d, want %d", name, response.StatusCode, status)
		}
		if again := response.Header.Get("Retry-After"); (again != "") != (status == 503) {
			t.Errorf("%s: Retry-After is %q", name, again)
		}
	}
	want("a description longer than the administrator wants", 413, d.send("POST", "/group/small/.whip", offer+"a=x\r\n", sdpType, "From: 192.0.2.1:1"))
	want("the first", 201, d.send("POST", "/group/small/.whip", offer, sdpType, "From: 192.0.2.1:1"))
	want("too many from there", 503, d.send("POST", "/group/stage/.whip", offer, sdpType, "From: 192.0.2.1:2"))
	full := d.send("POST", "/group/small/.whip", offer, sdpType, "From: 192.0.2.2:1")
	want("a full group", 503, full)
	if text := body(t, full); text != "too many users\n" {
		t.Errorf("the reason is %q, want too many users", text)
	}
	for range 150 { // more than anybody may try
		_, _ = d.registry.Authenticate(t.Context(), "secret", group.Credentials{
			Token: "nonsense", Address: group.ParseAddress("192.0.2.3"),
		})
	}
	want("too many attempts", 503, d.send("POST", "/group/secret/.whip", offer, sdpType, "From: 192.0.2.3:1"))
	d.sessions.Shutdown(t.Context())
	want("a server that ends", 503, d.send("POST", "/group/stage/.whip", offer, sdpType, "From: 192.0.2.4:1"))
}

// session makes a session and returns its path and entity tag.
func (d *doorway) session(t *testing.T, headers ...string) (path, etag string) {
	t.Helper()
	response := d.send("POST", "/group/stage/.whip", publisherOffer(t), append(headers, sdpType)...)
	if response.StatusCode != http.StatusCreated {
		t.Fatalf("POST: status %d, %s", response.StatusCode, body(t, response))
	}
	return response.Header.Get("Location"), response.Header.Get("ETag")
}

const fragmentType = "Content-Type: application/trickle-ice-sdpfrag"

const restartFragment = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n" +
	"a=candidate:1 1 udp 2122260223 127.0.0.1 9 typ host\r\n"

func TestWHIPSessionRequests(t *testing.T) {
	t.Parallel()
	d := newDoorway(t, signalling.Limits{})
	const candidate = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 2122260223 127.0.0.1 9 typ host\r\n"
	tests := []struct {
		name, method, body string
		headers            []string // ETAG stands for the session's
		status             int
		want               []string
		over               bool // the session has ended
	}{
		{"DELETE", "DELETE", "", nil, 200, nil, true},
		{"DELETE if it is as it was", "DELETE", "", []string{"If-Match: ETAG"}, 200, nil, true},
		{"DELETE whatever it is", "DELETE", "", []string{"If-Match: *"}, 200, nil, true},
		{"DELETE whatever it is, in quotes", "DELETE", "", []string{`If-Match: "*"`}, 200, nil, true},
		{"DELETE if it is one of several", "DELETE", "", []string{`If-Match: "x", ETAG`}, 200, nil, true},
		{"DELETE if it is another", "DELETE", "", []string{`If-Match: "x"`}, 412, nil, false},
		{"DELETE if it is weakly the same", "DELETE", "", []string{"If-Match: W/ETAG"}, 412, nil, false},
		{"DELETE if it is not this", "DELETE", "", []string{"If-None-Match: ETAG"}, 412, nil, false},
		{"DELETE if it is not another", "DELETE", "", []string{`If-None-Match: "x"`}, 200, nil, true},

		{"trickle", "PATCH", candidate, []string{fragmentType, "If-Match: ETAG"}, 204, []string{"ETag: "}, false},
		{"trickle without a condition", "PATCH", candidate, []string{fragmentType}, 204, nil, false},
		{"trickle on another condition", "PATCH", candidate, []string{fragmentType, `If-Match: "x"`}, 412, nil, false},
		{"trickle with parameters in the type", "PATCH", candidate, []string{fragmentType + "; charset=utf-8"}, 204, nil, false},
		{"a restart", "PATCH", restartFragment, []string{fragmentType, `If-Match: "*"`}, 200, []string{"Content-Type: application/trickle-ice-sdpfrag", "ETag: *"}, false},
		{"nonsense", "PATCH", "nonsense", []string{fragmentType}, 400, nil, false},
		{"a mid before all sections", "PATCH", "a=mid:0\r\n", []string{fragmentType}, 400, nil, false},
		{"half of a restart", "PATCH", "a=ice-ufrag:abcd\r\n", []string{fragmentType}, 400, nil, false},
		{"a fragment that is too long", "PATCH", strings.Repeat("a=x\r\n", maxOffer/4), []string{fragmentType}, 413, nil, false},
		{"a body that is too long", "PATCH", strings.Repeat("a=x\r\n", maxRequestBody/4), []string{fragmentType}, 413, nil, false},
		{"another type", "PATCH", candidate, []string{sdpType}, 415, []string{"Accept: application/trickle-ice-sdpfrag"}, false},
		{"another type on another condition", "PATCH", candidate, []string{sdpType, `If-Match: "x"`}, 412, nil, false},

		{"OPTIONS", "OPTIONS", "", nil, 200, []string{
			"Access-Control-Allow-Methods: OPTIONS, DELETE, PATCH",
			"Access-Control-Allow-Headers: Authorization, Content-Type, If-Match, If-None-Match", "Accept-Patch: application/trickle-ice-sdpfrag",
		}, false},
		{"GET", "GET", "", nil, 405, []string{"Allow: OPTIONS, DELETE, PATCH"}, false},
		{"POST", "POST", "v=0", []string{sdpType}, 405, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path, etag := d.session(t)
			headers := slices.Clone(tt.headers)
			for i := range headers {
				headers[i] = strings.ReplaceAll(headers[i], "ETAG", etag)
			}
			response := d.send(tt.method, path, tt.body, headers...)
			if response.StatusCode != tt.status {
				t.Errorf("%s: status %d, want %d: %s", tt.method, response.StatusCode, tt.status, body(t, response))
			}
			wantHeaders(t, response, tt.want...)
			if changed := response.Header.Get("ETag"); changed == etag {
				t.Errorf("%s: the entity tag is %s as before", tt.method, changed)
			}
			after := d.send("OPTIONS", path, "")
			if (after.StatusCode == 404) != tt.over {
				t.Errorf("OPTIONS afterwards: status %d, want the session over: %v", after.StatusCode, tt.over)
			}
		})
	}
}

func TestWHIPRestartChangesTheEntityTag(t *testing.T) {
	t.Parallel()
	d := newDoorway(t, signalling.Limits{})
	path, before := d.session(t)
	response := d.send("PATCH", path, restartFragment, fragmentType, "If-Match: "+before)
	text := body(t, response)
	if response.StatusCode != 200 || !strings.Contains(text, "a=ice-ufrag:") || !strings.Contains(text, "a=candidate:") || strings.HasPrefix(text, "v=") {
		t.Fatalf("PATCH: status %d, %q, want 200 and a fragment", response.StatusCode, text)
	}
	after := response.Header.Get("ETag")
	for _, tt := range []struct {
		etag   string
		status int
	}{{before, 412}, {after, 204}} {
		response := d.send("PATCH", path, "a=end-of-candidates\r\n", fragmentType, "If-Match: "+tt.etag)
		if response.StatusCode != tt.status {
			t.Errorf("PATCH with %s: status %d, want %d", tt.etag, response.StatusCode, tt.status)
		}
	}
}

func TestWHIPSessionsBelongToWhoMadeThem(t *testing.T) {
	t.Parallel()
	d := newDoorway(t, signalling.Limits{})
	mine, other := d.token(t, "stage", nil, "present"), d.token(t, "stage", nil, "present")
	basic := "Authorization: Basic dHY6c2U6Y3JldA=="
	tests := []struct {
		name         string
		made, asking []string
		status       int
	}{
		{"nobody's", nil, nil, 204},
		{"nobody's, with a token", nil, []string{"Authorization: Bearer " + mine}, 204},
		{"a token's", []string{"Authorization: Bearer " + mine}, []string{"Authorization: bearer " + mine}, 204},
		{"a token's, without", []string{"Authorization: Bearer " + mine}, nil, 403},
		{"a token's, with another", []string{"Authorization: Bearer " + mine}, []string{"Authorization: Bearer " + other}, 403},
		{"a user's", []string{basic}, []string{basic}, 204},
		{"a user's, without", []string{basic}, nil, 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path, _ := d.session(t, tt.made...)
			response := d.send("PATCH", path, "", append(tt.asking, fragmentType)...)
			if response.StatusCode != tt.status {
				t.Errorf("PATCH: status %d, want %d", response.StatusCode, tt.status)
			}
			if response := d.send("OPTIONS", path, ""); response.StatusCode != 200 {
				t.Errorf("OPTIONS without credentials: status %d, want 200", response.StatusCode)
			}
			want := 200
			if tt.status == 403 {
				want = 403
			}
			if response := d.send("DELETE", path, "", tt.asking...); response.StatusCode != want {
				t.Errorf("DELETE: status %d, want %d", response.StatusCode, want)
			}
		})
	}
}

func TestWHIPSessionsAreNotGuessed(t *testing.T) {
	t.Parallel()
	d := newDoorway(t, signalling.Limits{})
	path, _ := d.session(t)
	key := path[strings.LastIndex(path, "/")+1:]
	for _, target := range []string{
		"/group/stage/.whip/" + strings.Repeat("A", 22), "/group/stage/.whip/x", "/group/stage/.whip/%00", "/group/stage/.whip/" + key + "/",
		"/group/stage/.whip/" + key + "x", "/group/quiet/.whip/" + key, "/group/none/.whip/" + key, "/group/stage/.whep/" + key,
		"/group/stage/.whip/" + strings.Repeat("x", 4000),
	} {
		for _, method := range []string{"OPTIONS", "PATCH", "DELETE", "GET"} {
			if response := d.send(method, target, "", fragmentType); response.StatusCode != 404 {
				t.Errorf("%s %s: status %d, want 404", method, target, response.StatusCode)
			}
		}
	}
	if response := d.send("DELETE", path, ""); response.StatusCode != 200 {
		t.Errorf("DELETE: status %d, want 200", response.StatusCode)
	}
}

func TestWHIPAcrossOrigins(t *testing.T) {
	t.Parallel()
	const friend = "https://friend.example.org"
	for _, tt := range []struct{ origin, want string }{
		{friend, friend}, {"https://stranger.example.org", ""}, {"http://example.org", "http://example.org"}, {"", ""},
	} {
		t.Run(tt.origin, func(t *testing.T) {
			t.Parallel()
			d := newDoorway(t, signalling.Limits{})
			d.settings = config.Settings{AllowOrigin: []string{friend}}
			bearer := "Authorization: Bearer " + d.token(t, "stage", nil, "present")
			origin := "Origin: " + tt.origin
			check := func(response *http.Response, status int, want ...string) {
				t.Helper()
				if response.StatusCode != status {
					t.Errorf("status %d, want %d", response.StatusCode, status)
				}
				wantHeaders(t, response, append(want, "Access-Control-Allow-Origin: "+tt.want, "Vary: Origin", "Access-Control-Allow-Credentials: ")...)
			}
			const endpoint = "/group/stage/.whip"
			check(d.send("OPTIONS", endpoint, "", origin, "Access-Control-Request-Method: POST"), 200, "Access-Control-Allow-Methods: OPTIONS, POST")
			check(d.send("POST", endpoint, "", origin, sdpType), 400)
			made := d.send("POST", endpoint, publisherOffer(t), origin, bearer, sdpType)
			check(made, 201, "Access-Control-Expose-Headers: Location, Content-Type, Link, ETag")
			path := made.Header.Get("Location")
			check(d.send("OPTIONS", path, "", origin, "Access-Control-Request-Method: DELETE"), 200, "Access-Control-Allow-Methods: OPTIONS, DELETE, PATCH")
			check(d.send("PATCH", path, "", origin, bearer, fragmentType), 204)
			check(d.send("PATCH", path, "", origin, fragmentType), 403)
			check(d.send("DELETE", path, "", origin, bearer), 200)
			check(d.send("OPTIONS", path, "", origin, "Access-Control-Request-Method: DELETE"), 200, "Access-Control-Allow-Methods: OPTIONS, DELETE, PATCH")
			check(d.send("DELETE", path, "", origin, bearer), 404)
		})
	}
}

func TestWHIPBehindAProxy(t *testing.T) {
	t.Parallel()
	d := newDoorway(t, signalling.Limits{})
	d.settings = config.Settings{ProxyURL: "https://proxy.example.org/base/", CanonicalHost: "canonical.example.org"}
	const target = "/group/sub/a%20b/.whip"
	if response := d.send("OPTIONS", target, ""); response.StatusCode != 200 {
		t.Errorf("OPTIONS under another name: status %d, want 200, since a preflight is not redirected", response.StatusCode)
	}
	response := d.send("POST", target, "", sdpType)
	if got, want := response.Header.Get("Location"), "https://canonical.example.org/base"+target; response.StatusCode != 307 || got != want {
		t.Fatalf("POST under another name: status %d, Location %q, want 307 and %q", response.StatusCode, got, want)
	}
	r := httptest.NewRequest("POST", "http://canonical.example.org"+target, strings.NewReader(publisherOffer(t)))
	r.Header.Set("Content-Type", "application/sdp")
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	location, err := url.Parse(w.Result().Header.Get("Location"))
	if err != nil || !strings.HasPrefix(location.EscapedPath(), "/base"+target+"/") {
		t.Fatalf("Location is %v, %v, want it below /base%s", location, err, target)
	}
	if response := d.send("DELETE", strings.TrimPrefix(location.EscapedPath(), "/base"), ""); response.StatusCode != 200 {
		t.Errorf("DELETE of a session under another name: status %d, want 200", response.StatusCode)
	}
}

func TestServerWithoutMediaHasNoDoors(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for _, name := range []string{".whip", ".whep", ".whip/x"} {
		if response := f.do("POST", "/group/open/"+name); response.StatusCode != 404 {
			t.Errorf("POST %s: status %d, want 404", name, response.StatusCode)
		}
	}
}

func TestICELinks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		address string
		server  ice.Server
		want    string
	}{
		{"stun:a", ice.Server{}, `<stun:a>; rel="ice-server"`},
		{"STUNS:a:1", ice.Server{}, `<STUNS:a:1>; rel="ice-server"`},
		{"turn:a", ice.Server{}, ""},
		{"turn:a", ice.Server{Username: "u", Credential: []byte(`"p"`)}, `<turn:a>; rel="ice-server"; username="u"; credential="p"; credential-type="password"`},
		{"turn:a", ice.Server{Credential: []byte(`{}`)}, ""},
		{"http://a", ice.Server{}, ""},
		{"", ice.Server{}, ""},
		{"stun:a>; rel=\"x\"", ice.Server{}, ""},
	}
	for _, tt := range tests {
		got, ok := iceLink(tt.address, tt.server)
		if !ok {
			got = ""
		}
		if got != tt.want {
			t.Errorf("iceLink(%q, %+v) = %q, want %q", tt.address, tt.server, got, tt.want)
		}
	}
}
