package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"galene/internal/testkit"
)

// visitor is where requests come from, as proxies say.
const visitor = "192.0.2.9"

// behindNginx is what has nginx show the server at %s below /sub/, for a visitor
// from %s.
const behindNginx = `
	location /sub/ {
		proxy_pass http://%s/;
		proxy_http_version 1.1;
		proxy_set_header Upgrade $http_upgrade;
		proxy_set_header Connection $http_connection;
		proxy_set_header Host $http_host;
		proxy_set_header X-Forwarded-For %s;
	}`

// closedGroup is the definition of a group of whose users guesses are logged.
const closedGroup = `{"users": {"ada": {"password": "ada's", "permissions": "present"}}}`

// guessPasswords gives wrong passwords over HTTP and over the WebSocket, and
// checks that the server takes both for the visitor's.
func guessPasswords(t *testing.T, base, endpoint string, log func() string) {
	t.Helper()
	ctx := patient(t)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/stats.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("over-http", "wrong")
	response, err := newClient(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	client, err := testkit.Dial(ctx, endpoint, testkit.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Join(ctx, "closed", "over-websocket", "wrong"); err == nil {
		t.Error("a wrong password lets somebody in")
	}
	for _, name := range []string{"over-http", "over-websocket"} {
		found := false
		for line := range strings.Lines(log()) {
			found = found || strings.Contains(line, name) && strings.Contains(line, "address="+visitor)
		}
		if response.StatusCode != http.StatusUnauthorized || !found {
			t.Errorf("status %d; no guess from %s by %s in the log:\n%s", response.StatusCode, visitor, name, log())
		}
	}
}

// configure writes the settings of a server whose data are in directory.
func configure(t *testing.T, directory, settings string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(directory, "config.json"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestMeetingBelowThePathOfNginx(t *testing.T) {
	t.Parallel()
	program := testkit.BuildServer(t, ".")
	t.Run("over TCP", func(t *testing.T) {
		t.Parallel()
		meetBehindNginx(t, program)
	})
	t.Run("over a Unix socket", func(t *testing.T) {
		t.Parallel()
		meetBehindNginx(t, program, "-http", filepath.Join(t.TempDir(), "socket"), "-socket-mode", "600")
	})
}

// meetBehindNginx checks that two people can meet through nginx, by what they are
// told there.
func meetBehindNginx(t *testing.T, program string, args ...string) {
	t.Helper()
	data := t.TempDir()
	server := testkit.StartProgram(t, program, testkit.ServerOptions{
		Groups: map[string]string{"room": testkit.OpenGroup, "closed": closedGroup},
		Args:   append([]string{"-data", data, "-turn", ""}, args...),
	})
	backend := strings.TrimPrefix(server.HTTP, "http://")
	if strings.HasPrefix(backend, "/") {
		backend = "unix:" + backend + ":"
	}
	address := testkit.StartNginx(t, fmt.Sprintf(behindNginx, backend, visitor))
	base := "http://" + address + "/sub"
	configure(t, data, `{"proxyURL": "`+base+`/", "trustedProxies": ["127.0.0.1", "unix"]}`)
	client := newClient(t)

	// The page, and what it refers to.
	status, page := get(t, client, base+"/group/room/")
	references := regexp.MustCompile(`(?:href|src)="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if status != http.StatusOK || len(references) < 5 {
		t.Fatalf("the page: status %d, %d references", status, len(references))
	}
	for _, reference := range references {
		if status, _ := get(t, client, "http://"+address+reference[1]); status != http.StatusOK {
			t.Errorf("the page refers to %s: status %d", reference[1], status)
		}
	}

	// Those who read the status get in, and see each other.
	var described struct{ Location, Endpoint string }
	_, text := get(t, client, base+"/group/room/.status")
	if err := json.Unmarshal([]byte(text), &described); err != nil || described.Location != base+"/group/room/" {
		t.Fatalf("status %s, %v", text, err)
	}
	ctx := patient(t)
	enter := func(name string) *testkit.Client {
		c, err := testkit.Dial(ctx, described.Endpoint, testkit.ClientOptions{Trickle: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		if _, err := c.Join(ctx, "room", name, ""); err != nil {
			t.Fatal(err)
		}
		return c
	}
	m := &meeting{t: t, ctx: ctx}
	publisher, subscriber := enter("ada"), enter("bob")
	if err := subscriber.Subscribe(); err != nil {
		t.Fatal(err)
	}
	source := testkit.NewSource(testkit.SourceOptions{Codec: testkit.VP8})
	stop := m.play(m.publish(publisher, testkit.StreamOptions{Sources: []*testkit.Source{source}}))
	_, err := m.tracks(m.stream(subscriber), 1)[0].WaitPackets(ctx, func(packets []testkit.Packet) bool { return len(packets) >= 20 })
	stop()
	if err != nil {
		t.Errorf("no media: %v", err)
	}
	guessPasswords(t, base, described.Endpoint, server.Log)
}

// startHeaderRelay relays connections to the server at address, each of which
// begins with header, until the test ends. It returns where it listens.
func startHeaderRelay(t *testing.T, address, header string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var relaying sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	relaying.Go(func() {
		for {
			outside, err := listener.Accept()
			if err != nil {
				return
			}
			relaying.Go(func() { relayWithHeader(ctx, outside, address, header) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		relaying.Wait()
	})
	return listener.Addr().String()
}

func relayWithHeader(ctx context.Context, outside net.Conn, address, header string) {
	defer outside.Close()
	inside, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer inside.Close()
	stop := context.AfterFunc(ctx, func() {
		_ = outside.Close()
		_ = inside.Close()
	})
	defer stop()
	if _, err := io.WriteString(inside, header); err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(outside, inside)
		_ = outside.Close()
	})
	_, _ = io.Copy(inside, outside)
	_ = inside.Close()
	back.Wait()
}

func TestServerBehindTheProxyProtocol(t *testing.T) {
	t.Parallel()
	const (
		version1 = "PROXY TCP4 192.0.2.9 192.0.2.10 4660 443\r\n"
		version2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x09\xc0\x00\x02\x0a\x12\x34\x01\xbb"
	)
	program := testkit.BuildServer(t, ".")
	port := freePort(t)
	tests := []struct {
		name, header string
		secure       bool
		args         []string
	}{
		{"version 1 with TLS", version1, true, nil},
		{"version 2 with TLS", version2, true, nil},
		{"version 1 without TLS", version1, false, nil},
		{"version 2 on a port with media", version2, true, []string{"-http", "127.0.0.1:" + port, "-udp-range", port}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			configure(t, data, `{"trustedProxies": ["127.0.0.1"], "proxyProtocol": true}`)
			server := testkit.StartProgram(t, program, testkit.ServerOptions{
				Groups: map[string]string{"room": testkit.OpenGroup, "closed": closedGroup},
				TLS:    tt.secure, Args: append([]string{"-data", data, "-turn", ""}, tt.args...),
			})
			scheme, address, _ := strings.Cut(server.HTTP, "://")
			front := startHeaderRelay(t, address, tt.header)
			if status, body := get(t, newClient(t), scheme+"://"+front+"/group/room/.status"); status != http.StatusOK {
				t.Errorf("status %d: %s", status, body)
			}
			guessPasswords(t, scheme+"://"+front, "ws"+strings.TrimPrefix(scheme, "http")+"://"+front+"/ws", server.Log)
			refuseBare(t, address, tt.secure)
		})
	}
}

// refuseBare checks that a connection of the proxy without header is refused.
func refuseBare(t *testing.T, address string, secure bool) {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if secure {
		tlsConnection := tls.Client(connection, &tls.Config{InsecureSkipVerify: true})
		if err := tlsConnection.HandshakeContext(t.Context()); err == nil {
			t.Error("a connection without header gets a TLS handshake")
		}
		return
	}
	_, _ = io.WriteString(connection, "GET /healthz HTTP/1.1\r\nHost: example.org\r\n\r\n")
	if reply, _ := io.ReadAll(connection); strings.Contains(string(reply), "200") {
		t.Errorf("a connection without header gets the reply %q", reply)
	}
}
