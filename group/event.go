package group

import (
	"sync"

	"galene/conn"
)

// Event is something that happened in a group. It is shared by all members that
// it was posted to and must not be changed.
type Event struct {
	Group *Group
	// Body is [Joined], [MemberJoined], [MemberChanged], [MemberLeft],
	// [GroupChanged], [PermissionsChanged], [StreamPublished],
	// [StreamWithdrawn] or [Kicked]. A body of another type comes from a
	// session and was only relayed.
	Body any

	once    sync.Once
	encoded []byte
}

// NewEvent returns an event of g.
func NewEvent(g *Group, body any) *Event {
	return &Event{Group: g, Body: body}
}

// Encode returns what f returned when Encode was first called for this event:
// what is the same for all recipients is encoded once. The result must not be
// changed.
func (e *Event) Encode(f func() []byte) []byte {
	e.once.Do(func() { e.encoded = f() })
	return e.encoded
}

// Joined is the first event of a membership, for the new member only: the group
// as it was when the member was added. What happened before is in it, what
// happened later follows as events.
type Joined struct {
	Member      *Member
	Username    string
	Permissions Permissions
	Status      Status
	Data        Data
	History     []ChatEntry
	Members     []MemberInfo // the new member first, then the others in order of joining
	Streams     []*Stream
}

// MemberJoined tells that somebody else has joined.
type MemberJoined struct{ MemberInfo }

// MemberChanged tells that the permissions or data of a member, perhaps the
// recipient, have changed; it has the new values.
type MemberChanged struct{ MemberInfo }

// MemberLeft tells that somebody else has left. Its streams were withdrawn
// before.
type MemberLeft struct{ ID, Username string }

// GroupChanged tells that the lock, the data or the definition has changed.
type GroupChanged struct {
	Status Status
	Data   Data
}

// PermissionsChanged tells the recipient that its own permissions have changed.
// If [PermissionPresent] is gone, its streams have been withdrawn.
type PermissionsChanged struct {
	Permissions Permissions
	Status      Status
	Data        Data
}

// StreamPublished tells that somebody else has published a stream, or published
// it again because it has changed. If its Replaces is not empty, that stream of
// the same publisher was withdrawn in the same step, without another event.
type StreamPublished struct{ *Stream }

// StreamWithdrawn tells that somebody else's stream has ended.
type StreamWithdrawn struct{ *Stream }

// Kicked tells the recipient that it has to leave. Message is for its user,
// Reason for the end of the connection.
type Kicked struct {
	By      Kicker
	Message string
	Reason  string
}

// Kicker is who kicked somebody; empty if that was the server. Username is nil
// if it shall not be told.
type Kicker struct {
	ID       string
	Username *string
}

// Stream is an entry of a group's catalogue of published streams. It is
// immutable once published; publishing the same stream again makes a new entry
// with a higher version.
type Stream struct {
	// Publisher and Username are the id and username of the member that
	// published the stream. Publish fills them in, and Version.
	Publisher, Username string
	// ID is chosen by the publisher and unique within the group. Replaces is
	// the id of the stream of the same publisher that this one takes the
	// place of; empty if there was none. Whoever joined later never had it.
	ID, Label, Replaces string
	// Version grows with each publication in the group.
	Version uint64
	Up      conn.Up
}
