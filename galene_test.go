package main

import (
	"bufio"
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
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"galene/internal/testlog"
	"galene/signalling"
)

func TestMain(m *testing.M) {
	if endpoint := os.Getenv(idleClientsEndpoint); endpoint != "" {
		os.Exit(idleClients(endpoint, os.Stdin, os.Stdout))
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what has to happen.
const patience = time.Minute

// program is a server that runs in this process.
type program struct {
	cancel context.CancelFunc
	stdout *bufio.Reader
	stderr *testlog.Journal
	status chan int
}

// launch runs a server until the test ends or stops it.
func launch(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	p := &program{
		cancel: cancel,
		stdout: bufio.NewReader(reader),
		stderr: new(testlog.Journal),
		status: make(chan int, 1),
	}
	go func() {
		p.status <- run(ctx, args, writer, p.stderr)
		_ = writer.Close()
	}()
	t.Cleanup(func() {
		cancel()
		_ = reader.Close()
	})
	return p
}

// stop tells the server to end, and checks that it does so in time.
func (p *program) stop(t *testing.T) {
	t.Helper()
	p.cancel()
	p.wait(t, statusDone)
}

// wait waits for the server's end.
func (p *program) wait(t *testing.T, want int) {
	t.Helper()
	select {
	case got := <-p.status:
		if got != want {
			t.Errorf("exit status %d, want %d; log:\n%s", got, want, p.stderr)
		}
	case <-time.After(patience):
		t.Fatalf("the server has not ended; log:\n%s", p.stderr)
	}
}

// address waits until the server listens, and returns where.
func (p *program) address(t *testing.T) string {
	t.Helper()
	listening := regexp.MustCompile(`msg=listening .*address=(\S+)`)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if match := listening.FindStringSubmatch(p.stderr.String()); match != nil {
			return match[1]
		}
	}
	t.Fatalf("the server does not listen; log:\n%s", p.stderr)
	return ""
}

// line reads a line that the server prints.
func (p *program) line(t *testing.T) string {
	t.Helper()
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("read what the server prints: %v; log:\n%s", err, p.stderr)
	}
	return strings.TrimSuffix(line, "\n")
}

// newClient returns a client that trusts every certificate.
func newClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // it is self-signed
		ForceAttemptHTTP2: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func get(t *testing.T, client *http.Client, url string) (status int, body string) {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

// session is a client of the signalling protocol.
type session struct{ *websocket.Conn }

func dial(t *testing.T, url string) session {
	t.Helper()
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	connection, response, err := dialer.Dial(url, nil)
	if err != nil {
		t.Fatalf("connect to %s: %v", url, err)
	}
	_ = response.Body.Close()
	t.Cleanup(func() { _ = connection.Close() })
	return session{connection}
}

func (s session) send(t *testing.T, message string) {
	t.Helper()
	if err := s.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
		t.Fatalf("send %s: %v", message, err)
	}
}

// expect reads messages until one has the type and kind, which it returns.
func (s session) expect(t *testing.T, kind ...string) map[string]any {
	t.Helper()
	_ = s.SetReadDeadline(time.Now().Add(patience))
	for {
		var message map[string]any
		if err := s.ReadJSON(&message); err != nil {
			t.Fatalf("while waiting for %v: %v", kind, err)
		}
		if message["type"] == kind[0] && (len(kind) == 1 || message["kind"] == kind[1]) {
			return message
		}
	}
}

// join enters a group.
func (s session) join(t *testing.T, group, username, password string) map[string]any {
	t.Helper()
	s.send(t, `{"type": "handshake", "version": ["2"], "id": "`+username+`-id"}`)
	s.expect(t, "handshake")
	s.send(t, fmt.Sprintf(`{"type": "join", "kind": "join", "group": %q, "username": %q, "password": %q}`,
		group, username, password))
	return s.expect(t, "joined", "join")
}

func TestDemo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Chdir(t.TempDir())
	p := launch(t, "-demo", "-http", "127.0.0.1:0")

	page, ok := strings.CutPrefix(p.line(t), "Galène is running: ")
	if !regexp.MustCompile(`^https://127\.0\.0\.1:[1-9][0-9]*/group/demo/$`).MatchString(page) {
		t.Fatalf("the page is %q, prefix found: %v", page, ok)
	}
	operator := regexp.MustCompile(`^Operator: user name operator, password ([a-z2-7]{4}(-[a-z2-7]{4}){3})$`)
	match := operator.FindStringSubmatch(p.line(t))
	if match == nil {
		t.Fatal("the operator's password is not printed")
	}
	password := match[1]

	client := newClient(t)
	if status, body := get(t, client, page); status != http.StatusOK || !strings.Contains(body, "<!") {
		t.Errorf("GET %s = %d %q, want a page", page, status, body)
	}
	status, body := get(t, client, page+".status")
	var got struct{ Name, Location, Endpoint string }
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK || got.Location != page {
		t.Fatalf("GET %s.status = %d %q, %v", page, status, body, err)
	}

	member := dial(t, got.Endpoint).mustPermit(t, "alice", "anything", "present", "message")
	dial(t, got.Endpoint).mustPermit(t, "operator", password, "op")
	intruder := dial(t, got.Endpoint)
	intruder.send(t, `{"type": "handshake", "version": ["2"], "id": "intruder-id"}`)
	intruder.send(t, `{"type": "join", "kind": "join", "group": "demo", "username": "operator", "password": "wrong"}`)
	intruder.expect(t, "joined", "fail")

	p.cancel()
	kicked := member.expect(t, "usermessage", "kicked")
	if kicked["value"] != signalling.Farewell {
		t.Errorf("at the end the member was told %v, want %q", kicked["value"], signalling.Farewell)
	}
	if _, _, err := member.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		t.Errorf("the member's connection ended with %v, want close code 1000", err)
	}
	p.stop(t)

	for _, directory := range []string{".", os.TempDir()} {
		if left, err := os.ReadDir(directory); err != nil || len(left) > 0 {
			t.Errorf("left in %s: %v, error %v", directory, left, err)
		}
	}
}

// mustPermit enters the demonstration and checks the permissions there.
func (s session) mustPermit(t *testing.T, username, password string, permissions ...any) session {
	t.Helper()
	got, _ := s.join(t, "demo", username, password)["permissions"].([]any)
	for _, permission := range permissions {
		if !slices.Contains(got, permission) {
			t.Errorf("%s has the permissions %v, want %v", username, got, permission)
		}
	}
	return s
}

// place makes the directories of a server with one group, and returns the
// flags that name them.
func place(t *testing.T) (directory string, flags []string) {
	t.Helper()
	directory = t.TempDir()
	for _, name := range []string{"data", "groups"} {
		if err := os.Mkdir(filepath.Join(directory, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	definition := `{"public": true, "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}`
	if err := os.WriteFile(filepath.Join(directory, "groups", "room.json"), []byte(definition), 0o600); err != nil {
		t.Fatal(err)
	}
	return directory, []string{
		"-data", filepath.Join(directory, "data"),
		"-groups", filepath.Join(directory, "groups"),
		"-recordings", filepath.Join(directory, "recordings"),
		"-loopback",
	}
}

func TestTwoServersInOneProcess(t *testing.T) {
	t.Parallel()
	var servers []*program
	for range 2 {
		_, flags := place(t)
		servers = append(servers, launch(t, append(flags, "-insecure", "-http", "127.0.0.1:0")...))
	}
	client := newClient(t)
	for _, p := range servers {
		url := "http://" + p.address(t) + "/group/room/.status"
		if status, body := get(t, client, url); status != http.StatusOK {
			t.Errorf("GET %s = %d %q", url, status, body)
		}
	}
	for _, p := range servers {
		p.stop(t)
	}
}

func TestForeignClientOnUnixSocket(t *testing.T) {
	t.Parallel()
	directory, flags := place(t)
	frontend := filepath.Join(directory, "frontend")
	if err := os.Mkdir(frontend, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(frontend, "galene.html"), []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(directory, "socket")
	p := launch(t, append(flags, "-insecure", "-static", frontend, "-http", socket)...)
	p.address(t)

	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get("http://example.org/group/room/")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if string(body) != "theirs" || !strings.Contains(response.Header.Get("Content-Security-Policy"), "unsafe-eval") {
		t.Errorf("the page is %q, headers %v", body, response.Header)
	}

	p.stop(t)
	if _, err := os.Lstat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket was not removed: %v", err)
	}
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	udp, err := net.ListenPacket("udp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = udp.Close() })
	_, udpPort, _ := net.SplitHostPort(udp.LocalAddr().String())
	missing := filepath.Join(t.TempDir(), "missing")
	_, flags := place(t)
	local := slices.Concat(flags, []string{"-http", "127.0.0.1:0"})

	tests := []struct {
		name    string
		args    []string
		want    int
		mention []string // in what is printed
	}{
		{"help", []string{"-h"}, 0, []string{"-udp-range"}},
		{"version", []string{"-version"}, 0, []string{"galene "}},
		{"unknown flag", []string{"-port", "80"}, 2, []string{"-port", "-udp-range"}},
		{"extra argument", []string{"start"}, 2, []string{`"start"`}},
		{"bad ports", []string{"-udp-range", "5-4"}, 1, []string{"-udp-range", "level=ERROR"}},
		{"address in use", slices.Concat(flags, []string{"-http", busy.Addr().String()}), 1, []string{"-http", "in use", "level=ERROR"}},
		{"address in use for the demonstration", []string{"-demo", "-http", busy.Addr().String()}, 1, []string{"-http", "in use"}},
		{"media port in use", slices.Concat(local, []string{"-udp-range", udpPort}), 1, []string{"-udp-range", "in use", "level=ERROR"}},
		{"no such client", slices.Concat(local, []string{"-static", missing}), 1, []string{"static", "level=ERROR"}},
		{"profile that cannot be written", slices.Concat(local, []string{"-memprofile", filepath.Join(missing, "x")}), 1, []string{"profile", "level=ERROR"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var printed testlog.Journal
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if got := run(ctx, slices.Clone(tt.args), &printed, &printed); got != tt.want {
				t.Errorf("run(%q) = %d, want %d; printed:\n%s", tt.args, got, tt.want, &printed)
			}
			for _, mention := range tt.mention {
				if !strings.Contains(printed.String(), mention) {
					t.Errorf("run(%q) printed %q, want %q in it", tt.args, &printed, mention)
				}
			}
			if n := strings.Count(printed.String(), "level=ERROR"); n > 1 {
				t.Errorf("run(%q) logged %d errors, want one:\n%s", tt.args, n, &printed)
			}
		})
	}
}

func TestStartWithoutDirectories(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	p := launch(t, "-http", "127.0.0.1:0", "-data", missing, "-groups", missing, "-udp-range", "40000-50000")
	url := "https://" + p.address(t)
	client := newClient(t)
	if status, _ := get(t, client, url+"/group/room/"); status != http.StatusNotFound {
		t.Errorf("GET of a group without groups directory: status %d, want 404", status)
	}
	if status, body := get(t, client, url+"/public-groups.json"); status != http.StatusOK || strings.TrimSpace(body) != "[]" {
		t.Errorf("GET /public-groups.json = %d %q, want an empty list", status, body)
	}
	p.stop(t)
	for _, mention := range []string{"no data directory", "no groups directory"} {
		if !strings.Contains(p.stderr.String(), mention) {
			t.Errorf("%q is not in the log:\n%s", mention, p.stderr)
		}
	}
	if _, err := os.Stat(missing); !os.IsNotExist(err) {
		t.Errorf("the missing directory was made: %v", err)
	}
}

func TestProfiles(t *testing.T) {
	directory, flags := place(t)
	names := []string{"cpu", "mem", "mutex"}
	for _, name := range names {
		flags = append(flags, "-"+name+"profile", filepath.Join(directory, name))
	}
	p := launch(t, append(flags, "-http", "127.0.0.1:0")...)
	p.address(t)
	p.stop(t)
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(directory, name)); err != nil || info.Size() == 0 {
			t.Errorf("the %s profile is missing or empty: %v", name, err)
		}
	}
}

func TestVisitHost(t *testing.T) {
	t.Parallel()
	got := &net.TCPAddr{IP: net.IPv4zero, Port: 4711}
	tests := []struct{ told, want string }{
		{":0", "localhost:4711"},
		{"0.0.0.0:8443", "localhost:4711"},
		{"[::]:8443", "localhost:4711"},
		{"localhost:8443", "localhost:4711"},
		{"127.0.0.1:0", "127.0.0.1:4711"},
		{"[::1]:0", "[::1]:4711"},
		{"galene.example.org:8443", "galene.example.org:4711"},
	}
	for _, tt := range tests {
		if host := visitHost(tt.told, got); host != tt.want {
			t.Errorf("visitHost(%q, %v) = %q, want %q", tt.told, got, host, tt.want)
		}
	}
}
