package testkit

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// tokenLifetime is how long a client has for joining with a token.
const tokenLifetime = 30 * time.Second

// maxTokenBytes bounds what a client takes for a token.
const maxTokenBytes = 64 << 10

// AuthUser is a user that an [AuthServer] knows.
type AuthUser struct {
	Password    string
	Permissions any // an array of permissions, or the name of a set
}

// AuthServer is a sample of what groups delegate authorisation to: its URL can be
// a group's authServer, and Portal a group's authPortal. It knows some users of
// all groups, has no opinion about others, and signs tokens for those who know
// their password.
type AuthServer struct {
	// URL is where clients ask for tokens.
	URL string
	// Key is the JSON Web Key for the authKeys of groups.
	Key string

	users   map[string]AuthUser
	private *ecdsa.PrivateKey
	server  *httptest.Server
}

// StartAuthServer runs an authorisation server until the test ends.
func StartAuthServer(tb testing.TB, users map[string]AuthUser) *AuthServer {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	half := (len(point) - 1) / 2
	a := &AuthServer{users: users, private: private}
	a.Key = fmt.Sprintf(`{"kty":"EC","alg":"ES256","crv":"P-256","kid":"sample","x":%q,"y":%q}`,
		base64.RawURLEncoding.EncodeToString(point[1:1+half]), base64.RawURLEncoding.EncodeToString(point[1+half:]))
	routes := http.NewServeMux()
	routes.HandleFunc("POST /authorise", a.authorise)
	routes.HandleFunc("GET /portal", a.portal)
	a.server = httptest.NewServer(routes)
	tb.Cleanup(a.Stop)
	a.URL = a.server.URL + "/authorise"
	return a
}

// Stop ends the server, so that it cannot be reached any more.
func (a *AuthServer) Stop() { a.server.Close() }

// Portal is the URL of a page that lets a user into the group whose page is at
// location. A real portal would ask who the user is, and know where to send him.
func (a *AuthServer) Portal(location, username string) string {
	return a.server.URL + "/portal?" + url.Values{"location": {location}, "username": {username}}.Encode()
}

// authorise answers a client that asks for a token.
func (a *AuthServer) authorise(w http.ResponseWriter, r *http.Request) {
	var request struct{ Location, Username, Password string }
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	user, ok := a.users[request.Username]
	if !ok {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if user.Password != request.Password {
		http.Error(w, "wrong password", http.StatusForbidden)
		return
	}
	text, err := a.Sign(request.Location, request.Username, user.Permissions)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/jwt")
	_, _ = io.WriteString(w, text) // the client sees that it is cut
}

// portal sends a user's browser to the group's page with a token.
func (a *AuthServer) portal(w http.ResponseWriter, r *http.Request) {
	location, username := r.FormValue("location"), r.FormValue("username")
	text, err := a.Sign(location, username, a.users[username].Permissions)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, location+"?token="+url.QueryEscape(text), http.StatusSeeOther)
}

// Sign returns a token for the group whose page is at location.
func (a *AuthServer) Sign(location, username string, permissions any) (string, error) {
	now := time.Now()
	claims := jwt.MapClaims{
		"aud": location, "sub": username, "permissions": permissions,
		"iss": a.URL, "iat": now.Unix(), "exp": now.Add(tokenLifetime).Unix(),
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["kid"] = "sample"
	return token.SignedString(a.private)
}

// ErrRefused is returned when an authorisation server gives no token.
var ErrRefused = errors.New("testkit: refused by the authorisation server")

// Delegate does what a client does that is about to join the group whose page is
// at location, when the group has an authServer: it asks that for a token.
// Without an opinion the token is empty, and the client joins with its password.
// The error is [ErrRefused] if there is an answer of any other kind.
func Delegate(ctx context.Context, authServer, location, username, password string) (token string, err error) {
	body, err := json.Marshal(map[string]string{"location": location, "username": username, "password": password})
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, authServer, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNoContent {
		return "", nil
	}
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if response.StatusCode/100 != 2 || err != nil || kind != "application/jwt" {
		return "", fmt.Errorf("%w: status %d, type %q", ErrRefused, response.StatusCode, kind)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxTokenBytes))
	if err != nil {
		return "", err
	}
	if token = strings.TrimSpace(string(text)); token == "" {
		return "", fmt.Errorf("%w: empty answer", ErrRefused)
	}
	return token, nil
}
