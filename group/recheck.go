package group

import (
	"reflect"
	"slices"
	"time"

	"galene/config"
	"galene/password"
)

// What members are told who have to leave because the definition has changed.
const (
	textNoLongerUser = "you are not a user of this group any more"
	textGone         = "this group does not exist any more"
)

// admission is by which user description somebody was let in. The zero value
// is for others: those with tokens, which have their own lifetime, and the
// server's own members.
type admission struct {
	user  *config.User
	named bool // it was that user's own, not one for all names
}

// stillIn returns the description in d by which somebody called name, once let in
// by a, would still be let in. Whoever has been in with a password of their own
// need not leave because they have another one now.
func (a admission) stillIn(d *Description, name string) (config.User, bool) {
	if name == "" && !d.anonymous() {
		return config.User{}, false
	}
	user, own := d.Users[name]
	if a.named || own {
		return user, a.named && own && user.Password != nil
	}
	for _, user := range d.unnamed() {
		if samePassword(user.Password, a.user.Password) {
			return user, true
		}
	}
	return config.User{}, false
}

func samePassword(p, q *password.Password) bool { return reflect.DeepEqual(p, q) }

// recheckLocked applies a changed definition to those who are in already, as if
// they had joined only now: who is not a user any more has to leave, and others
// get the permissions that the definition gives them, if these are not the same
// as before.
func (g *Group) recheckLocked() {
	for _, m := range slices.Clone(g.order) {
		if m.admission.user == nil {
			continue
		}
		user, ok := m.admission.stillIn(g.description, m.username)
		if !ok {
			m.kickLocked(Kicker{}, textNoLongerUser)
			continue
		}
		m.admission.user = &user
		allowed := g.description.permissions(user)
		if slices.Equal(allowed.names, m.joinedAllowed.names) {
			continue
		}
		m.joinedAllowed = allowed
		if m.kind != WebSocketMember && !allowed.Has(PermissionPresent) {
			m.kickLocked(Kicker{}, textNoLongerUser)
			continue
		}
		g.permitLocked(m, allowed)
	}
}

// permitLocked gives m other permissions, and tells everybody.
func (g *Group) permitLocked(m *Member, p Permissions) {
	m.setPermissionsLocked(p)
	m.post(NewEvent(g, PermissionsChanged{
		Permissions: m.permissions,
		Status:      g.statusLocked(),
		Data:        g.data,
	}))
	g.postLocked(MemberChanged{m.infoLocked()}, nil)
	if !m.permissions.Has(PermissionPresent) {
		g.withdrawAllLocked(m)
	}
}

// closeLocked tells members to leave whom the group is closed to by now: all of
// them if it has no definition any more, and all but operators if it is outside
// of its dates.
func (g *Group) closeLocked(now time.Time) {
	d, gone := g.description, g.goneLocked(now)
	var text string
	switch {
	case gone:
		text = textGone
	case d.Expires != nil && now.After(*d.Expires):
		text = textClosed
	case d.NotBefore != nil && now.Before(*d.NotBefore):
		text = textNotOpenYet
	default:
		return
	}
	for _, m := range slices.Clone(g.order) {
		if gone || !m.permissions.Has(PermissionOp) && m.kind != SystemMember {
			m.kickLocked(Kicker{}, text)
		}
	}
}

// goneLocked reports whether the definition is gone, and not only for the moment
// in which a file is replaced.
func (g *Group) goneLocked(now time.Time) bool {
	return !g.orphaned.IsZero() && now.Sub(g.orphaned) >= orphanAge
}
