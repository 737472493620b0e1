package webserver

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever has no secret of their own cannot take a user's password over.
func TestPasswordsAreChangedByTheirOwnersOnly(t *testing.T) {
	t.Parallel()
	const ada, free, empty, wildcard = "/.users/ada", "/.users/free", "/.empty-user", "/.wildcard-user"
	tests := []struct {
		name, user, credential string
		may                    bool
	}{
		{"the user", ada, "ada:ada's", true},
		{"the group's administrator", ada, "boss:boss's", true},
		{"nobody, of a user whom any password lets in", free, "", false},
		{"that user with no password", free, "free:", false},
		{"that user with any password", free, "free:anything", false},
		{"nobody in particular, with any password", free, ":anything", false},
		{"another user with any password", free, "ada:anything", false},
		{"another user", free, "ada:ada's", false},
		{"the administrator, of that user", free, "boss:boss's", true},
		{"the user's password under another name", ada, "free:ada's", false},
		{"the user's password under no name", ada, ":ada's", false},
		{"the user's name in capitals", ada, "ADA:ada's", false},
		{"the user's name as a token", ada, "ada", false},
		{"the user with the administrator's password", ada, "ada:boss's", false},
		{"a token in the user's name", ada, ownToken, false},
		{"who gives no name, of themselves", empty, ":empty's", false},
		{"who stands for all names, of themselves", wildcard, "somebody:guest's", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, method := range []string{"PUT", "POST", "DELETE"} {
				a := newAdmin(t)
				before := a.definition("board")
				mediaType, text := typeText, "taken over"
				if method == "PUT" {
					mediaType, text = typeJSON, `"taken over"`
				}
				response := a.ask(method, "/.groups/board"+tt.user+"/.password", tt.credential, text, "Content-Type: "+mediaType)
				want := http.StatusUnauthorized
				if tt.may {
					want = http.StatusNoContent
				}
				if changed := a.definition("board") != before; response.StatusCode != want || changed != tt.may {
					t.Errorf("%s: status %d, want %d; changed: %v", method, response.StatusCode, want, changed)
				}
			}
		})
	}
}

// definition is what a group's file says.
func (a *admin) definition(name string) string {
	a.t.Helper()
	text, err := os.ReadFile(filepath.Join(a.groups, name+".json"))
	if err != nil {
		a.t.Fatal(err)
	}
	return string(text)
}

func TestPasswordsAreStoredHashed(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	response := a.ask("POST", "/.groups/board/.users/ada/.password", "root:root's", "a new one", "Content-Type: text/plain")
	text := a.definition("board")
	if response.StatusCode != 204 || !strings.Contains(text, `"$2a$10$`) || strings.Contains(text, "a new one") {
		t.Errorf("%d, stored as %s", response.StatusCode, text)
	}
}

// Each change is one line that says what was done to what, by whom, and from
// where.
func TestChangesAreLogged(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, method, path, credential, mediaType, body string
		want                                            []string // parts of the line, after its time
	}{
		{
			"a group is made", "PUT", "/.groups/new/room", "root:root's", typeJSON, "{}",
			[]string{"method=PUT", "object=.groups/GROUP", "group=new/room", "by=root", "serverAdmin=true"},
		},
		{
			"a group is deleted", "DELETE", "/.groups/board", "boss:boss's", "", "",
			[]string{"method=DELETE", "group=board", "by=boss", "serverAdmin=false"},
		},
		{
			"a group with an odd name", "PUT", "/.groups/a%20by=root", globalToken, typeJSON, "{}",
			[]string{`group="a by=root"`, "by=\"\"", "serverAdmin=true", "byToken="},
		},
		{
			"a user is made", "PUT", "/.groups/board/.users/eve", "boss:boss's", typeJSON, `{"permissions": "op"}`,
			[]string{"object=.groups/GROUP/.users/USER", "group=board", "user=eve", "by=boss"},
		},
		{
			"a user changes their password", "POST", "/.groups/board/.users/ada/.password", "ada:ada's", typeText, "secretly",
			[]string{"object=.groups/GROUP/.users/USER/.password", "user=ada", "by=ada", "serverAdmin=false"},
		},
		{
			"keys are set", "PUT", "/.groups/board/.keys", bossToken, typeKeys, `{"keys": [` + jsonWebKey + `]}`,
			[]string{"object=.groups/GROUP/.keys", "group=board", "serverAdmin=false", "byToken="},
		},
		{
			"a token is made", "POST", "/.groups/board/.tokens/", "boss:boss's", typeJSON, `{"expires": "2100-01-01T00:00:00Z"}`,
			[]string{"object=.groups/GROUP/.tokens/", "group=board", "token=", "by=boss"},
		},
		{
			"a token is deleted", "DELETE", "/.groups/.tokens/" + globalToken, "root:root's", "", "",
			[]string{"object=.groups/.tokens/TOKEN", "token=", "by=root"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAdmin(t)
			response := a.ask(tt.method, tt.path, tt.credential, tt.body, "Content-Type: "+tt.mediaType)
			if response.StatusCode >= 300 {
				t.Fatalf("%s %s: %d %s", tt.method, tt.path, response.StatusCode, body(t, response))
			}
			var lines []string
			for line := range strings.Lines(a.log.String()) {
				if strings.Contains(line, "msg=administration ") {
					lines = append(lines, line)
				}
			}
			if len(lines) != 1 {
				t.Fatalf("%d lines: %q", len(lines), lines)
			}
			for _, want := range append(tt.want, "address=[2001:db8:0:1::1]:5000") {
				if !strings.Contains(lines[0], " "+want) {
					t.Errorf("the line lacks %s: %s", want, lines[0])
				}
			}
			for _, secret := range []string{"secretly", globalToken, bossToken, "4S9YZLHK", "boss's"} {
				if strings.Contains(a.log.String(), secret) {
					t.Errorf("the log has %q: %s", secret, a.log.String())
				}
			}
		})
	}
}

func TestRefusedAdministratorsAreLogged(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{
		"the API":        apiPrefix + "/.groups/",
		"a group":        apiPrefix + "/.groups/board",
		"statistics":     "/stats.json",
		"recordings":     "/recordings/board/",
		"unknown object": apiPrefix + "/.groups/none/.what",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAdmin(t, func(o *Options) { o.Recordings = t.TempDir() })
			response := a.fetch("GET", path, "root:a guess", "")
			log := a.log.String()
			if response.StatusCode != 401 || !strings.Contains(log, "2001:db8:1:") || strings.Contains(log, "guess") {
				t.Errorf("%d, logged as %s", response.StatusCode, log)
			}
		})
	}
}

func TestGuessingPasswordsOverHTTPIsThrottled(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{
		"the API":     apiPrefix + "/.groups/",
		"a group":     apiPrefix + "/.groups/board",
		"a password":  apiPrefix + "/.groups/board/.users/ada/.password",
		"statistics":  "/stats.json",
		"recordings":  "/recordings/board/",
		"a recording": "/recordings/board/a.webm",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAdmin(t, func(o *Options) { o.Recordings = t.TempDir() })
			for range 1000 {
				r := httptest.NewRequest("GET", "http://example.org"+path, nil)
				r.RemoteAddr = "192.0.2.7:5000"
				r.SetBasicAuth("root", "wrong")
				w := httptest.NewRecorder()
				a.ServeHTTP(w, r)
				if w.Code == http.StatusTooManyRequests {
					if w.Header().Get("Retry-After") == "" {
						t.Error("throttled, without telling for how long")
					}
					return
				}
			}
			t.Error("as many attempts as you like")
		})
	}
}
