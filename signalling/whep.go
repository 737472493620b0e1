package signalling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"galene/conn"
	"galene/group"
	"galene/rtpconn"
)

// ErrNoStream is returned when there is nothing to watch yet.
var ErrNoStream = errors.New("signalling: there is no such stream yet")

// errOtherCodec is why a session ends whose connection cannot carry what there is
// to watch now.
var errOtherCodec = errors.New("signalling: the stream has another codec than before")

// Choice says which stream a viewer watches.
type Choice struct {
	// Stream is the stream's identifier or label; empty for any.
	Stream string
	// User is its publisher's username or identifier; empty for anybody's.
	User string
}

// matches tells whether a stream is one of those that are meant. Whoever was
// watched before may have given the stream another identifier since.
func (c Choice) matches(s, before *group.Stream) bool {
	if before != nil && s.Publisher == before.Publisher && s.Label == before.Label {
		return true
	}
	return (c.Stream == "" || c.Stream == s.ID || c.Stream == s.Label) &&
		(c.User == "" || c.User == s.Username || c.User == s.Publisher)
}

// pick returns the stream to watch: one like that before if there is one, else a
// camera, else anything, and of several the oldest. It returns nil if there is
// none.
func (c Choice) pick(streams map[string]*group.Stream, before *group.Stream) *group.Stream {
	rank := func(s *group.Stream) int {
		switch {
		case before != nil && s.Publisher == before.Publisher && s.Label == before.Label:
			return 0
		case s.Label == "camera", s.Label == "video", s.Label == "":
			return 1
		default:
			return 2
		}
	}
	var best *group.Stream
	for _, s := range streams {
		if !c.matches(s, before) || len(watchable(s)) == 0 {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(rank(s), rank(best)), cmp.Compare(s.Version, best.Version)) < 0 {
			best = s
		}
	}
	return best
}

// watchable is what a viewer gets of a stream: sound, and the best picture.
func watchable(s *group.Stream) []conn.Selection {
	return selectTracks(s.Up.Tracks(), wishAudio|wishVideo)
}

// viewer is what a WHEP session does: it watches one stream, over one connection,
// and follows its publisher. While there is nothing to watch the connection
// stays, for when there is again.
type viewer struct {
	session *HTTPSession
	choice  Choice
	view    viewConn                 // nil while there was nothing to watch yet
	streams map[string]*group.Stream // the group's, by identifier
	current *group.Stream            // what is watched, or was last; nil if nothing was yet
	live    bool                     // current is still there
}

// viewConn is a connection on which a viewer receives.
type viewConn interface {
	answering
	// Select changes what is sent; see [rtpconn.View].
	Select(s []conn.Selection) error
}

// Watch opens a session that watches a stream of the group
// (draft-ietf-wish-whep), and returns the answer, with all our candidates. It
// waits a little if there is no stream.
//
// Errors are a [*group.JoinError], [ErrNoStream], [ErrSessionOver] if the viewer
// was kicked while it waited, a [*rtpconn.NegotiationError] if
// the offer is at fault, [ErrLongOffer], [ErrTooManySessions], [ErrStopping], or ctx's.
func (s *Server) Watch(ctx context.Context, o HTTPOffer, c Choice) (*HTTPSession, string, error) {
	return s.openHTTP(ctx, group.WHEPMember, o, func(ctx context.Context, h *HTTPSession) (string, error) {
		v := &viewer{session: h, choice: c, streams: make(map[string]*group.Stream)}
		h.role = v
		if err := v.await(ctx); err != nil {
			return "", err
		}
		view, err := s.engine.newView(rtpconn.DownConfig{Up: v.current.Up, Events: h.events(), Log: h.log})
		if err != nil {
			return "", err
		}
		h.conn, v.view = view, view
		if err := view.Select(watchable(v.current)); err != nil {
			return "", err
		}
		return h.answer(ctx, o.SDP)
	})
}

// await waits until there is something to watch.
func (v *viewer) await(ctx context.Context) error {
	patience := time.NewTimer(v.session.limits.StreamWait)
	defer patience.Stop()
	for {
		select {
		case <-v.session.mailbox.Wake():
			if err := v.session.drainGroup(); err != nil {
				return fmt.Errorf("%w: %w", ErrSessionOver, err)
			}
			if v.live {
				return nil
			}
		case <-patience.C:
			return ErrNoStream
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// handleEvent implements role.
func (v *viewer) handleEvent(ev *group.Event) error {
	switch body := ev.Body.(type) {
	case group.Joined:
		for _, s := range body.Streams {
			v.streams[s.ID] = s
		}
	case group.StreamPublished:
		v.published(body.Stream)
	case group.StreamWithdrawn:
		if s := v.streams[body.ID]; s != nil && s.Publisher == body.Publisher {
			delete(v.streams, body.ID)
		}
	default:
		return nil
	}
	return v.look()
}

// published takes a stream into the catalogue, in place of that which it replaces.
func (v *viewer) published(s *group.Stream) {
	if old := v.streams[s.Replaces]; old != nil && old.Publisher == s.Publisher {
		delete(v.streams, s.Replaces)
		if old == v.current {
			v.current = s
		}
	}
	v.streams[s.ID] = s
}

// look makes what is sent what is to be watched now: the same stream while it is
// there.
func (v *viewer) look() error {
	next := v.choice.pick(v.streams, v.current)
	if v.current != nil {
		if same := v.streams[v.current.ID]; same != nil && same.Publisher == v.current.Publisher && len(watchable(same)) > 0 {
			next = same
		}
	}
	v.live = next != nil
	if next == nil {
		return nil
	}
	v.current = next
	if v.view == nil {
		return nil
	}
	err := v.view.Select(watchable(next))
	if errors.Is(err, rtpconn.ErrCodecChanged) {
		return errOtherCodec
	}
	return err
}

// tracksChanged implements role. Viewers send nothing.
func (v *viewer) tracksChanged() error { return nil }
