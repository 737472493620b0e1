package signalling

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"galene/group"
	"galene/mailbox"
	"galene/rtpconn"
)

// HTTPSession is a member of a group that has no signalling channel: it makes its
// offer in an HTTP request, and gets the answer in the reply. It publishes one
// stream (WHIP, RFC 9725) or watches those of others (WHEP, draft-ietf-wish-whep). It ends
// when its client asks for that, when it is kicked, when it may no longer do what
// it does, when its connection fails or never stands, and with the server.
//
//	       join, offer              run
//	Opening ──────────▶ Connecting ──────▶ Connected
//	   │ refused            │ in time         │ kicked, ICE failed, DELETE
//	   ▼                    ▼                 ▼
//	 Over                 Over              Over
//
// Its methods may be called from any goroutine.
type HTTPSession struct {
	// Immutable once the session is open.
	server  *Server
	limits  Limits
	kind    group.MemberKind
	group   string
	key     string             // in its URL, and a secret
	proof   *[sha256.Size]byte // of what later requests must present; nil if nothing
	source  netip.Addr         // what it counts for, as of [whence]
	member  *group.Member      // nil while opening
	conn    answering          // nil while opening
	role    role               // what it does in the group
	log     *slog.Logger
	ctx     context.Context // ends when the session is to end
	end     context.CancelFunc
	done    chan struct{} // closed when nothing of it is left
	mailbox *mailbox.Mailbox[*group.Event]
	media   *mailbox.Mailbox[mediaNews]

	posted []*group.Event // memory for taking from mailboxes; who handles events has it
	news   []mediaNews    // likewise

	mu   sync.Mutex // serialises requests; guards etag
	etag string
}

// role is what a session does in its group. Its methods are called by one
// goroutine at a time; an error ends the session.
type role interface {
	// handleEvent takes what happened in the group, except that the member was
	// kicked.
	handleEvent(ev *group.Event) error
	// tracksChanged tells that the connection has other tracks.
	tracksChanged() error
}

// answering is a connection on which the peer makes the offers.
type answering interface {
	// Offer answers the peer's first or next description.
	Offer(sdp string) (answer string, err error)
	// Gathered waits until the answer has all candidates, and returns it.
	Gathered(ctx context.Context) (answer string, err error)
	RemoteDescription() string
	AddCandidate(c rtpconn.Candidate) error
	// Established tells whether the peer has been reached.
	Established() bool
	// Close returns when everything of the connection has ended.
	Close()
}

// Reasons for which a session ends, or is refused.
var (
	// ErrSessionOver is returned for a session that has ended.
	ErrSessionOver = errors.New("signalling: the session is over")
	// ErrTooManySessions is returned when a group or an address has too many.
	ErrTooManySessions = errors.New("signalling: too many sessions")
	// ErrLongOffer is returned when an offer is longer than the limit.
	ErrLongOffer = errors.New("signalling: session description is too long")
	// ErrStopping is returned when the server ends.
	ErrStopping = errors.New("signalling: " + Farewell)
	// ErrPrecondition is returned when the caller's condition on the entity tag
	// does not hold.
	ErrPrecondition = errors.New("signalling: precondition failed")

	errKicked       = errors.New("signalling: kicked out")
	errNotPermitted = errors.New("signalling: not permitted any more")
	errNoConnection = errors.New("signalling: no connection came about")
	errICEFailed    = errors.New("signalling: the connection was lost")
)

const (
	// connectLook is how often it is looked whether a connection stands.
	connectLook = 500 * time.Millisecond
	// gatherTimeout is how long an answer may wait for our candidates.
	gatherTimeout = 10 * time.Second
	// secretBytes is the length of keys and entity tags: 128 bits.
	secretBytes = 16
)

// randomName returns 22 characters that nobody can guess.
func randomName() string {
	var b [secretBytes]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Key is the last part of the session's URL, which is not to be told to others.
func (h *HTTPSession) Key() string { return h.key }

// ID is the member's.
func (h *HTTPSession) ID() string { return h.member.ID() }

// owner is whose the connection is, for statistics.
func (h *HTTPSession) owner() rtpconn.Owner {
	return rtpconn.Owner{Group: h.group, Client: h.member.ID()}
}

// ETag is the entity tag of the session's present ICE session, in quotes.
func (h *HTTPSession) ETag() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.etag
}

// Authorised tells whether proof, which may be empty, is what the session was made
// with. One that was made without is protected by its URL only.
func (h *HTTPSession) Authorised(proof string) bool {
	if h.proof == nil {
		return true
	}
	sum := sha256.Sum256([]byte(proof))
	return subtle.ConstantTimeCompare(sum[:], h.proof[:]) == 1
}

// events returns callbacks that post to the session's mailbox, which blocks
// nobody. Candidates are in the answer.
func (h *HTTPSession) events() rtpconn.Events {
	return rtpconn.Events{
		Failed:  func() { h.media.Post(iceFailed) },
		Changed: func() { h.media.Post(tracksChanged) },
		Broken: func(err error) {
			h.log.Debug("connection broken", "error", err)
			h.media.Post(broken)
		},
	}
}

// run serves the session until it has ended.
func (h *HTTPSession) run() {
	defer h.cleanUp()
	err := h.loop()
	h.log.Debug("HTTP session ends", "reason", err)
}

// loop handles what happens, one thing after another, and returns why the session
// is to end.
func (h *HTTPSession) loop() (err error) {
	defer func() {
		if r := recover(); r != nil {
			h.log.Error("panic in session", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	deadline := time.NewTimer(h.limits.ConnectWait)
	defer deadline.Stop()
	look := time.NewTicker(connectLook)
	defer look.Stop()
	for {
		select {
		case <-h.mailbox.Wake():
			err = h.drainGroup()
		case <-h.media.Wake():
			err = h.drainMedia()
		case <-look.C:
			if h.conn.Established() {
				look.Stop()
				deadline.Stop()
			}
		case <-deadline.C:
			if !h.conn.Established() {
				err = errNoConnection
			}
		case <-h.ctx.Done():
			err = ErrSessionOver
		}
		if err != nil {
			return err
		}
	}
}

// drainGroup handles the events of the group.
func (h *HTTPSession) drainGroup() error {
	var lost bool
	h.posted, lost = h.mailbox.Take(h.posted[:0])
	defer clear(h.posted)
	for _, ev := range h.posted {
		if _, ok := ev.Body.(group.Kicked); ok {
			return errKicked
		}
		if err := h.role.handleEvent(ev); err != nil {
			return err
		}
	}
	if lost {
		return errDropped
	}
	return nil
}

// drainMedia handles what the connection has to say.
func (h *HTTPSession) drainMedia() error {
	var lost bool
	h.news, lost = h.media.Take(h.news[:0])
	for _, what := range h.news {
		switch what {
		case iceFailed, broken:
			return errICEFailed
		case tracksChanged:
			if err := h.role.tracksChanged(); err != nil {
				return err
			}
		case newCandidate, peerMoved, answerOverdue: // of other sessions only
		}
	}
	if lost {
		return errDropped
	}
	return nil
}

// cleanUp ends everything that the session had, however far it has come.
func (h *HTTPSession) cleanUp() {
	defer close(h.done)
	defer h.server.forget(h)
	h.end()
	if h.member != nil {
		h.member.Leave()
	}
	h.mailbox.Close()
	h.media.Close()
	if h.conn != nil {
		h.conn.Close()
	}
}
