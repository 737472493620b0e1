package signalling

import (
	"errors"

	"galene/conn"
	"galene/rtpconn"
)

// mediaEngine is what sessions need of an engine for media; [rtpconn.Engine] is
// the one in use.
type mediaEngine interface {
	newUp(c rtpconn.UpConfig) (upConn, error)
	newDown(c rtpconn.DownConfig) (downConn, error)
	newView(c rtpconn.ViewConfig) (viewConn, error)
}

// upConn is a connection through which a client publishes.
type upConn interface {
	conn.Up
	answering
}

// downConn is a connection through which a client receives one stream.
type downConn interface {
	Select(s []conn.Selection) (changed bool, err error)
	// Offer makes an offer; ok is false if one is unanswered and this one
	// must wait for the answer.
	Offer(restart bool) (sdp string, ok bool, err error)
	// Answer reports with again that an offer has waited for it.
	Answer(sdp string) (again bool, err error)
	AddCandidate(c rtpconn.Candidate) error
	Close()
}

// errNoMedia is what a server without an engine says to offers.
var errNoMedia = errors.New("signalling: no media engine")

// engine adapts an rtpconn.Engine, which may be nil, to what sessions need.
type engine struct{ *rtpconn.Engine }

func (e engine) newUp(c rtpconn.UpConfig) (upConn, error) {
	if e.Engine == nil {
		return nil, errNoMedia
	}
	u, err := e.NewUp(c)
	if err != nil {
		return nil, err // not a nil *rtpconn.Up in an interface
	}
	return u, nil
}

func (e engine) newDown(c rtpconn.DownConfig) (downConn, error) {
	if e.Engine == nil {
		return nil, errNoMedia
	}
	d, err := e.NewDown(c)
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (e engine) newView(c rtpconn.ViewConfig) (viewConn, error) {
	if e.Engine == nil {
		return nil, errNoMedia
	}
	v, err := e.NewView(c)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// mediaEvent is what a connection tells the session that owns it. Exactly one
// of up and down is set; the event is stale if the session no longer has it.
type mediaEvent struct {
	up        *upStream
	down      *downStream
	what      mediaNews
	candidate rtpconn.Candidate
	err       error // why it is broken
}

type mediaNews uint8

const (
	newCandidate mediaNews = iota // candidate was gathered
	iceFailed
	peerMoved // of subscribers only
	tracksChanged
	answerOverdue
	broken
)

// events returns callbacks that post to the session's mailbox, which blocks
// nobody. Either of up and down is nil.
func (s *session) events(up *upStream, down *downStream) rtpconn.Events {
	post := func(what mediaNews, c rtpconn.Candidate) {
		s.media.Post(mediaEvent{up: up, down: down, what: what, candidate: c})
	}
	return rtpconn.Events{
		Candidate: func(c rtpconn.Candidate) { post(newCandidate, c) },
		Failed:    func() { post(iceFailed, rtpconn.Candidate{}) },
		Moved:     func() { post(peerMoved, rtpconn.Candidate{}) },
		Changed:   func() { post(tracksChanged, rtpconn.Candidate{}) },

		Renegotiate: func() { post(answerOverdue, rtpconn.Candidate{}) },
		Broken: func(err error) {
			s.server.log.Debug("connection broken", "address", s.address, "error", err)
			s.media.Post(mediaEvent{up: up, down: down, what: broken, err: err})
		},
	}
}

// handleMedia handles an event of a connection. Candidates come after the offer
// or answer that they belong to, since that was queued by whatever started the
// gathering.
func (s *session) handleMedia(ev mediaEvent) {
	switch {
	case ev.up != nil && s.ups[ev.up.id] == ev.up:
		s.handleUpEvent(ev)
	case ev.down != nil && s.hasDown(ev.down):
		s.handleDownEvent(ev)
	}
}

// sendCandidate trickles a candidate (RFC 8838).
func (s *session) sendCandidate(id string, c rtpconn.Candidate) {
	s.send(&Message{Type: typeICE, ID: id, Candidate: &Candidate{
		Candidate: c.Candidate, SDPMid: c.SDPMid,
		SDPMLineIndex: c.SDPMLineIndex, UsernameFragment: c.UsernameFragment,
	}})
}

// closeLater closes a connection without making the session wait for it; the
// session's end waits.
func (s *session) closeLater(c interface{ Close() }) {
	s.closing.Go(func() {
		defer s.recovered("close connection")
		c.Close()
	})
}
