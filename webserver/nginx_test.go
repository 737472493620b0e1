package webserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"galene/internal/testkit"
)

// addressTeller is a signalling server that tells each client its address.
type addressTeller struct{}

func (addressTeller) ServeWebSocket(w http.ResponseWriter, r *http.Request) {
	u := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	if connection, err := u.Upgrade(w, r, nil); err == nil {
		_ = connection.WriteMessage(websocket.TextMessage, []byte(r.RemoteAddr))
		_ = connection.Close()
	}
}

// belowSub is what has nginx show the server at %s below /sub/.
const belowSub = `
	location /sub/ {
		proxy_pass http://%s/;
		proxy_http_version 1.1;
		proxy_set_header Upgrade $http_upgrade;
		proxy_set_header Connection $http_connection;
		proxy_set_header Host meet.example.org;
		proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
	}`

func TestBehindNginx(t *testing.T) {
	t.Parallel()
	const client = "127.0.0.2" // whereas nginx is 127.0.0.1
	f := newFixture(t, func(o *Options) { o.WebSockets, o.Recordings = addressTeller{}, t.TempDir() })
	f.settings = *trusting(t, `["127.0.0.1"]`)
	f.settings.ProxyURL = "https://meet.example.org/sub/"
	proxy := testkit.StartNginx(t, fmt.Sprintf(belowSub, f.serve(t)))

	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(client)}}
	if probe, err := dialer.Dial("tcp", proxy); err != nil {
		t.Skipf("this machine has no address %s: %v", client, err)
	} else {
		_ = probe.Close()
	}
	transport := &http.Transport{DialContext: dialer.DialContext}
	defer transport.CloseIdleConnections()
	get := func(path string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+proxy+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Forwarded-For", "192.0.2.66") // a lie
		r.SetBasicAuth("nobody", "wrong")
		response, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response, body(t, response)
	}

	if response, text := get("/sub/"); response.StatusCode != 200 || text != "landing" {
		t.Errorf("the landing page: %d %q", response.StatusCode, text)
	}
	for path, location := range map[string]string{
		"/sub/group/open?token=x": "/sub/group/open/?token=x",
		"/sub/recordings/open":    "/sub/recordings/open/",
		"/sub/docs":               "/sub/docs/",
	} {
		if response, _ := get(path); response.StatusCode != 308 || !strings.HasSuffix(response.Header.Get("Location"), location) {
			t.Errorf("%s: %d to %q, want %q", path, response.StatusCode, response.Header.Get("Location"), location)
		}
	}
	var status struct{ Location, Endpoint string }
	_, text := get("/sub/group/open/.status")
	if err := json.Unmarshal([]byte(text), &status); err != nil ||
		status.Location != "https://meet.example.org/sub/group/open/" || status.Endpoint != "wss://meet.example.org/sub/ws" {
		t.Errorf("status %+v, %v", status, err)
	}
	if response, _ := get("/sub/stats.json"); response.StatusCode != 401 || f.log.Count("address="+client) == 0 {
		t.Errorf("%d for bad credentials, and the log lacks the address", response.StatusCode)
	}
	if f.log.Count("192.0.2.66") != 0 {
		t.Error("the server believes the client's own X-Forwarded-For")
	}
	if got, err := askAddress(t, proxy, dialer); err != nil || got != client {
		t.Errorf("the WebSocket's client is %q, %v, want %q", got, err, client)
	}
}

// askAddress opens a WebSocket through the proxy and reads one message.
func askAddress(t *testing.T, proxy string, dialer *net.Dialer) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	socket := websocket.Dialer{NetDialContext: dialer.DialContext}
	header := http.Header{"Origin": {"https://meet.example.org"}}
	connection, response, err := socket.DialContext(ctx, "ws://"+proxy+"/sub/ws", header)
	if err != nil {
		if response != nil {
			err = errors.Join(err, errors.New(response.Status))
		}
		return "", err
	}
	defer connection.Close()
	_, message, err := connection.ReadMessage()
	return string(message), err
}
