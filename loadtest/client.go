package loadtest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/webrtc/v4"
)

const (
	dialTimeout  = 30 * time.Second
	writeTimeout = 10 * time.Second
	closeTimeout = time.Second
	maxMessage   = 16 << 20 // octets; a large group's history can be long
)

// client is one member of a group. Its fields belong to the goroutine that runs it unless they say otherwise.
type client struct {
	// Immutable.
	run       *run
	id        string
	room      room
	publisher int  // its number; -1 if it does not publish
	receives  bool // streams of others

	admitted func() // called when the server has let the client in, or has not; idempotent

	publication   *publication
	subscriptions map[string]*subscription // by stream id

	// Any goroutine.
	connecting atomic.Int64 // when it began to connect, on the run's clock; 0 if it has not
	joined     atomic.Bool
	speaks     atomic.Bool // sends the chat messages
	write      sync.Mutex  // serialises writes to socket
	socket     *websocket.Conn
}

func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// streamID is the id of the stream that the client publishes.
func (c *client) streamID() string { return c.id + "-camera" }

// serve connects, joins, and acts on what the server sends until ctx ends.
func (c *client) serve(ctx context.Context) {
	defer c.run.ended.Add(1)
	defer c.admitted()
	err := c.connect(ctx)
	if err == nil {
		stop := context.AfterFunc(ctx, c.farewell)
		err = c.read()
		if stop() {
			c.farewell()
		}
		c.closePeers()
	}
	if ctx.Err() == nil {
		c.run.failures.add("%v", err)
	}
}

// connect opens the WebSocket and asks to join, all at once.
func (c *client) connect(ctx context.Context) error {
	c.connecting.Store(c.run.now())
	dialer := websocket.Dialer{
		HandshakeTimeout: dialTimeout,
		TLSClientConfig: &tls.Config{
			InsecureSkipVerify: c.run.scenario.Insecure, //nolint:gosec // asked for by a flag
		},
	}
	socket, response, err := dialer.DialContext(ctx, c.room.endpoint, nil)
	if response != nil {
		defer func() { _ = response.Body.Close() }()
	}
	if err != nil {
		if response != nil {
			return fmt.Errorf("connect to %s: %w: %s", c.room.endpoint, err, response.Status)
		}
		return fmt.Errorf("connect to %s: %w", c.room.endpoint, err)
	}
	socket.SetReadLimit(maxMessage)
	c.socket = socket
	join := &message{Type: "join", Kind: "join", Group: c.room.name}
	s := &c.run.scenario
	if s.Token != "" {
		join.Token = s.Token
	} else {
		join.Password = s.Password
	}
	if s.Username != "" || s.Token == "" {
		join.Username = &s.Username
	}
	err = c.send(&message{Type: "handshake", Version: []string{protocolVersion}, ID: c.id})
	if err == nil {
		err = c.send(join)
	}
	if err != nil {
		_ = socket.Close()
	}
	return err
}

// send sends a message. Any goroutine may call it.
func (c *client) send(m *message) error {
	b, err := json.Marshal(m) //nolint:gosec // a password is what the protocol sends
	if err != nil {
		return err
	}
	c.write.Lock()
	defer c.write.Unlock()
	if err := c.socket.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if err := c.socket.WriteMessage(websocket.TextMessage, b); err != nil {
		return fmt.Errorf("send %s: %w", m.Type, err)
	}
	return nil
}

// farewell closes the WebSocket.
func (c *client) farewell() {
	text := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = c.socket.WriteControl(websocket.CloseMessage, text, time.Now().Add(closeTimeout))
	_ = c.socket.Close()
}

// read acts on messages until the connection ends, and says why.
func (c *client) read() error {
	for {
		_, b, err := c.socket.ReadMessage()
		if err != nil {
			if e, ok := errors.AsType[*websocket.CloseError](err); ok {
				return fmt.Errorf("the server has closed a client's connection: %d %s", e.Code, e.Text)
			}
			return fmt.Errorf("a client's connection has ended: %w", err)
		}
		if c.run.chat.note(c, b) {
			continue
		}
		var head struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(b, &head); err != nil {
			return fmt.Errorf("the server has sent what is not a message: %w", err)
		}
		handle, ok := handlers[head.Type]
		if !ok {
			continue
		}
		var m message
		if err := json.Unmarshal(b, &m); err != nil {
			return fmt.Errorf("message %s: %w", head.Type, err)
		}
		if err := handle(c, &m); err != nil {
			return err
		}
	}
}

// handlers say what a client does with messages. Their errors end the connection.
var handlers = map[string]func(*client, *message) error{
	"ping":        func(c *client, _ *message) error { return c.send(&message{Type: "pong"}) },
	"joined":      (*client).handleJoined,
	"usermessage": (*client).handleUserMessage,
	"offer":       (*client).handleOffer,
	"answer":      (*client).handleAnswer,
	"ice":         (*client).handleCandidate,
	"renegotiate": (*client).handleRenegotiate,
	"close":       (*client).handleClose,
	"abort":       (*client).handleAbort,
}

// handleJoined takes note of being let in.
func (c *client) handleJoined(m *message) error {
	switch m.Kind {
	case "join":
	case "fail":
		return fmt.Errorf("cannot join %s: %s %s", c.room.name, m.text(), m.Error)
	case "redirect":
		return fmt.Errorf("cannot join %s: it is at %s", c.room.name, m.text())
	default:
		return nil
	}
	c.run.joinTime.add(durationBetween(c.connecting.Load(), c.run.now()))
	c.run.joined.Add(1)
	c.joined.Store(true)
	c.admitted()
	if c.receives {
		err := c.send(&message{Type: "request", Request: map[string][]string{"": {"audio", "video"}}})
		if err != nil {
			return err
		}
	}
	if c.publisher >= 0 {
		return c.publish()
	}
	return nil
}

// handleOffer answers the offer of another publisher's stream, new or changed.
func (c *client) handleOffer(m *message) error {
	publisher, known := c.run.publishers[m.Source]
	if !known || !c.receives { // somebody else is in the group
		return c.send(&message{Type: "abort", ID: m.ID})
	}
	if old := c.subscriptions[m.Replace]; old != nil && m.Replace != m.ID {
		c.drop(old)
	}
	s := c.subscriptions[m.ID]
	if s == nil {
		if len(c.subscriptions) >= maxClients {
			return errors.New("the server offers too many streams")
		}
		var err error
		if s, err = c.subscribe(m, publisher); err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		c.subscriptions[m.ID] = s
		c.run.receive(s)
	}
	if err := s.answer(m.SDP); err != nil {
		c.run.failures.add("cannot answer an offer: %v", err)
		return c.send(&message{Type: "abort", ID: m.ID})
	}
	return nil
}

// handleAnswer completes the offer of the client's own stream.
func (c *client) handleAnswer(m *message) error {
	if c.publication == nil || m.ID != c.streamID() {
		return nil
	}
	if err := c.publication.setRemote(webrtc.SDPTypeAnswer, m.SDP); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// handleCandidate adds a candidate to the stream it is for.
func (c *client) handleCandidate(m *message) error {
	if m.Candidate == nil {
		return nil
	}
	p := c.peer(m.ID)
	if p == nil {
		return nil // closed in the meantime
	}
	if err := p.addCandidate(*m.Candidate); err != nil {
		c.run.failures.add("cannot use a candidate of the server: %v", err)
	}
	return nil
}

// peer returns the connection of a stream in either direction, or nil.
func (c *client) peer(id string) *peer {
	if s := c.subscriptions[id]; s != nil {
		return s.peer
	}
	if c.publication != nil && id == c.streamID() {
		return c.publication.peer
	}
	return nil
}

// handleRenegotiate offers the client's own stream again, with new ICE credentials.
func (c *client) handleRenegotiate(m *message) error {
	if c.publication == nil || m.ID != c.streamID() {
		return nil
	}
	return c.offer(&webrtc.OfferOptions{ICERestart: true})
}

// handleClose drops a stream that the server has closed.
func (c *client) handleClose(m *message) error {
	if s := c.subscriptions[m.ID]; s != nil {
		c.run.failures.add("the server has closed a stream")
		c.drop(s)
	}
	return nil
}

// handleAbort gives up the client's own stream, which the server does not want.
func (c *client) handleAbort(m *message) error {
	if c.publication != nil && m.ID == c.streamID() {
		c.run.failures.add("the server has refused a stream")
		c.publication.close()
		c.publication = nil
	}
	return c.send(&message{Type: "close", ID: m.ID})
}

// handleUserMessage takes note of what the server complains about.
func (c *client) handleUserMessage(m *message) error {
	if slices.Contains([]string{"error", "warning", "kicked"}, m.Kind) {
		c.run.failures.add("the server says: %s", m.text())
	}
	return nil
}

// drop closes a stream that is received.
func (c *client) drop(s *subscription) {
	delete(c.subscriptions, s.id)
	s.close()
}

// closePeers closes all connections for media.
func (c *client) closePeers() {
	var closing sync.WaitGroup
	if c.publication != nil {
		closing.Go(c.publication.close)
	}
	for _, s := range c.subscriptions {
		closing.Go(s.close)
	}
	closing.Wait()
}
