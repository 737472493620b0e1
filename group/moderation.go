package group

import (
	"cmp"
	"slices"
)

// PermissionChange is what an operator can do to somebody's permissions.
type PermissionChange uint8

// The changes of permissions.
const (
	// Op makes somebody an operator, who may also record if the definition
	// says so. It gives back the permission to make tokens if Unop took it.
	Op PermissionChange = iota
	// Unop takes away what makes an operator: moderation, recording, and
	// making tokens unless presenters may do that too.
	Unop
	Present
	Unpresent
	Shutup
	Unshutup
)

// SetPermission changes what the member called target may do. The target gets
// [PermissionsChanged], then everybody [MemberChanged]; if the target may not
// present any more, its streams are withdrawn. It returns [ErrNoSuchUser], or
// [ErrNotRealUser] if the target is not a WebSocket member.
func (g *Group) SetPermission(target string, c PermissionChange) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	m, err := g.webSocketMemberLocked(target, ErrNotRealUser)
	if err != nil {
		return err
	}
	g.permitLocked(m, m.changedPermissions(c))
	g.autoRulesLocked()
	return nil
}

// changedPermissions returns m's permissions after c; the caller holds the
// group's lock.
func (m *Member) changedPermissions(c PermissionChange) Permissions {
	p, d := m.permissions, m.group.description
	switch c {
	case Op:
		p = p.With(PermissionOp)
		if d.AllowRecording {
			p = p.With(PermissionRecord)
		}
		if m.joinedAllowed.Has(PermissionToken) {
			p = p.With(PermissionToken)
		}
	case Unop:
		p = p.Without(PermissionOp, PermissionRecord)
		if !d.UnrestrictedTokens || !p.Has(PermissionPresent) {
			p = p.Without(PermissionToken)
		}
	case Present:
		p = p.With(PermissionPresent)
	case Unpresent:
		p = p.Without(PermissionPresent)
	case Shutup:
		p = p.Without(PermissionMessage)
	case Unshutup:
		p = p.With(PermissionMessage)
	}
	return p
}

// Kick tells the member called target to leave; it is one until its session
// does so. Who is told already is not told again. It returns [ErrNoSuchUser].
func (g *Group) Kick(target string, by Kicker, message string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	m, ok := g.members[target]
	if !ok {
		return ErrNoSuchUser
	}
	m.kickLocked(by, message)
	return nil
}

// close locks the group with message and kicks everybody with it.
func (g *Group) close(message string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.setLockedLocked(true, message)
	for _, m := range g.order {
		m.kickLocked(Kicker{}, message)
	}
}

// SubgroupCount is how many members a group below another one has.
type SubgroupCount struct {
	Name  string
	Count int
}

// Subgroups lists the groups below g that have members, sorted by name.
func (g *Group) Subgroups() []SubgroupCount {
	var counts []SubgroupCount
	for _, below := range g.registry.below(g.name) {
		below.mu.Lock()
		count := len(below.order)
		below.mu.Unlock()
		if count > 0 {
			counts = append(counts, SubgroupCount{below.name, count})
		}
	}
	slices.SortFunc(counts, func(a, b SubgroupCount) int { return cmp.Compare(a.Name, b.Name) })
	return counts
}
