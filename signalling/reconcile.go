package signalling

import (
	"cmp"
	"errors"
	"slices"

	"galene/conn"
	"galene/group"
	"galene/rtpconn"
)

// A session does not follow what other members do step by step. It keeps the
// catalogue of streams that the group tells it of, and compares, for each stream
// that something happened to, what its client should receive with what it does.
// Whatever order things happen in, the comparison comes out the same.

// remoteStream is a stream of another member, and what the client gets of it.
type remoteStream struct {
	stream *group.Stream
	// override is what the client wants of this stream in particular; nil if
	// it said nothing. It outlives replacement of the stream.
	override *wish
	// refused says that the client dropped the stream, or that it could not be
	// sent; it is not offered again until the client asks.
	refused bool
	// lacks holds the kinds of track that the client could not receive. It gets
	// the others until it asks again.
	lacks wish
	down  *downStream // nil if the client gets nothing
	// replaced is what the client still gets of the stream that this one
	// replaces; nil once that has been dealt with.
	replaced *downStream
	dirty    bool // is to be reconciled, and in the membership's list
}

// askedAgain forgets what could not be sent before.
func (r *remoteStream) askedAgain() { r.refused, r.lacks = false, 0 }

// downStream is a connection through which the client gets a stream.
type downStream struct {
	id      string // the stream's
	of      *remoteStream
	up      conn.Up
	conn    downConn
	offered bool // the client knows it
}

// inOrder returns the streams of the catalogue in the order of publication.
func (in *membership) inOrder() []*remoteStream {
	list := make([]*remoteStream, 0, len(in.streams))
	for _, r := range in.streams {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *remoteStream) int {
		return cmp.Or(cmp.Compare(a.stream.Version, b.stream.Version),
			cmp.Compare(a.stream.ID, b.stream.ID))
	})
	return list
}

// touch has r reconciled soon.
func (in *membership) touch(r *remoteStream) {
	if !r.dirty {
		r.dirty = true
		in.dirty = append(in.dirty, r)
	}
}

// reconcileNext reconciles the stream that has waited longest. Streams are dealt
// with one at a time, so that a client that gets very many at once has its
// messages handled in between.
func (s *session) reconcileNext() {
	in := s.group
	r := in.dirty[0]
	in.dirty = in.dirty[1:]
	if in.streams[r.stream.ID] == r && r.dirty {
		s.reconcileNow(r.stream.ID)
	}
}

// reconcileNow reconciles a stream if that is due.
func (s *session) reconcileNow(id string) {
	if s.group == nil {
		return
	}
	if r := s.group.streams[id]; r != nil && r.dirty {
		r.dirty = false
		s.reconcile(r)
	}
}

// streamPublished takes a new stream into the catalogue, or a new description of
// one that is there.
func (s *session) streamPublished(in *membership, stream *group.Stream) {
	if stream.Publisher == s.id {
		return
	}
	r := in.streams[stream.ID]
	if r != nil && r.stream.Publisher != stream.Publisher {
		// The group lets nobody take another's identifier; whoever has it now
		// must not inherit what the client thinks of the other one.
		s.endDowns(r)
		r = nil
	}
	if r == nil {
		r = &remoteStream{}
		in.streams[stream.ID] = r
	}
	r.stream = stream
	if old := in.streams[stream.Replaces]; old != nil && old != r && old.stream.Publisher == stream.Publisher {
		s.inherit(r, old)
		delete(in.streams, stream.Replaces)
	}
	in.touch(r)
}

// inherit makes r the successor of old.
func (s *session) inherit(r, old *remoteStream) {
	if r.override == nil {
		r.override = old.override
	}
	if r.replaced == nil {
		r.replaced = cmp.Or(old.down, old.replaced)
		return
	}
	s.endDowns(old)
}

// streamWithdrawn ends a stream at once.
func (s *session) streamWithdrawn(in *membership, stream *group.Stream) {
	r := in.streams[stream.ID]
	if r == nil || r.stream.Publisher != stream.Publisher {
		return
	}
	s.endDowns(r)
	delete(in.streams, stream.ID)
}

// reconcile makes what the client gets of a stream what it should get.
func (s *session) reconcile(r *remoteStream) {
	var selected []conn.Selection
	if !r.refused {
		w := wanted(s.group.requests, r.stream.Label, r.override) &^ r.lacks
		selected = selectTracks(r.stream.Up.Tracks(), w)
	}
	if len(selected) == 0 {
		s.endDowns(r)
		return
	}
	if r.down != nil && r.down.up != r.stream.Up {
		// Published anew under its old identifier: another connection.
		s.endDown(r.down)
		r.down = nil
	}
	err := s.sendTracks(r, selected)
	if errors.Is(err, rtpconn.ErrCodecChanged) && r.down != nil {
		s.endDown(r.down)
		r.down = nil
		err = s.sendTracks(r, selected)
	}
	if err != nil {
		// Not the client's mistake, and no reason to end its other streams.
		s.log.Warn("stream not sent", "stream", r.stream.ID, "error", err)
		r.refused = true
		s.endDowns(r)
	}
}

// sendTracks sends these tracks of a stream, over the connection that there is
// or a new one.
func (s *session) sendTracks(r *remoteStream, selected []conn.Selection) error {
	if r.down == nil {
		return s.openDown(r, selected)
	}
	return s.changeDown(r.down, selected)
}

// openDown starts to send a stream, in place of the one that it replaces.
func (s *session) openDown(r *remoteStream, selected []conn.Selection) error {
	d := &downStream{id: r.stream.ID, of: r, up: r.stream.Up}
	c, err := s.server.engine.newDown(rtpconn.DownConfig{
		Up: d.up, Owner: s.group.owner, Events: s.events(nil, d), Log: s.log.With("down", d.id),
	})
	if err != nil {
		return err
	}
	d.conn, r.down = c, d
	if _, err := c.Select(selected); err != nil {
		return err
	}
	return s.offerDown(d, false)
}

// changeDown changes which tracks are sent.
func (s *session) changeDown(d *downStream, selected []conn.Selection) error {
	changed, err := d.conn.Select(selected)
	if err != nil || !changed {
		return err
	}
	return s.offerDown(d, false)
}

// offerDown sends an offer unless one is unanswered; the connection remembers.
func (s *session) offerDown(d *downStream, restart bool) error {
	sdp, ok, err := d.conn.Offer(restart)
	if err != nil || !ok {
		return err
	}
	stream := d.of.stream
	offer := &Message{
		Type: typeOffer, ID: d.id, Label: stream.Label, Source: stream.Publisher,
		Username: &stream.Username, SDP: sdp,
	}
	if old := d.of.replaced; old != nil {
		d.of.replaced = nil
		s.closeLater(old.conn)
		if old.offered {
			offer.Replace = old.id
		}
	}
	d.offered = true
	s.send(offer)
	return nil
}

// endDowns ends all that the client gets of a stream, and says so.
func (s *session) endDowns(r *remoteStream) {
	for _, d := range []*downStream{r.replaced, r.down} {
		if d != nil {
			s.endDown(d)
		}
	}
	r.down, r.replaced = nil, nil
}

// endDown closes a connection, and says so if the client knows it.
func (s *session) endDown(d *downStream) {
	s.closeLater(d.conn)
	if d.offered {
		s.sendClose(d.id)
	}
}

// forgetDowns closes connections without a word.
func (s *session) forgetDowns(r *remoteStream) {
	for _, d := range []*downStream{r.replaced, r.down} {
		if d != nil {
			s.closeLater(d.conn)
		}
	}
	r.down, r.replaced = nil, nil
}

func (s *session) sendClose(id string) { s.send(&Message{Type: typeClose, ID: id}) }
