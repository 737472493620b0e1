package signalling

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Sizes and times of WebSockets. Most messages are short, and most clients
// silent: the buffer for reading is small, and those for writing are shared.
const (
	readBufferSize  = 512
	writeBufferSize = 512 // of control frames
	upgradeTimeout  = 30 * time.Second
	// controlSpacing is the least time between two pings or pongs that are
	// read: they are not messages, and so not bounded with them.
	controlSpacing = 20 * time.Millisecond
)

// newUpgrader returns what turns requests into WebSockets. Origins are checked
// by whoever calls [Server.ServeWebSocket].
func newUpgrader() *websocket.Upgrader {
	return &websocket.Upgrader{
		HandshakeTimeout: upgradeTimeout,
		ReadBufferSize:   readBufferSize,
		WriteBufferSize:  writeBufferSize,
		WriteBufferPool:  new(sync.Pool),
		CheckOrigin:      func(*http.Request) bool { return true },
	}
}

// ServeWebSocket upgrades a request and serves the client. It returns when the
// client has its answer, so that what the HTTP server keeps for a request is
// given back; [Server.Shutdown] ends and awaits what goes on. A request that is
// no upgrade is answered with 400, and one too many from its address with 429. The caller has checked the origin.
func (s *Server) ServeWebSocket(w http.ResponseWriter, r *http.Request) {
	limits, address := s.limits(), r.RemoteAddr
	if !s.addresses.enter(address, limits.Connections) {
		s.log.Warn("too many connections from one address", "address", address)
		http.Error(w, "too many connections from your address", http.StatusTooManyRequests)
		return
	}
	c, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		s.log.Debug("not a websocket", "address", address, "error", err)
		s.addresses.leave(address)
		return
	}
	p := newWebSocket(c, limits.MessageBytes, s.buffers)
	session := s.admit(context.WithoutCancel(r.Context()), limits, p, address)
	if session == nil {
		s.addresses.leave(address)
		return
	}
	session.counted = address
	go s.serve(session)
}

// webSocket is the pipe of a WebSocket.
type webSocket struct {
	conn    *websocket.Conn
	buffers *buffers
	ending  chan struct{} // closed by the first Close or Cut
	ends    sync.Once
}

func newWebSocket(c *websocket.Conn, limit int64, b *buffers) *webSocket {
	c.SetReadLimit(limit)
	// The session answers a close frame, after what it has yet to say.
	c.SetCloseHandler(func(int, string) error { return nil })
	w := &webSocket{conn: c, buffers: b, ending: make(chan struct{})}
	pong := c.PingHandler()
	c.SetPingHandler(func(data string) error { return w.pace(func() error { return pong(data) }) })
	c.SetPongHandler(func(string) error { return w.pace(func() error { return nil }) })
	return w
}

// pace handles a control frame of the client, and makes what comes behind it
// wait, unless the end has come. It belongs to the reader.
func (w *webSocket) pace(handle func() error) error {
	timer := time.NewTimer(controlSpacing)
	defer timer.Stop()
	err := handle()
	select {
	case <-timer.C:
	case <-w.ending:
	}
	return err
}

func (w *webSocket) end() { w.ends.Do(func() { close(w.ending) }) }

func (w *webSocket) Read() ([]byte, error) {
	_, frame, err := w.conn.ReadMessage()
	if err == nil {
		return frame, nil
	}
	if e, ok := errors.AsType[*websocket.CloseError](err); ok && e.Code != websocket.CloseAbnormalClosure {
		return nil, ErrClosed
	}
	if errors.Is(err, websocket.ErrReadLimit) {
		w.discard()
		return nil, ErrTooBig
	}
	return nil, fmt.Errorf("%w: %w", ErrGone, err)
}

// discard reads on for a while after a message that was too big. If there were
// unread bytes when the connection is closed, the system would send a reset,
// which can overtake the close frame.
func (w *webSocket) discard() {
	c := w.conn.NetConn()
	if c.SetReadDeadline(time.Now().Add(lingerTimeout)) == nil {
		_, _ = io.Copy(io.Discard, c) // ends with the deadline; nothing depends on it
	}
}

// Write frames the messages (RFC 6455 §5.2) and hands all of them to the system
// at once. Whoever answers pings may write at the same time; each write is done
// as a whole.
func (w *webSocket) Write(messages [][]byte, deadline time.Time) error {
	buffer := w.buffers.get()
	defer w.buffers.put(buffer)
	for _, m := range messages {
		buffer.bytes = appendFrame(buffer.bytes, m)
	}
	c := w.conn.NetConn()
	if err := c.SetWriteDeadline(deadline); err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	if _, err := c.Write(buffer.bytes); err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return nil
}

func (w *webSocket) Close(code int, reason string, deadline time.Time) error {
	w.end()
	frame := websocket.FormatCloseMessage(code, shortReason(reason))
	err := w.conn.WriteControl(websocket.CloseMessage, frame, deadline)
	if err != nil && !errors.Is(err, websocket.ErrCloseSent) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return w.conn.SetReadDeadline(deadline)
}

func (w *webSocket) Cut() {
	w.end()
	_ = w.conn.Close() // whatever the error, it is closed
}
