package group

import (
	"errors"
	"slices"
)

// maxStreams bounds the streams that one member may publish at a time.
const maxStreams = 32

var (
	// ErrStreamTaken is returned for the id of another member's stream.
	ErrStreamTaken = errors.New("group: stream id is in use")
	// ErrNotPermitted is returned to members without the permission.
	ErrNotPermitted = errors.New("group: not authorised")
	// ErrTooManyStreams is returned to members that have published as many
	// streams as they may.
	ErrTooManyStreams = errors.New("group: too many streams")
)

// catalogue is the published streams of a group in order of publication. The
// group's lock guards it.
type catalogue struct {
	entries []entry
	version uint64
}

type entry struct {
	owner  *Member
	stream *Stream
}

// find returns the index of the stream called id, or -1.
func (c *catalogue) find(id string) int {
	return slices.IndexFunc(c.entries, func(e entry) bool { return e.stream.ID == id })
}

// count is how many streams owner has published.
func (c *catalogue) count(owner *Member) int {
	count := 0
	for _, e := range c.entries {
		if e.owner == owner {
			count++
		}
	}
	return count
}

// list returns the streams of all members but except.
func (c *catalogue) list(except *Member) []*Stream {
	var streams []*Stream
	for _, e := range c.entries {
		if e.owner != except {
			streams = append(streams, e.stream)
		}
	}
	return streams
}

// remove takes the stream called id of owner out of the catalogue and returns
// it, nil if there is none.
func (c *catalogue) remove(owner *Member, id string) *Stream {
	i := c.find(id)
	if i < 0 || c.entries[i].owner != owner {
		return nil
	}
	stream := c.entries[i].stream
	c.entries = slices.Delete(c.entries, i, i+1)
	return stream
}

// Publish enters a copy of s in the group's catalogue and tells the other
// members. If the member has published a stream of that id before, the new
// entry takes its place. If s.Replaces is another stream of the member, that
// one is withdrawn in the same step, otherwise it is ignored.
//
// It returns [ErrNotMember], [ErrNotPermitted], [ErrStreamTaken] if another
// member has a stream of that id, or [ErrTooManyStreams]; the catalogue is
// unchanged then.
func (m *Member) Publish(s Stream) error {
	g := m.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.left {
		return ErrNotMember
	}
	if !m.permissions.Has(PermissionPresent) {
		return ErrNotPermitted
	}
	at := g.streams.find(s.ID)
	if at >= 0 && g.streams.entries[at].owner != m {
		return ErrStreamTaken
	}
	if s.Replaces == "" || s.Replaces == s.ID || g.streams.remove(m, s.Replaces) == nil {
		s.Replaces = ""
	}
	if at < 0 && g.streams.count(m) >= maxStreams {
		return ErrTooManyStreams
	}

	g.streams.version++
	s.Publisher, s.Username, s.Version = m.id, m.username, g.streams.version
	published := entry{owner: m, stream: &s}
	if at = g.streams.find(s.ID); at >= 0 { // it may have moved
		g.streams.entries[at] = published
	} else {
		g.streams.entries = append(g.streams.entries, published)
	}
	g.postLocked(StreamPublished{&s}, m)
	return nil
}

// Withdraw takes the member's stream called streamID out of the catalogue and
// tells the other members. A stream that the member has not published is left
// alone.
func (m *Member) Withdraw(streamID string) {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	if stream := m.group.streams.remove(m, streamID); stream != nil {
		m.group.postLocked(StreamWithdrawn{stream}, m)
	}
}

// withdrawAllLocked withdraws all streams of m.
func (g *Group) withdrawAllLocked(m *Member) {
	for _, e := range slices.Clone(g.streams.entries) {
		if e.owner == m {
			g.streams.remove(m, e.stream.ID)
			g.postLocked(StreamWithdrawn{e.stream}, m)
		}
	}
}

// Streams lists the published streams of all members but except, which may be
// nil, in order of publication.
func (g *Group) Streams(except *Member) []*Stream {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.streams.list(except)
}
