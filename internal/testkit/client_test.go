package testkit

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

func TestMain(m *testing.M) { VerifyNoLeaks(m) }

// serve returns the endpoint of a server that shakes hands and then does
// script for each client.
func serve(t *testing.T, script func(*websocket.Conn)) string {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var upgrader websocket.Upgrader
		socket, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Errorf("upgrade: %v", err)
			return
		}
		defer socket.Close()
		var m Message
		if err := socket.ReadJSON(&m); err != nil || m.Type != "handshake" || m.ID == "" {
			t.Errorf("first message %+v, %v", m, err)
		}
		_ = socket.WriteJSON(Message{Type: "handshake", Version: []string{"2"}})
		script(socket)
	}))
	t.Cleanup(server.Close)
	return "wss" + strings.TrimPrefix(server.URL, "https")
}

func dialTest(t *testing.T, endpoint string) *Client {
	t.Helper()
	c, err := Dial(t.Context(), endpoint, ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestClientAnswersPingsAndKeepsMessagesForWhoeverWaits(t *testing.T) {
	t.Parallel()
	c := dialTest(t, serve(t, func(socket *websocket.Conn) {
		for _, m := range []Message{{Type: "ping"}, {Type: "chat", Value: "two"}, {Type: "chat", Value: "one"}} {
			_ = socket.WriteJSON(m)
		}
		var m Message
		_ = socket.ReadJSON(&m)
		_ = socket.WriteJSON(Message{Type: "chat", Value: "got " + m.Type})
		_, _, _ = socket.ReadMessage() // until the client closes
	}))
	for _, value := range []string{"got pong", "one", "two"} {
		if m, err := c.WaitChat(t.Context(), value); err != nil || m.Value != value {
			t.Errorf("WaitChat(%q) = %+v, %v", value, m, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if _, err := c.WaitChat(ctx, "two"); !errors.Is(err, enough) {
		t.Errorf("WaitChat of what was taken: error %v, want the context's cause", err)
	}
}

func TestClientSaysHowTheServerClosed(t *testing.T) {
	t.Parallel()
	c := dialTest(t, serve(t, func(socket *websocket.Conn) {
		_ = socket.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1002, "why"))
	}))
	_, err := c.WaitChat(t.Context(), "never")
	for _, err := range []error{err, c.WaitClosed(t.Context())} {
		if got, ok := errors.AsType[*CloseError](err); !ok || got.Code != 1002 || got.Text != "why" {
			t.Errorf("error %v, want close 1002 why", err)
		}
	}
}

func TestRefusedJoinIsAnError(t *testing.T) {
	t.Parallel()
	c := dialTest(t, serve(t, func(socket *websocket.Conn) {
		var m Message
		_ = socket.ReadJSON(&m)
		_ = socket.WriteJSON(Message{Type: "joined", Kind: "fail", Group: m.Group, Error: "need-username"})
		_, _, _ = socket.ReadMessage()
	}))
	_, err := c.Join(t.Context(), "room", "alice", "secret")
	if got, ok := errors.AsType[*JoinError](err); !ok || got.Message.Group != "room" || got.Message.Error != "need-username" {
		t.Errorf("Join() error = %v, want a JoinError of room", err)
	}
}

func TestJournalFindsTheAddressInWholeLinesOnly(t *testing.T) {
	t.Parallel()
	j := newJournal()
	address := j.address
	for _, part := range []string{"level=INFO msg=other address=no\n", "level=INFO msg=listening version=1 address=127.0.0.1:1", "2", " tls=false\n", "msg=listening address=another\n"} {
		if n, err := j.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("Write() = %d, %v", n, err)
		}
	}
	if got := <-address; got != "127.0.0.1:12" {
		t.Errorf("address %q, want 127.0.0.1:12", got)
	}
}
