package webserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"testing"

	"galene/config"
	"galene/group"
)

// object is a JSON object.
type object = map[string]any

// status requests the status of a group, given the settings.
func (f *fixture) status(t *testing.T, target string, headers ...string) (object, *http.Response) {
	t.Helper()
	response := f.do("GET", target, headers...)
	var got object
	text := body(t, response)
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("GET %s: status %d, body %q: %v", target, response.StatusCode, text, err)
	}
	return got, response
}

func TestStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, target string
		settings     config.Settings
		want         object
	}{
		{
			"a public group", "/group/open/.status",
			config.Settings{},
			object{
				"name": "open", "displayName": "Open <house>", "description": "all welcome", "clientCount": 0.0,
				"location": "http://example.org/group/open/", "endpoint": "ws://example.org/ws",
			},
		},
		{
			"a private group", "/group/closed/.status",
			config.Settings{},
			object{
				"name": "closed", "description": "members only",
				"location": "http://example.org/group/closed/", "endpoint": "ws://example.org/ws",
			},
		},
		{
			"over TLS", "https://example.org:8443/group/sub/room/.status",
			config.Settings{},
			object{
				"name":     "sub/room",
				"location": "https://example.org:8443/group/sub/room/", "endpoint": "wss://example.org:8443/ws",
			},
		},
		{
			"behind a proxy", "/group/closed/.status",
			config.Settings{ProxyURL: "https://p.example.org/base/"},
			object{
				"name": "closed", "description": "members only",
				"location": "https://p.example.org/base/group/closed/", "endpoint": "wss://p.example.org/base/ws",
			},
		},
		{
			"names are encoded", "/group/Gr%C3%BC%C3%9Fe%20&%20so/.status",
			config.Settings{},
			object{
				"name": "Grüße & so", "clientCount": 0.0,
				"location": "http://example.org/group/Gr%C3%BC%C3%9Fe%20&%20so/", "endpoint": "ws://example.org/ws",
			},
		},
		{
			"a group that has moved", "/group/moved/.status",
			config.Settings{},
			object{
				"name": "moved", "redirect": "https://other.example.org/group/moved/",
				"location": "http://example.org/group/moved/", "endpoint": "ws://example.org/ws",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.settings = tt.settings
			got, response := f.status(t, tt.target)
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("GET %s = %v, want %v", tt.target, got, tt.want)
			}
			for name, want := range map[string]string{
				"Content-Type":            "application/json",
				"Cache-Control":           "no-cache",
				"Content-Security-Policy": wantEmbeddedPolicy,
			} {
				if got := response.Header.Get(name); got != want {
					t.Errorf("GET %s: %s is %q, want %q", tt.target, name, got, want)
				}
			}
		})
	}
}

func TestStatusReplies(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.check(t, []exchange{
		{"HEAD", "HEAD", "/group/closed/.status", nil, 200, []string{"Content-Type: application/json"}, "*"},
		{"the old name", "GET", "/group/open/.status.json?x=1", nil, 308, []string{"Location: /group/open/.status?x=1"}, "*"},
		{"the old name of nothing", "GET", "/group/none/.status.json", nil, 404, nil, "nothing here"},
		{"no such group", "GET", "/group/none/.status", nil, 404, nil, "nothing here"},
		{"a broken definition", "GET", "/group/broken/.status", nil, 500, nil, "internal server error\n"},
		{"POST", "POST", "/group/open/.status", nil, 405, []string{"Allow: GET, HEAD"}, "*"},
		{"OPTIONS", "OPTIONS", "/group/open/.status", nil, 200, []string{"Allow: OPTIONS, GET, HEAD"}, ""},
		{"POST to the list", "POST", "/public-groups.json", nil, 405, []string{"Allow: GET, HEAD"}, "*"},
	})
}

func TestStatusAcrossOrigins(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		settings config.Settings
		origin   string
		want     string // Access-Control-Allow-Origin
	}{
		{"no origin", config.Settings{}, "", ""},
		{"foreign origin", config.Settings{}, "https://evil.example.org", ""},
		{"an allowed origin", config.Settings{AllowOrigin: []string{"https://Friend.example.org"}}, "https://friend.example.org", "https://friend.example.org"},
		{"another one than allowed", config.Settings{AllowOrigin: []string{"https://friend.example.org"}}, "http://friend.example.org", ""},
		{"a public server", config.Settings{PublicServer: true}, "https://evil.example.org", "https://evil.example.org"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.settings = tt.settings
			for _, target := range []string{"/group/open/.status", "/public-groups.json"} {
				for _, method := range []string{"GET", "OPTIONS"} {
					response := f.do(method, target, "Origin: "+tt.origin)
					if got := response.Header.Get("Access-Control-Allow-Origin"); got != tt.want {
						t.Errorf("%s %s: allowed origin is %q, want %q", method, target, got, tt.want)
					}
					if got := response.Header.Get("Vary"); got != "Origin" {
						t.Errorf("%s %s: Vary is %q, want Origin", method, target, got)
					}
				}
			}
		})
	}
}

func TestPublicGroups(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.scan(t, func(statuses []object) error {
		var names []string
		for _, status := range statuses {
			names = append(names, status["name"].(string))
			if status["location"] == nil || status["endpoint"] == nil {
				return errors.New("a group has no location or no endpoint")
			}
		}
		if want := []string{"Grüße & so", "moved", "open"}; !reflect.DeepEqual(names, want) {
			return errors.New("groups are not the public ones in order")
		}
		return nil
	})
}

func TestPublicGroupsOfAnEmptyServer(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *Options) {
		o.Registry = group.NewRegistry(group.Options{Directory: t.TempDir(), Settings: o.Settings, Log: o.Log})
	})
	response := f.do("GET", "/public-groups.json")
	if got := body(t, response); got != "[]\n" || response.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("GET /public-groups.json = %q, headers %v, want an empty list", got, response.Header)
	}
}

// scan runs the registry until the list of public groups passes the check.
func (f *fixture) scan(t *testing.T, check func([]object) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.registry.Run(ctx)
	}()
	defer func() {
		cancel()
		<-done
	}()
	eventually(t, func() error {
		var statuses []object
		text := body(t, f.do("GET", "/public-groups.json"))
		if err := json.Unmarshal([]byte(text), &statuses); err != nil {
			return err
		}
		if err := check(statuses); err != nil {
			return errors.New(err.Error() + ": " + text)
		}
		return nil
	})
}
