package rtpconn

import (
	"errors"
	"fmt"

	"galene/codecs"
)

// ErrClosed is returned by the methods of a connection or engine that is closed.
var ErrClosed = errors.New("rtpconn: closed")

// ErrCodecChanged is returned by [Down.Select] and [Down.Offer] when a track's
// codec is another one than was negotiated for its kind. The connection cannot
// carry it: the caller replaces the connection by a new one.
var ErrCodecChanged = errors.New("rtpconn: the stream's codec has changed")

// NegotiationError is an offer or answer that cannot be accepted.
type NegotiationError struct {
	// Text is a sentence for the user whose client sent the description, or
	// who should have received the stream.
	Text string
	// Err is the cause, for the log; it may be nil.
	Err error
}

// Error returns the text and the cause.
func (e *NegotiationError) Error() string {
	if e.Err == nil {
		return "rtpconn: " + e.Text
	}
	return "rtpconn: " + e.Text + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *NegotiationError) Unwrap() error { return e.Err }

// UnsupportedError is the cause of a [NegotiationError] of a subscriber that
// cannot receive the tracks of one kind. It may well receive the others, over
// another connection.
type UnsupportedError struct {
	Kind     codecs.Kind
	MimeType string // of the codec that the subscriber lacks
}

// Error names kind and codec.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("the subscriber cannot receive %s as %s", e.Kind, e.MimeType)
}

// refused returns a NegotiationError.
func refused(text string, cause error) error {
	return &NegotiationError{Text: text, Err: cause}
}
