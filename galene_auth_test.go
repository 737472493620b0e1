package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"galene/internal/testkit"
)

// delegated is a server with a group that delegates authorisation.
type delegated struct {
	*testkit.Server
	auth     *testkit.AuthServer
	location string // of the group's page
}

// startDelegated runs a server with a group whose definition has more members.
func startDelegated(t *testing.T, authServer, more string) *delegated {
	t.Helper()
	auth := testkit.StartAuthServer(t, map[string]testkit.AuthUser{
		"john": {Password: "secret", Permissions: "op"},
		"ann":  {Password: "secret", Permissions: []string{"present", "system"}},
	})
	if authServer == "" {
		authServer = auth.URL
	}
	definition := fmt.Sprintf(`{"allow-recording":true,"authKeys":[%s],"authServer":%q,"authPortal":%q%s}`,
		auth.Key, authServer, auth.Portal("", "john"), more)
	s := testkit.StartServer(t, run, testkit.ServerOptions{Groups: map[string]string{"g": definition, "room": testkit.OpenGroup}})
	return &delegated{s, auth, s.HTTP + "/group/g/"}
}

func (d *delegated) dial(ctx context.Context, t *testing.T) *testkit.Client {
	t.Helper()
	client, err := testkit.Dial(ctx, d.Endpoint(), testkit.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// enter joins the group as a client does that knows its status, and returns the
// permissions.
func (d *delegated) enter(ctx context.Context, t *testing.T, username, password string) ([]string, error) {
	t.Helper()
	token, err := testkit.Delegate(ctx, d.status(ctx, t)["authServer"], d.location, username, password)
	if err != nil {
		return nil, err
	}
	client := d.dial(ctx, t)
	if token == "" {
		m, err := client.Join(ctx, "g", username, password)
		return m.Permissions, err
	}
	m, err := client.JoinToken(ctx, "g", &username, token)
	return m.Permissions, err
}

// status is what the server publishes of the group.
func (d *delegated) status(ctx context.Context, t *testing.T) map[string]string {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.location+".status", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	status := make(map[string]string)
	if err := json.NewDecoder(response.Body).Decode(&status); err != nil {
		t.Fatal(err)
	}
	return status
}

func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	t.Cleanup(cancel)
	return ctx
}

func TestDelegatedAuthorisation(t *testing.T) {
	t.Parallel()
	d := startDelegated(t, "", `,"users":{"john":{"password":"local","permissions":"present"}},
		"wildcard-user":{"password":"guest","permissions":"message"}`)
	ctx := patient(t)
	status := d.status(ctx, t)
	if status["authServer"] != d.auth.URL || status["authPortal"] != d.auth.Portal("", "john") || status["location"] != d.location {
		t.Errorf("status = %v, want the server's %s and portal", status, d.auth.URL)
	}
	tests := []struct {
		name, username, password string
		want                     []string // nil if refused
	}{
		{"set of permissions", "john", "secret", []string{"record", "op", "present", "message", "caption", "token"}},
		{"list of permissions", "ann", "secret", []string{"present"}},
		{"403", "john", "wrong", nil},
		{"403 although the password is good here", "john", "local", nil},
		{"204 and a good password", "guest", "guest", []string{"message"}},
		{"204 and a bad password", "guest", "wrong", nil},
	}
	for _, tt := range tests {
		got, err := d.enter(ctx, t, tt.username, tt.password)
		if (err == nil) != (tt.want != nil) || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
	// The delegate is asked by clients; passwords of the group's own users are as
	// good as ever for whoever offers them.
	if _, err := d.dial(ctx, t).Join(ctx, "g", "john", "local"); err != nil {
		t.Errorf("password of a user: %v", err)
	}
}

func TestPortalsSendUsersWithAToken(t *testing.T) {
	t.Parallel()
	d := startDelegated(t, "", "")
	ctx := patient(t)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.auth.Portal(d.location, "john"), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	target, err := url.Parse(response.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(target.String(), d.location+"?") {
		t.Fatalf("the portal sends users to %v, %v", target, err)
	}
	m, err := d.dial(ctx, t).JoinToken(ctx, "g", nil, target.Query().Get("token"))
	if err != nil || *m.Username != "john" || !slices.Contains(m.Permissions, "op") {
		t.Errorf("join with the portal's token: %+v, %v", m, err)
	}
}

// What becomes of an authorisation server is the matter of its clients: it harms
// nobody else.
func TestFaultyAuthorisationServers(t *testing.T) {
	t.Parallel()
	reply := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	asked := make(chan struct{}, 1)
	slow := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the client's leaving is noticed
		asked <- struct{}{}
		<-r.Context().Done()
	}
	tests := map[string]http.HandlerFunc{ // nil cannot be reached
		"error":       reply(http.StatusInternalServerError, "application/jwt", "x"),
		"other type":  reply(http.StatusOK, "text/plain", "x"),
		"empty":       reply(http.StatusOK, "application/jwt", ""),
		"no token":    reply(http.StatusOK, "application/jwt; charset=utf-8", "x"),
		"forged":      reply(http.StatusOK, "application/jwt", "e30.e30.e30"),
		"slow":        slow,
		"unreachable": nil,
	}
	for name, handler := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(handler)
			t.Cleanup(server.Close)
			if handler == nil {
				server.Close()
			}
			d := startDelegated(t, server.URL, `,"wildcard-user":{"password":{"type":"wildcard"},"permissions":"present"}`)
			ctx := patient(t)
			if name == "slow" {
				short, cancel := context.WithCancel(ctx)
				defer cancel()
				other := d.dial(ctx, t)
				go func() {
					<-asked
					if _, err := other.Join(ctx, "room", "eve", ""); err != nil {
						t.Errorf("join another group meanwhile: %v", err)
					}
					cancel() // the user's patience ends
				}()
				if _, err := d.enter(short, t, "john", "secret"); !errors.Is(err, context.Canceled) {
					t.Errorf("enter = %v, want context.Canceled", err)
				}
			} else if got, err := d.enter(ctx, t, "john", "secret"); err == nil {
				t.Errorf("enter = %v, want an error", got)
			}
			if _, err := d.dial(ctx, t).Join(ctx, "g", "eve", ""); err != nil {
				t.Errorf("join without the authorisation server: %v", err)
			}
		})
	}
}

func TestTokensOfDelegatesAreForTheirGroup(t *testing.T) {
	t.Parallel()
	d := startDelegated(t, "", "")
	ctx := patient(t)
	text, err := d.auth.Sign(d.location+"elsewhere/", "john", "op")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	_, err = d.dial(ctx, t).JoinToken(ctx, "g", nil, text)
	refusal, ok := errors.AsType[*testkit.JoinError](err)
	if !ok || refusal.Message.Value != "not authorised" || time.Since(begin) < 200*time.Millisecond {
		t.Errorf("token for another group: %v after %v, want not authorised after 200 ms", err, time.Since(begin))
	}
}

func TestStatefulTokensOfTheDataDirectory(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := testkit.StartServer(t, run, testkit.ServerOptions{Args: []string{"-data", data}})
	ctx := patient(t)
	client, err := testkit.Dial(ctx, s.Endpoint(), testkit.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := os.Stat(filepath.Join(data, "var")); !os.IsNotExist(err) {
		t.Errorf("directory of tokens without tokens: %v", err)
	}
	file := filepath.Join(data, "var", "tokens.jsonl")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	line := `{"token":"verysecret","group":"room","permissions":["present"],"expires":"2100-01-01T00:00:00Z"}` + "\n"
	if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = client.JoinToken(ctx, "room", nil, "verysecret")
	if refusal, ok := errors.AsType[*testkit.JoinError](err); !ok || refusal.Message.Error != "need-username" ||
		refusal.Message.Value != "username required" {
		t.Errorf("without a name: %v, want need-username", err)
	}
	m, err := client.JoinToken(ctx, "room", new("ann"), "verysecret")
	if err != nil || *m.Username != "ann" || !slices.Equal(m.Permissions, []string{"present"}) {
		t.Errorf("with a name: %+v, %v", m, err)
	}
	if strings.Contains(s.Log(), "verysecret") {
		t.Errorf("the log has the secret:\n%s", s.Log())
	}
}
