package testkit

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// writeTimeout is how long the server may take to read a message.
const writeTimeout = 10 * time.Second

// ClientOptions configure a [Client]. The zero value is valid.
type ClientOptions struct {
	ID      string // client id; random if empty
	Trickle bool   // send candidates one by one instead of in descriptions
	// Network is how the client reaches the server: by UDP if it is empty, by
	// "tcp", or by "relay" through the servers that it is told of when it joins.
	Network string
	// Packet takes each packet received, which it must not keep. If it is
	// nil, tracks record their packets. It is called from one goroutine per
	// track.
	Packet func(t *Track, p *rtp.Packet)
}

// Client is a client of the signalling protocol.
type Client struct {
	// Immutable after Dial.
	id      string
	options ClientOptions
	api     *webrtc.API
	socket  *websocket.Conn
	done    chan struct{} // closed when the reader has ended
	running sync.WaitGroup

	write sync.Mutex // serialises writes to socket

	mu           watched // guards the fields below
	messages     []Message
	publications map[string]*Publication
	streams      map[string]*Stream // offered and not closed
	servers      []webrtc.ICEServer // as of the latest message that names them
	announced    []*Stream          // offered and not yet waited for
	err          error              // why the reader has ended
	closing      bool
}

// CloseError is how the server ended a client's connection.
type CloseError = websocket.CloseError

// Dial connects to a server's WebSocket endpoint, whose certificate it trusts,
// and shakes hands. The caller closes the client.
func Dial(ctx context.Context, endpoint string, o ClientOptions) (*Client, error) {
	if o.ID == "" {
		o.ID = randomID()
	}
	api, err := newAPI(o.Network)
	if err != nil {
		return nil, err
	}
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // it is self-signed
	socket, response, err := dialer.DialContext(ctx, endpoint, nil)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", endpoint, err)
	}
	_ = response.Body.Close()
	c := &Client{
		id: o.ID, options: o, api: api, socket: socket,
		done:         make(chan struct{}),
		publications: make(map[string]*Publication),
		streams:      make(map[string]*Stream),
	}
	c.running.Go(c.read)
	if err := c.handshake(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Client) handshake(ctx context.Context) error {
	if err := c.Send(Message{Type: "handshake", Version: []string{"2"}, ID: c.id}); err != nil {
		return err
	}
	_, err := c.WaitMessage(ctx, func(m Message) bool { return m.Type == "handshake" })
	return err
}

// ID is the client id.
func (c *Client) ID() string { return c.id }

// Join enters a group and returns the answer. A refusal is a [JoinError].
func (c *Client) Join(ctx context.Context, group, username, password string) (Message, error) {
	return c.join(ctx, Message{Group: group, Username: &username, Password: password})
}

// JoinToken is Join with a token instead of a password, and a username unless it
// is nil.
func (c *Client) JoinToken(ctx context.Context, group string, username *string, token string) (Message, error) {
	return c.join(ctx, Message{Group: group, Username: username, Token: token})
}

func (c *Client) join(ctx context.Context, m Message) (Message, error) {
	m.Type, m.Kind = "join", "join"
	if err := c.Send(m); err != nil {
		return Message{}, err
	}
	m, err := c.WaitMessage(ctx, func(m Message) bool {
		return m.Type == "joined" && slices.Contains([]string{"join", "fail", "redirect"}, m.Kind)
	})
	if err == nil && m.Kind != "join" {
		err = &JoinError{m}
	}
	return m, err
}

// JoinError is a server's refusal to let a client join.
type JoinError struct{ Message Message }

func (e *JoinError) Error() string {
	return fmt.Sprintf("join %s: %s: %v (%s)", e.Message.Group, e.Message.Kind, e.Message.Value, e.Message.Error)
}

// Leave leaves a group.
func (c *Client) Leave(ctx context.Context, group string) error {
	if err := c.Send(Message{Type: "join", Kind: "leave", Group: group}); err != nil {
		return err
	}
	_, err := c.WaitMessage(ctx, func(m Message) bool { return m.Type == "joined" && m.Kind == "leave" })
	return err
}

// Chat sends a chat message to a member, or to all if dest is empty.
func (c *Client) Chat(dest, value string) error {
	return c.Send(Message{Type: "chat", Source: c.id, Dest: dest, Value: value})
}

// WaitChat waits for a chat message with the given value, new or of the
// history.
func (c *Client) WaitChat(ctx context.Context, value string) (Message, error) {
	return c.WaitMessage(ctx, func(m Message) bool {
		return (m.Type == "chat" || m.Type == "chathistory") && m.Value == value
	})
}

// Request asks for media: kinds of track by label, "" for other labels.
func (c *Client) Request(kinds map[string][]string) error {
	return c.Send(Message{Type: "request", Request: kinds})
}

// Subscribe asks for everything.
func (c *Client) Subscribe() error {
	return c.Request(map[string][]string{"": {"audio", "video"}})
}

// Send sends a message as it is.
func (c *Client) Send(m Message) error {
	c.write.Lock()
	defer c.write.Unlock()
	if err := c.socket.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if err := c.socket.WriteJSON(m); err != nil {
		return fmt.Errorf("send %s: %w", m.Type, err)
	}
	return nil
}

// WaitMessage waits for a message that match accepts and takes it out of what
// was received. Messages are looked at in order of arrival; those about media
// and liveness have been acted upon already.
func (c *Client) WaitMessage(ctx context.Context, match func(Message) bool) (Message, error) {
	var found Message
	err := c.wait(ctx, func() bool {
		i := slices.IndexFunc(c.messages, match)
		if i >= 0 {
			found = c.messages[i]
			c.messages = slices.Delete(c.messages, i, i+1)
		}
		return i >= 0
	})
	return found, err
}

// WaitClosed waits until the connection has ended, and returns why: a
// [CloseError] if the server said so.
func (c *Client) WaitClosed(ctx context.Context) error {
	select {
	case <-c.done:
		return c.ended()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close closes all connections and awaits all goroutines. It is idempotent.
func (c *Client) Close() {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	farewell := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = c.socket.WriteControl(websocket.CloseMessage, farewell, time.Now().Add(time.Second))
	_ = c.socket.Close()
	<-c.done
	c.mu.Lock()
	var peers []*peer
	for _, p := range c.publications {
		peers = append(peers, p.peer)
	}
	for _, s := range c.streams {
		peers = append(peers, s.peer)
	}
	c.mu.Unlock()
	for _, p := range peers {
		p.close()
	}
	c.running.Wait()
}

// wait waits for a condition on what c.mu guards.
func (c *Client) wait(ctx context.Context, condition func() bool) error {
	return c.mu.wait(ctx, c.done, c.ended, condition)
}

func (c *Client) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// read acts on what the server sends, until the connection ends.
func (c *Client) read() {
	defer close(c.done)
	for {
		var m Message
		err := c.socket.ReadJSON(&m)
		if err == nil {
			err = c.handle(m)
		}
		if err == nil {
			c.mu.Lock()
			c.messages = append(c.messages, m)
			c.mu.announce()
			c.mu.Unlock()
			continue
		}
		c.mu.Lock()
		c.err = err
		if _, ok := errors.AsType[*CloseError](err); !ok && c.closing {
			c.err = errClosed
		}
		c.mu.announce()
		c.mu.Unlock()
		return
	}
}

var errClosed = errors.New("testkit: client is closed")

// handlers say what a client does with messages before anybody waits for them.
// They run on the reader's goroutine.
var handlers = map[string]func(*Client, Message) error{
	"ping":        func(c *Client, _ Message) error { return c.Send(Message{Type: "pong"}) },
	"offer":       handleOffer,
	"answer":      handleAnswer,
	"ice":         handleCandidate,
	"renegotiate": handleRenegotiate,
	"close":       handleClose,
	"abort":       handleAbort,
}

// handle acts on m. Its errors end the connection: they are the server's.
func (c *Client) handle(m Message) error {
	if m.Servers != nil {
		c.mu.Lock()
		c.servers = m.Servers.servers()
		c.mu.Unlock()
	}
	h, ok := handlers[m.Type]
	if !ok {
		return nil
	}
	if err := h(c, m); err != nil {
		return fmt.Errorf("%s of stream %q: %w", m.Type, m.ID, err)
	}
	return nil
}

func randomID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
