package signalling

import (
	"errors"
	"time"
	"unicode/utf8"
)

// Pipe carries messages to and from one client. Read is called by one
// goroutine at a time; so are Write and Close, together. Cut may be called
// by any, at any time and more than once.
type Pipe interface {
	// Read returns the next message. Its errors are permanent: [ErrClosed]
	// when the client said goodbye, [ErrTooBig] when a message was longer than
	// allowed, and otherwise one that wraps [ErrGone].
	Read() ([]byte, error)
	// Write sends messages, which it does not keep, in one go if possible. Once
	// it has failed the pipe is of no further use.
	Write(messages [][]byte, deadline time.Time) error
	// Close says goodbye: nothing is written afterwards. Reading goes on
	// until the client has answered or the deadline has passed. The reason
	// is cut to what fits into a close frame.
	Close(code int, reason string, deadline time.Time) error
	// Cut ends the pipe at once; Read and Write return.
	Cut()
}

// Errors of a pipe.
var (
	ErrClosed = errors.New("signalling: closed by the client")
	ErrTooBig = errors.New("signalling: message too big")
	ErrGone   = errors.New("signalling: connection lost")
)

// maxReason is how many bytes of a reason fit into a close frame (RFC 6455
// §5.5: 125 bytes, of which the code takes two).
const maxReason = 123

// shortReason cuts reason to what fits into a close frame, between characters.
func shortReason(reason string) string {
	if len(reason) <= maxReason {
		return reason
	}
	end := maxReason
	for end > 0 && !utf8.RuneStart(reason[end]) {
		end--
	}
	return reason[:end]
}
