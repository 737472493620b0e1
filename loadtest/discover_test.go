package loadtest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestGroupURLsAreNumbered(t *testing.T) {
	t.Parallel()
	tests := []struct {
		base string
		i, n int
		want string
	}{
		{"https://host:8443/group/test/", 0, 1, "https://host:8443/group/test/"},
		{"https://host:8443/group/test", 0, 1, "https://host:8443/group/test/"},
		{"https://host:8443/group/test/", 0, 2, "https://host:8443/group/test-1/"},
		{"https://host:8443/group/a/test", 9, 10, "https://host:8443/group/a/test-10/"},
		{"https://host/sub/group/é t/?token=x#y", 1, 2, "https://host/sub/group/%C3%A9%20t-2/"},
	}
	for _, tt := range tests {
		got, err := groupURL(tt.base, tt.i, tt.n)
		if err != nil || got.String() != tt.want {
			t.Errorf("groupURL(%q, %d, %d) = %v, %v, want %s", tt.base, tt.i, tt.n, got, err, tt.want)
		}
	}
}

func TestGroupsAreDiscovered(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		code   int
		body   string
		want   room
		failed string // part of the error
	}{
		{"as usual", 200, `{"name":"a/b","endpoint":"wss://media/ws","clientCount":3}`, room{"a/b", "wss://media/ws"}, ""},
		{"without endpoint", 200, `{"name":"a/b"}`, room{"a/b", "ws://HOST/ws"}, ""},
		{"without anything", 200, `{}`, room{"a/b", "ws://HOST/ws"}, ""},
		{"no such group", 404, `not found`, room{}, "404"},
		{"elsewhere", 200, `{"name":"a/b","redirect":"https://elsewhere/group/b/"}`, room{}, "https://elsewhere/group/b/"},
		{"not a status", 200, `<html>`, room{}, "status"},
		{"endless", 200, `{"name":"` + strings.Repeat("x", maxStatus), room{}, "status"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/group/a/b/.status" {
					t.Errorf("asked for %s", r.URL.Path)
				}
				w.WriteHeader(tt.code)
				_, _ = w.Write([]byte(tt.body))
			}))
			defer server.Close()
			rooms, err := discover(t.Context(), &Scenario{URL: server.URL + "/group/a/b/", Groups: 1})
			if tt.failed != "" {
				if !errors.Is(err, errStatus) || !strings.Contains(err.Error(), tt.failed) {
					t.Errorf("error %v, want one about %s", err, tt.failed)
				}
				return
			}
			tt.want.endpoint = strings.Replace(tt.want.endpoint, "HOST", strings.TrimPrefix(server.URL, "http://"), 1)
			if err != nil || len(rooms) != 1 || rooms[0] != tt.want {
				t.Errorf("found %+v, %v, want %+v", rooms, err, tt.want)
			}
		})
	}
}
