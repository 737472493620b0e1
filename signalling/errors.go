package signalling

import (
	"errors"
	"fmt"

	"github.com/gorilla/websocket"
)

// Errors of handlers come in three families. A [userError] is told to the
// client, who may go on. A [closeError] ends the connection with a code of its
// own. Any other error is the server's trouble: it is logged, and the
// connection ends with code 1011 and without a word.

// userError is a mistake that a client may make and go on.
type userError struct {
	text string // what the client is told
}

func (e *userError) Error() string { return "signalling: " + e.text }

// Mistakes that are told to the client.
var (
	errJoinFirst     = &userError{"join a group first"}
	errNotAuthorised = &userError{"not authorised"}
	errUserUnknown   = &userError{"user unknown"}
	errDoesNotChat   = &userError{"this user doesn't chat"}
	errNoSuchUser    = &userError{"no such user"}
	errNoSuchClient  = &userError{"client not found"}
	errNotARealUser  = &userError{"this is not a real user"}
	errBadClear      = &userError{"bad value in clearchat"}
	errBadData       = &userError{"Bad value in setdata"}
	errTooMuchData   = &userError{"too much data"}
	errManyLabels    = &userError{"too many labels in request"}
	errGroupAction   = &userError{"unknown group action"}
	errUserAction    = &userError{"unknown user action"}
	errValueTooLong  = &userError{"message too long"}
	errLongMessageID = &userError{"message id or kind is too long"}
)

// closeError ends a connection.
type closeError struct {
	code   int
	reason string // of the close frame
	told   bool   // the client is told the reason in a message first
}

func (e *closeError) Error() string {
	return fmt.Sprintf("signalling: closing with %d %q", e.code, e.reason)
}

// violation is a breach of the protocol: told, and the connection ends.
func violation(reason string) *closeError {
	return &closeError{websocket.CloseProtocolError, reason, true}
}

// Breaches of the protocol, and other ends of a connection.
var (
	errHandshakeFirst = &closeError{websocket.CloseProtocolError, "you must handshake first", false}
	errUnexpected     = violation("unexpected message")
	errUnknownJoin    = violation("unknown kind")
	errJoinedAlready  = violation("cannot join multiple groups")
	errSpoofedID      = violation("spoofed client id")
	errSpoofedName    = violation("spoofed username")
	errEmptyID        = violation("empty id")
	errNullCandidate  = violation("null candidate")
	errLongClientID   = violation("client id is too long")
	errNotJoined      = &closeError{websocket.CloseNormalClosure, "you are not joined", true}
	errFlood          = &closeError{websocket.ClosePolicyViolation, "too many messages", true}
	errBadRequest     = &closeError{websocket.CloseInternalServerErr, "", false}
	errDead           = &closeError{websocket.CloseInternalServerErr, "", false}
)

// errDropped ends a connection without a close frame.
var errDropped = errors.New("signalling: client dropped")

// closeCode maps the error that ended a session to the code and the reason of
// its close frame (RFC 6455 §7.4.1); without one, ok is false. It is the only
// place where an error becomes a number on the wire.
func closeCode(err error) (code int, reason string, ok bool) {
	if c, is := errors.AsType[*closeError](err); is {
		return c.code, c.reason, true
	}
	switch {
	case errors.Is(err, ErrClosed):
		return websocket.CloseNormalClosure, "", true
	case errors.Is(err, errDropped), errors.Is(err, ErrGone):
		return 0, "", false
	case errors.Is(err, ErrTooBig):
		return websocket.CloseMessageTooBig, "", true
	}
	return websocket.CloseInternalServerErr, "", true
}
