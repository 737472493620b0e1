package signalling

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"galene/group"
)

// patience is how long tests on real sockets wait for what must come.
const patience = 30 * time.Second

func serveWebSockets(t *testing.T) (url string) {
	t.Helper()
	_, url = newWebSocketServer(t)
	return url
}

// newWebSocketServer serves the open group over the loopback interface, until
// the test ends; then nothing of it may be left.
func newWebSocketServer(t *testing.T) (server *Server, url string) {
	t.Helper()
	dir := t.TempDir()
	for name, contents := range open {
		writeGroup(t, dir, name, contents)
	}
	log := slog.New(slog.DiscardHandler)
	s := NewServer(Options{Registry: group.NewRegistry(group.Options{Directory: dir, Log: log}), Log: log})
	h := httptest.NewServer(http.HandlerFunc(s.ServeWebSocket))
	t.Cleanup(func() {
		s.Shutdown(t.Context()) // which has ended, so that nobody is waited for
		h.Close()
	})
	return s, "ws" + strings.TrimPrefix(h.URL, "http")
}

func dial(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	c, response, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, c *websocket.Conn, kind int, message string) {
	t.Helper()
	if err := c.WriteMessage(kind, []byte(message)); err != nil {
		t.Fatal(err)
	}
}

// wantMessage reads a message, which must come in a text frame.
func wantMessage(t *testing.T, c *websocket.Conn, want string) {
	t.Helper()
	kind, got, err := c.ReadMessage()
	if err != nil || kind != websocket.TextMessage || string(got) != want {
		t.Fatalf("got %d %s, %v, want a text frame with %s", kind, got, err, want)
	}
}

func wantClose(t *testing.T, c *websocket.Conn, code int, reason string) {
	t.Helper()
	_, got, err := c.ReadMessage()
	e, ok := errors.AsType[*websocket.CloseError](err)
	if !ok || e.Code != code || e.Text != reason {
		t.Fatalf("got %s, %v, want a close frame with %d %q", got, err, code, reason)
	}
}

const (
	hello    = `{"type":"handshake","version":["2"],"id":"a"}`
	welcome  = `{"type":"handshake","version":["2"]}`
	mistaken = `{"type":"usermessage","kind":"error","dest":"a","privileged":true,"value":"unexpected message"}`
)

func TestWebSocketTakesTextAndBinaryFrames(t *testing.T) {
	t.Parallel()
	c := dial(t, serveWebSockets(t))
	write(t, c, websocket.BinaryMessage, hello)
	wantMessage(t, c, welcome)
	write(t, c, websocket.BinaryMessage, `{"type":"ping"}`)
	wantMessage(t, c, `{"type":"pong"}`)
	write(t, c, websocket.TextMessage, `{"type":"ping"}`)
	wantMessage(t, c, `{"type":"pong"}`)
}

func TestWebSocketCloseFrameIsAnswered(t *testing.T) {
	t.Parallel()
	for _, code := range []int{websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseNoStatusReceived} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			c := dial(t, serveWebSockets(t))
			write(t, c, websocket.TextMessage, hello)
			write(t, c, websocket.CloseMessage, string(websocket.FormatCloseMessage(code, "bye")))
			wantMessage(t, c, welcome)
			wantClose(t, c, websocket.CloseNormalClosure, "")
		})
	}
}

func TestWebSocketLongReasonStillComesInACloseFrame(t *testing.T) {
	t.Parallel()
	c := dial(t, serveWebSockets(t))
	write(t, c, websocket.TextMessage, hello)
	write(t, c, websocket.TextMessage, `{"type":"join","kind":"join","group":"test","username":"anna","password":"x"}`)
	text := strings.Repeat("é", 300)
	write(t, c, websocket.TextMessage, `{"type":"useraction","kind":"kick","dest":"a","value":"`+text+`"}`)
	var last []byte
	for {
		_, message, err := c.ReadMessage()
		if err == nil {
			last = message
			continue
		}
		want := "kicked out (" + strings.Repeat("é", 55)
		if e, ok := errors.AsType[*websocket.CloseError](err); !ok || e.Code != websocket.CloseNormalClosure || e.Text != want {
			t.Errorf("got %v, want a close frame with 1000 %q", err, want)
		}
		break
	}
	if !strings.Contains(string(last), `"kind":"kicked"`) || !strings.Contains(string(last), text) {
		t.Errorf("the last message is %s, want the whole text of the kick", last)
	}
}

func TestWebSocketMessageOverALimitIsRefused(t *testing.T) {
	t.Parallel()
	url := serveWebSockets(t)
	c := dial(t, url)
	write(t, c, websocket.TextMessage, hello)
	wantMessage(t, c, welcome)
	write(t, c, websocket.TextMessage, `{"type":"ping","x":"`+strings.Repeat("x", 1<<20-22)+`"}`)
	wantMessage(t, c, `{"type":"pong"}`)

	write(t, c, websocket.TextMessage, `{"type":"ping","x":"`+strings.Repeat("x", 1<<20-21)+`"}`)
	wantClose(t, c, websocket.CloseMessageTooBig, "")
}

// A client that sends a lot behind its mistake still sees why it is closed.
func TestWebSocketCloseFrameSurvivesPipelinedMessages(t *testing.T) {
	t.Parallel()
	c := dial(t, serveWebSockets(t))
	write(t, c, websocket.TextMessage, hello)
	write(t, c, websocket.TextMessage, `{"type":"nonsense"}`)
	for range 100 {
		write(t, c, websocket.TextMessage, `{"type":"ping","x":"`+strings.Repeat("x", 10000)+`"}`)
	}
	wantMessage(t, c, welcome)
	wantMessage(t, c, mistaken)
	wantClose(t, c, websocket.CloseProtocolError, "unexpected message")
}

func TestWebSocketFirstMessageThatIsNoneIsCut(t *testing.T) {
	t.Parallel()
	c := dial(t, serveWebSockets(t))
	write(t, c, websocket.TextMessage, "hello")
	wantClose(t, c, websocket.CloseAbnormalClosure, io.ErrUnexpectedEOF.Error())
}

func TestWebSocketIsNotCompressed(t *testing.T) {
	t.Parallel()
	d := websocket.Dialer{EnableCompression: true}
	c, response, err := d.DialContext(t.Context(), serveWebSockets(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	defer func() { _ = response.Body.Close() }()
	if got := response.Header.Get("Sec-Websocket-Extensions"); got != "" {
		t.Errorf("extensions = %q, want none", got)
	}
}

func TestRequestThatIsNoUpgradeIsRefused(t *testing.T) {
	t.Parallel()
	url := "http" + strings.TrimPrefix(serveWebSockets(t), "ws")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("status = %v, want 400", response.Status)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestWebSocketPingIsAnsweredButIsNoMessage(t *testing.T) {
	t.Parallel()
	c := dial(t, serveWebSockets(t))
	write(t, c, websocket.TextMessage, hello)
	wantMessage(t, c, welcome)
	pong := make(chan string, 1)
	c.SetPongHandler(func(data string) error {
		pong <- data
		return nil
	})
	if err := c.WriteControl(websocket.PingMessage, []byte("x"), time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	write(t, c, websocket.TextMessage, `{"type":"ping"}`)
	wantMessage(t, c, `{"type":"pong"}`)
	if got := <-pong; got != "x" {
		t.Errorf("pong = %q, want x", got)
	}
}

// A client that does not read is dropped as soon as the system's buffers are
// full, and the server is none the worse for it.
func TestWebSocketThatIsNotReadIsDropped(t *testing.T) {
	t.Parallel()
	url := serveWebSockets(t)
	a, slow := dial(t, url), dial(t, url)
	write(t, slow, websocket.TextMessage, `{"type":"handshake","version":["2"],"id":"slow"}`)
	write(t, slow, websocket.TextMessage, `{"type":"join","kind":"join","group":"test","username":"slow"}`)
	for m := ""; !strings.Contains(m, `"user"`); {
		_, got, err := slow.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		m = string(got)
	}
	write(t, a, websocket.TextMessage, hello)
	write(t, a, websocket.TextMessage, `{"type":"join","kind":"join","group":"test","username":"anna","password":"x"}`)
	chat := `{"type":"chat","noecho":true,"value":"` + strings.Repeat("x", 1<<19) + `"}`
	gone := make(chan error, 1)
	go func() {
		for {
			_, got, err := a.ReadMessage()
			if err != nil || strings.Contains(string(got), `"delete"`) {
				gone <- err
				return
			}
		}
	}()
	for {
		select {
		case err := <-gone:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
			write(t, a, websocket.TextMessage, chat)
			time.Sleep(10 * time.Millisecond) // the slow one may be dropped at any moment
		}
	}
}

func TestWebSocketThatBreaksEndsItsSession(t *testing.T) {
	t.Parallel()
	server, url := newWebSocketServer(t)
	c := dial(t, url)
	write(t, c, websocket.TextMessage, hello)
	wantMessage(t, c, welcome)
	if err := c.NetConn().Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); server.count() > 0; {
		if time.Now().After(deadline) {
			t.Fatal("the session goes on")
		}
		time.Sleep(time.Millisecond)
	}
}

// count is how many sessions there are.
func (s *Server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// A client in a group that is silent has one goroutine: the one that reads.
func TestSilentWebSocketTakesOneGoroutine(t *testing.T) { // not parallel: it counts goroutines
	_, url := newWebSocketServer(t)
	const clients = 50
	before := runtime.NumGoroutine()
	for i := range clients {
		c := dial(t, url)
		write(t, c, websocket.TextMessage, fmt.Sprintf(`{"type":"handshake","version":["2"],"id":"%d"}`, i))
		wantMessage(t, c, welcome)
		write(t, c, websocket.TextMessage, `{"type":"join","kind":"join","group":"test","username":"bob"}`)
		for m := ""; !strings.Contains(m, `"user"`); {
			_, got, err := c.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			m = string(got)
		}
	}
	const slack = 5 // of what ends by itself
	got := runtime.NumGoroutine() - before
	for deadline := time.Now().Add(patience); got > clients+slack && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
		got = runtime.NumGoroutine() - before
	}
	if got > clients+slack {
		t.Errorf("%d clients take %d goroutines, want one each", clients, got)
	}
}

func TestWebSocketPingsAreTakenAtAModeratePace(t *testing.T) {
	t.Parallel()
	s, url := newWebSocketServer(t)
	c := dial(t, url)
	write(t, c, websocket.TextMessage, `{"type":"handshake","version":["2"],"id":"a"}`)
	wantMessage(t, c, `{"type":"handshake","version":["2"]}`)
	const pings = 200
	start := time.Now()
	for range pings {
		write(t, c, websocket.PingMessage, "")
	}
	write(t, c, websocket.TextMessage, `{"type":"ping"}`)
	wantMessage(t, c, `{"type":"pong"}`)
	if took := time.Since(start); took < pings*controlSpacing/2 {
		t.Errorf("%d pings were taken within %v", pings, took)
	}

	for range 2000 {
		write(t, c, websocket.PingMessage, "")
	}
	start = time.Now()
	s.Shutdown(t.Context())
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("pings that were not read yet delayed the end by %v", took)
	}
}
