package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"galene/internal/testkit"
	"galene/signalling"
)

// shutdownLimit is how long the server may take to end.
const shutdownLimit = 5 * time.Second

func TestShutdownTellsClientsAndLeavesNothing(t *testing.T) { // not parallel: it looks for goroutines
	check := testkit.IgnoreCurrentGoroutines(t)
	m := newMeeting(t)
	clients := make([]*testkit.Client, 5)
	for i := range clients {
		clients[i] = m.watch("room", fmt.Sprintf("member%d", i), testkit.ClientOptions{})
	}
	var stops []func()
	for _, c := range clients[:2] {
		p := m.publish(c, testkit.StreamOptions{Sources: []*testkit.Source{
			testkit.NewSource(testkit.SourceOptions{Codec: testkit.VP8}),
			testkit.NewSource(testkit.SourceOptions{Codec: testkit.Opus}),
		}})
		stops = append(stops, m.play(p))
	}
	for _, c := range clients[2:] {
		for range 2 {
			m.received(m.tracks(m.stream(c), 1)[0], 10, 0)
		}
	}
	deaf := joinAndNeverRead(t, m.server.Endpoint())

	if err := m.server.Stop(shutdownLimit); err != nil {
		t.Error(err)
	}
	for i, c := range clients {
		kicked, err := c.WaitMessage(m.ctx, func(m testkit.Message) bool {
			return m.Type == "usermessage" && m.Kind == "kicked"
		})
		if err != nil || !kicked.Privileged || kicked.Dest != c.ID() || kicked.Value != signalling.Farewell {
			t.Errorf("member %d was told %+v, %v, want to be kicked with %q", i, kicked, err, signalling.Farewell)
		}
		err = c.WaitClosed(m.ctx)
		if got, ok := errors.AsType[*testkit.CloseError](err); !ok || got.Code != websocket.CloseNormalClosure {
			t.Errorf("member %d: connection ended with %v, want close code 1000", i, err)
		}
	}
	for _, stop := range stops {
		stop()
	}
	for _, c := range clients {
		c.Close()
	}
	_ = deaf.Close()
	check()
}

// joinAndNeverRead returns a connection that has asked to join, whose client
// does nothing any more.
func joinAndNeverRead(t *testing.T, endpoint string) *websocket.Conn {
	t.Helper()
	socket, response, err := websocket.DefaultDialer.DialContext(t.Context(), endpoint, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	t.Cleanup(func() { _ = socket.Close() })
	username := "deaf"
	for _, m := range []testkit.Message{
		{Type: "handshake", Version: []string{"2"}, ID: "deaf-id"},
		{Type: "join", Kind: "join", Group: "room", Username: &username},
	} {
		if err := socket.WriteJSON(m); err != nil {
			t.Fatal(err)
		}
	}
	return socket
}

func TestShutdownWhileClientsConnect(t *testing.T) { // not parallel: it looks for goroutines
	check := testkit.IgnoreCurrentGoroutines(t)
	m := newMeeting(t)
	watcher := m.watch("room", "watcher", testkit.ClientOptions{})
	c := m.join("room", "publisher", testkit.ClientOptions{})
	// The server ends while the connections of both are being made.
	p, err := c.Publish(m.ctx, testkit.StreamOptions{Sources: []*testkit.Source{testkit.NewSource(testkit.SourceOptions{})}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.server.Stop(shutdownLimit); err != nil {
		t.Error(err)
	}
	for _, c := range []*testkit.Client{watcher, c} {
		err := c.WaitClosed(m.ctx)
		if got, ok := errors.AsType[*testkit.CloseError](err); !ok || got.Code != websocket.CloseNormalClosure {
			t.Errorf("connection ended with %v, want close code 1000", err)
		}
		c.Close()
	}
	<-p.Closed()
	check()
}
