package signalling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"galene/codecs"
	"galene/conn"
	"galene/group"
	"galene/rtpconn"
)

// ErrNoStream is returned when there is nothing to watch yet.
var ErrNoStream = errors.New("signalling: there is no such stream yet")

// errOtherCodec is why a session ends whose connection cannot carry anything of
// what there is to watch now.
var errOtherCodec = errors.New("signalling: the streams have other codecs than before")

// Choice says which streams a viewer watches: all if it is zero.
type Choice struct {
	// Stream is the streams' identifier or label; empty for any.
	Stream string
	// User is their publisher's username or identifier; empty for anybody's.
	User string
}

// matches tells whether a stream is one of those that are meant. The one that was
// meant by its identifier may have got another since: named is that, or nil.
func (c Choice) matches(s, named *group.Stream) bool {
	if named != nil && s.Publisher == named.Publisher && s.Label == named.Label {
		return true
	}
	return (c.Stream == "" || c.Stream == s.ID || c.Stream == s.Label) &&
		(c.User == "" || c.User == s.Username || c.User == s.Publisher)
}

// list returns the streams to watch, in the order in which they get what place
// there is: cameras before anything else, and of several the oldest first.
func (c Choice) list(streams map[string]*group.Stream, named *group.Stream) []*group.Stream {
	rank := func(s *group.Stream) int {
		switch s.Label {
		case "camera", "video", "":
			return 0
		default:
			return 1
		}
	}
	var found []*group.Stream
	for _, s := range streams {
		if c.matches(s, named) && len(watchable(s)) > 0 {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *group.Stream) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Version, b.Version))
	})
	return found
}

// watchable is what a viewer gets of a stream: sound, and the best picture.
func watchable(s *group.Stream) []conn.Selection {
	selected := selectTracks(s.Up.Tracks(), wishAudio|wishVideo)
	for i := range selected {
		selected[i].Up = s.Up
	}
	return selected
}

// viewer is what a WHEP session does: it watches streams of its group, over one
// connection. Those who come later take the places that are free, or become free.
// While there is nothing to watch the connection stays, for when there is again.
type viewer struct {
	session *HTTPSession
	choice  Choice
	view    viewConn                 // nil while there was nothing to watch yet
	streams map[string]*group.Stream // the group's, by identifier
	named   *group.Stream            // that which was meant by its identifier; nil if there was none
	seats   []seat                   // what is sent, by the places of the connection
}

// viewConn is a connection on which a viewer receives.
type viewConn interface {
	answering
	// Places, Fits and Select choose what is sent; see [rtpconn.View].
	Places() []codecs.Kind
	Fits(place int, t conn.UpTrack) bool
	Select(s []conn.Selection) error
}

// Watch opens a session that watches streams of the group
// (draft-ietf-wish-whep), and returns the answer, with all our candidates. It
// waits a little if there is none.
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
		view, err := s.engine.newView(rtpconn.ViewConfig{
			ID: h.member.ID(), Codecs: v.codecs(),
			Owner: h.owner(), Events: h.events(), Log: h.log,
		})
		if err != nil {
			return "", err
		}
		h.conn, v.view = view, view
		if _, err := view.Offer(o.SDP); err != nil {
			return "", err
		}
		if err := v.begin(); err != nil {
			return "", err
		}
		return h.gathered(ctx)
	})
}

// await waits until there is something to watch.
func (v *viewer) await(ctx context.Context) error {
	patience := time.NewTimer(v.session.limits.StreamWait)
	defer patience.Stop()
	for waiting := true; ; {
		// What is there already counts, however late it is looked at.
		if err := v.session.drainGroup(); err != nil {
			return fmt.Errorf("%w: %w", ErrSessionOver, err)
		}
		if len(v.choice.list(v.streams, v.named)) > 0 {
			return nil
		}
		if !waiting {
			return ErrNoStream
		}
		select {
		case <-v.session.mailbox.Wake():
		case <-patience.C:
			waiting = false
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// codecs names what may be sent: first what is there to watch, since simple players
// expect the first codec, and then whatever the group permits.
func (v *viewer) codecs() []string {
	var names []string
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, s := range v.choice.list(v.streams, v.named) {
		for _, selected := range watchable(s) {
			add(selected.Track.Format().Name)
		}
	}
	for _, name := range v.session.member.Group().Description().CodecNames() {
		add(name)
	}
	return names
}

// begin sends the first streams.
func (v *viewer) begin() error {
	v.seats = make([]seat, len(v.view.Places()))
	for i, kind := range v.view.Places() {
		v.seats[i].kind = kind
	}
	err := v.look()
	if errors.Is(err, errOtherCodec) {
		return rtpconn.Unsupported(watchable(v.choice.list(v.streams, v.named)[0])[0].Track)
	}
	return err
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
		for i := range v.seats {
			if v.seats[i].stream == old {
				v.seats[i].stream = s
			}
		}
		if v.named == old {
			v.named = s
		}
	}
	v.streams[s.ID] = s
}

// look makes what is sent what is to be watched now.
func (v *viewer) look() error {
	if s := v.streams[v.choice.Stream]; s != nil && v.choice.matches(s, nil) {
		v.named = s
	}
	if v.view == nil {
		return nil
	}
	v.clearSeats()
	streams := v.choice.list(v.streams, v.named)
	for _, s := range streams {
		v.seat(s)
	}
	if len(streams) > 0 && !slices.ContainsFunc(v.seats, func(s seat) bool { return s.stream != nil }) {
		return errOtherCodec
	}
	selected := make([]conn.Selection, len(v.seats))
	for i, s := range v.seats {
		selected[i] = s.selected
	}
	err := v.view.Select(selected)
	if errors.Is(err, rtpconn.ErrCodecChanged) {
		return errOtherCodec
	}
	return err
}

// tracksChanged implements role. Viewers send nothing.
func (v *viewer) tracksChanged() error { return nil }
