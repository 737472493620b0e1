package group

import (
	"errors"
	"sync/atomic"

	"galene/mailbox"
)

// ErrNotMember is returned to members that have left.
var ErrNotMember = errors.New("group: not a member")

// MemberKind tells how a member takes part.
type MemberKind uint8

// The kinds of members. A system member belongs to the server, such as a
// recorder; only [Group.JoinSystem] makes one.
const (
	WebSocketMember MemberKind = iota
	WHIPMember
	SystemMember
)

// String names the kind.
func (k MemberKind) String() string {
	switch k {
	case WebSocketMember:
		return "websocket"
	case WHIPMember:
		return "whip"
	case SystemMember:
		return "system"
	default:
		return "unknown"
	}
}

// MemberInfo describes a member at some point of time.
type MemberInfo struct {
	ID, Username, Address string
	Kind                  MemberKind
	Permissions           Permissions
	Data                  Data
}

// Member is somebody's membership of a group, from joining to leaving. Its
// methods may be called from any goroutine.
type Member struct {
	// Immutable.
	group        *Group
	id, username string
	address      string
	kind         MemberKind
	mailbox      *mailbox.Mailbox[*Event] // may be nil

	shown atomic.Pointer[Permissions] // a copy of permissions, for any goroutine

	// Guarded by group.mu.
	admission     admission
	joinedAllowed Permissions // by admission, or token: what nobody has changed since
	permissions   Permissions
	data          Data
	kicked        bool // it was told to leave
	left          bool // it is no member any more
}

// ID is the member's identifier, chosen by its client; it is unique within the
// group.
func (m *Member) ID() string { return m.id }

// Username is the name that was assigned on joining; it need not be unique and
// may be empty.
func (m *Member) Username() string { return m.username }

// Group is the group of which m is, or was, a member.
func (m *Member) Group() *Group { return m.group }

// Kind is how the member takes part.
func (m *Member) Kind() MemberKind { return m.kind }

// Address is the network address from which it came, as it was given.
func (m *Member) Address() string { return m.address }

// Permissions is what the member may do now. It takes no lock: it is asked for
// with each message.
func (m *Member) Permissions() Permissions { return *m.shown.Load() }

// setPermissionsLocked changes what the member may do.
func (m *Member) setPermissionsLocked(p Permissions) {
	m.permissions = p
	m.shown.Store(&p)
}

// Data is what the member has stored with itself.
func (m *Member) Data() Data {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	return m.data
}

// UpdateData merges patch into the member's data; null removes a key. All
// members get [MemberChanged], this one included. It returns [ErrNotMember] or
// [ErrDataTooLarge].
func (m *Member) UpdateData(patch Data) error {
	limit := m.group.registry.limits().UserDataBytes
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	if m.left {
		return ErrNotMember
	}
	merged := m.data.Merge(patch)
	if merged.size() > limit {
		return ErrDataTooLarge
	}
	m.data = merged
	m.group.postLocked(MemberChanged{m.infoLocked()}, nil)
	return nil
}

// Leave ends the membership: the member's streams are withdrawn and the others
// get [MemberLeft]. Nothing is posted to the member any more. Leaving again
// does nothing.
func (m *Member) Leave() {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	m.group.removeLocked(m)
}

func (m *Member) infoLocked() MemberInfo {
	return MemberInfo{
		ID:          m.id,
		Username:    m.username,
		Address:     m.address,
		Kind:        m.kind,
		Permissions: m.permissions,
		Data:        m.data,
	}
}

// post gives ev to the member's session. A mailbox that is full remembers that,
// and its session ends.
func (m *Member) post(ev *Event) {
	if m.mailbox != nil {
		m.mailbox.Post(ev)
	}
}

// kickLocked tells the member to leave, once. An empty message means a default
// text.
func (m *Member) kickLocked(by Kicker, message string) {
	if m.kicked {
		return
	}
	m.kicked = true
	reason := "kicked out"
	if message != "" {
		reason += " (" + message + ")"
	} else {
		message = "you have been kicked out"
	}
	if by.Username != nil && *by.Username != "" {
		reason += " by " + *by.Username
	}
	m.post(NewEvent(m.group, Kicked{By: by, Message: message, Reason: reason}))
}
