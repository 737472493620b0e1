package group

import (
	"errors"
	"slices"
	"sync"
	"time"
)

var (
	// ErrNoSuchUser is returned when no member has the given id.
	ErrNoSuchUser = errors.New("group: no such user")
	// ErrNotChatting is returned for members that take no messages.
	ErrNotChatting = errors.New("group: this user doesn't chat")
	// ErrNotRealUser is returned for members whose permissions are not a
	// matter of moderation.
	ErrNotRealUser = errors.New("group: this is not a real user")
	// ErrDataTooLarge is returned when a member's or group's data would grow
	// beyond its bound. It is unchanged then.
	ErrDataTooLarge = errors.New("group: too much data")
)

// Group is one room in memory. Its methods may be called from any goroutine,
// but not under another group's lock.
type Group struct {
	// Immutable.
	name     string
	registry *Registry

	mu          sync.Mutex // guards the fields below, and the members' state
	description *Description
	asOf        uint64    // when description was in force, by the library's clock
	orphaned    time.Time // since when there is no definition on disk; zero if there is
	members     map[string]*Member
	order       []*Member // the members in order of joining
	streams     catalogue
	history     history
	data        Data
	locked      bool
	lockMessage string    // for those who cannot join; empty is the default text
	idle        time.Time // when somebody last joined or left
}

// newGroup returns a group without members, which its registry does not know
// yet.
func newGroup(r *Registry, name string, d *Description) *Group {
	return &Group{
		name:        name,
		registry:    r,
		description: d,
		members:     make(map[string]*Member),
		idle:        time.Now(),
		locked:      d.Autolock, // there is no operator
	}
}

// Name is the group's name.
func (g *Group) Name() string { return g.name }

// Description is the present definition.
func (g *Group) Description() *Description {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.description
}

// Data is what clients have stored with the group.
func (g *Group) Data() Data {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.data
}

// UpdateData merges patch into the group's data; null removes a key. All
// members get [GroupChanged]. It returns [ErrDataTooLarge].
func (g *Group) UpdateData(patch Data) error {
	limit := g.registry.limits().GroupDataBytes
	g.mu.Lock()
	defer g.mu.Unlock()
	merged := g.data.Merge(patch)
	if merged.size() > limit {
		return ErrDataTooLarge
	}
	g.data = merged
	g.changedLocked()
	return nil
}

// SetLocked locks or unlocks the group; all members get [GroupChanged]. Whoever
// then cannot join is told message, or a default text if it is empty.
func (g *Group) SetLocked(locked bool, message string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.setLockedLocked(locked, message)
}

func (g *Group) setLockedLocked(locked bool, message string) {
	if !locked {
		message = ""
	}
	g.locked, g.lockMessage = locked, message
	g.changedLocked()
}

// changedLocked posts GroupChanged to all members.
func (g *Group) changedLocked() {
	g.postLocked(GroupChanged{Status: g.statusLocked(), Data: g.data}, nil)
}

// postLocked posts an event to all members but except, which may be nil.
func (g *Group) postLocked(body any, except *Member) {
	event := NewEvent(g, body)
	for _, m := range g.order {
		if m != except {
			m.post(event)
		}
	}
}

// Members lists the members in order of joining.
func (g *Group) Members() []MemberInfo {
	g.mu.Lock()
	defer g.mu.Unlock()
	infos := make([]MemberInfo, 0, len(g.order))
	for _, m := range g.order {
		infos = append(infos, m.infoLocked())
	}
	return infos
}

// Find describes the member called id.
func (g *Group) Find(id string) (MemberInfo, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m, ok := g.members[id]
	if !ok {
		return MemberInfo{}, false
	}
	return m.infoLocked(), true
}

// Chat keeps entry in the history and posts ev, which tells of it, to all
// WebSocket members but the one called except; an empty except is nobody. A
// member gets either ev or, in [Joined], the entry.
func (g *Group) Chat(entry ChatEntry, ev *Event, except string) {
	limits := g.registry.limits()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.history.add(entry, limits)
	g.broadcastLocked(ev, except)
}

// Broadcast posts ev to all WebSocket members but the one called except; an
// empty except is nobody.
func (g *Group) Broadcast(ev *Event, except string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.broadcastLocked(ev, except)
}

func (g *Group) broadcastLocked(ev *Event, except string) {
	for _, m := range g.order {
		if m.kind == WebSocketMember && m.id != except {
			m.post(ev)
		}
	}
}

// Send posts ev to the member called to. It returns [ErrNoSuchUser], or
// [ErrNotChatting] if that is not a WebSocket member.
func (g *Group) Send(to string, ev *Event) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	m, err := g.webSocketMemberLocked(to, ErrNotChatting)
	if err == nil {
		m.post(ev)
	}
	return err
}

// webSocketMemberLocked returns the member called id. It returns
// [ErrNoSuchUser], or otherwise if that is not a WebSocket member.
func (g *Group) webSocketMemberLocked(id string, otherwise error) (*Member, error) {
	m, ok := g.members[id]
	switch {
	case !ok:
		return nil, ErrNoSuchUser
	case m.kind != WebSocketMember:
		return nil, otherwise
	}
	return m, nil
}

// ClearChat removes messages from the history: all of them if both arguments
// are empty, those of the member called userID if id is empty, otherwise those
// that match both. Nobody is told.
func (g *Group) ClearChat(id, userID string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.history.remove(func(e *ChatEntry) bool {
		return id == "" && userID == "" ||
			e.Source == userID && (id == "" || e.ID == id)
	})
}

// historyLocked returns the messages that are not too old.
func (g *Group) historyLocked() []ChatEntry {
	return g.history.since(time.Now().Add(-g.description.HistoryAge()))
}

// addLocked makes m a member and tells everybody.
func (g *Group) addLocked(m *Member) {
	joined := Joined{
		Member:      m,
		Username:    m.username,
		Permissions: m.permissions,
		Data:        g.data,
		History:     g.historyLocked(),
		Members:     []MemberInfo{m.infoLocked()},
		Streams:     g.streams.list(nil),
	}
	for _, other := range g.order {
		joined.Members = append(joined.Members, other.infoLocked())
	}
	g.postLocked(MemberJoined{m.infoLocked()}, nil)

	g.members[m.id] = m
	g.order = append(g.order, m)
	g.idle = time.Now()
	joined.Status = g.statusLocked()
	m.post(NewEvent(g, joined))
}

// removeLocked undoes addLocked, if m is still a member.
func (g *Group) removeLocked(m *Member) {
	if m.left {
		return
	}
	m.left = true
	g.withdrawAllLocked(m)
	delete(g.members, m.id)
	g.order = slices.DeleteFunc(g.order, func(other *Member) bool { return other == m })
	g.idle = time.Now()
	g.postLocked(MemberLeft{ID: m.id, Username: m.username}, nil)
	g.autoRulesLocked()
}

// hasOperatorLocked reports whether a member is an operator.
func (g *Group) hasOperatorLocked() bool {
	return slices.ContainsFunc(g.order, func(m *Member) bool {
		return m.permissions.Has(PermissionOp)
	})
}

// autoRulesLocked does what the definition asks for when there is no operator:
// it locks the group, and kicks everybody. It follows everything that can take
// the last operator away, and changes of the definition.
func (g *Group) autoRulesLocked() {
	if !g.description.Autolock && !g.description.Autokick || g.hasOperatorLocked() {
		return
	}
	if g.description.Autolock && !g.locked {
		g.setLockedLocked(true, "")
	}
	if g.description.Autokick {
		for _, m := range g.order {
			m.kickLocked(Kicker{}, textNoOperators)
		}
	}
}
