package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"galene/internal/testkit"
)

// administered is a server whose administrator is root.
type administered struct {
	*testkit.Server
	t *testing.T
}

func startAdministered(t *testing.T) *administered {
	t.Helper()
	data := t.TempDir()
	const settings = `{"users": {"root": {"password": "root's", "permissions": "admin"}}, "writableGroups": true}`
	if err := os.WriteFile(filepath.Join(data, "config.json"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	return &administered{testkit.StartServer(t, run, testkit.ServerOptions{Args: []string{"-data", data}}), t}
}

// ask sends a request to the API as root, and returns the reply, which has to
// have that status, and its body.
func (a *administered) ask(ctx context.Context, method, path, mediaType, body string, status int) (*http.Response, string) {
	a.t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, a.HTTP+"/galene-api/v0"+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	request.SetBasicAuth("root", "root's")
	request.Header.Set("Content-Type", mediaType)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		a.t.Fatalf("%s %s: %s %s, %v, want status %d", method, path, response.Status, text, err, status)
	}
	return response, string(text)
}

func TestAdministrationTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	a := startAdministered(t)
	ctx := patient(t)
	dial := func() *testkit.Client {
		client, err := testkit.Dial(ctx, a.Endpoint(), testkit.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		return client
	}

	a.ask(ctx, "PUT", "/.groups/new/room", "application/json", `{"displayName": "New"}`, 201)
	if _, err := dial().Join(ctx, "new/room", "ada", "secret"); err == nil {
		t.Error("a user who does not exist could join")
	}
	a.ask(ctx, "PUT", "/.groups/new/room/.users/ada", "application/json", `{"permissions": "present"}`, 201)
	a.ask(ctx, "POST", "/.groups/new/room/.users/ada/.password", "text/plain", "secret", 204)
	joined, err := dial().Join(ctx, "new/room", "ada", "secret")
	if err != nil || !slices.Equal(joined.Permissions, []string{"present", "message"}) {
		t.Errorf("a new user: %v, %v", joined.Permissions, err)
	}

	made, _ := a.ask(ctx, "POST", "/.groups/new/room/.tokens/", "application/json",
		`{"username": "guest", "permissions": ["message"], "expires": "2100-01-01T00:00:00Z"}`, 201)
	token := made.Header.Get("Location")
	if joined, err := dial().JoinToken(ctx, "new/room", nil, token); err != nil || !slices.Equal(joined.Permissions, []string{"message"}) {
		t.Errorf("a new token: %v, %v", joined.Permissions, err)
	}
	a.ask(ctx, "DELETE", "/.groups/new/room/.tokens/"+token, "", "", 204)
	if _, err := dial().JoinToken(ctx, "new/room", nil, token); err == nil {
		t.Error("a token that was deleted lets somebody in")
	}

	if _, list := a.ask(ctx, "GET", "/.groups/", "", "", 200); list != `["new/room","room"]`+"\n" {
		t.Errorf("groups: %s", list)
	}
	a.ask(ctx, "DELETE", "/.groups/new/room", "", "", 204)
	if _, err := dial().Join(ctx, "new/room", "ada", "secret"); err == nil {
		t.Error("a group that was deleted lets somebody in")
	}
}
