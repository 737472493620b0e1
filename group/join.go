package group

import (
	"context"
	"errors"
	"time"

	"galene/mailbox"
)

// maxIDBytes bounds the identifier of a member.
const maxIDBytes = 255

// What clients are told when they cannot join.
const (
	textIllegalName   = "illegal group name"
	textNotFound      = "group does not exist"
	textInternal      = "internal server error"
	textNotAuthorised = "not authorised"
	textNoCredentials = "neither username nor token given"
	textBusy          = "the server is busy, please try again"
	textLocked        = "this group is locked"
	textNotOpenYet    = "this group is not open yet"
	textClosed        = "this group is closed"
	textNoOperators   = "there are no operators in this group"
	textTooManyUsers  = "too many users"
	textTooManyGroups = "too many subgroups"
	textEmptyID       = "empty client id"
	textLongID        = "client id is too long"
	textDuplicateID   = "this client id is already in use"
	textNeedUsername  = "username required"
	textNameTaken     = "not authorised: this username is taken"
	textTooMuchData   = "too much user data"
)

// Names that programs know reasons by.
const (
	idNeedUsername = "need-username"
	idNameTaken    = "duplicate-username"
)

// JoinError says why somebody cannot join. [errors.Is] finds [ErrUnauthorised] in
// it if the credentials were bad, and [ErrBusy] if they were not looked at.
type JoinError struct {
	// Redirect is where to go instead; if it is not empty, nothing has failed.
	Redirect string
	// ID names the reason to programs; empty if it has no name.
	ID string
	// Text tells the reason to people.
	Text string
	// Username is the name that was assigned; empty unless the credentials
	// were good.
	Username string
	// Delay asks for the reply to be held back for 200 ms, so that guessing
	// takes time.
	Delay bool
	// Err is the cause, for the log; it may be nil.
	Err error
}

// Error returns the text, and the cause if there is one.
func (e *JoinError) Error() string {
	if e.Redirect != "" {
		return "group: redirected"
	}
	if e.Err != nil {
		return e.Text + ": " + e.Err.Error()
	}
	return e.Text
}

// Unwrap returns the cause.
func (e *JoinError) Unwrap() error { return e.Err }

// Is tells that bad credentials are [ErrUnauthorised].
func (e *JoinError) Is(target error) bool {
	return target == ErrUnauthorised && e.Text == textNotAuthorised
}

func refuse(text string, cause error) *JoinError {
	return &JoinError{Text: text, Err: cause}
}

func notAuthorised(cause error) *JoinError {
	return &JoinError{Text: textNotAuthorised, Delay: true, Err: cause}
}

// Newcomer is who wants to join, apart from the credentials.
type Newcomer struct {
	ID      string // chosen by the client
	Kind    MemberKind
	Data    Data   // initial data; nulls are kept
	Address string // for operators and the log
	// Mailbox gets the events of the group. Posting never waits for it.
	Mailbox *mailbox.Mailbox[*Event]
}

// Join makes n a member of the group called name if c entitles it to that. The
// new member's mailbox then gets [Joined], and later events. If it fails,
// nothing is left behind.
//
// The error is a [*JoinError], or ctx's if that ended while the credentials
// were being checked.
func (r *Registry) Join(ctx context.Context, name string, c Credentials, n Newcomer) (*Member, error) {
	m, err := r.join(ctx, name, c, n)
	if refusal, ok := errors.AsType[*JoinError](err); ok && refusal.Redirect == "" {
		var username string
		if c.Username != nil {
			username = *c.Username
		}
		r.log.Info("join refused", "group", name, "username", username,
			"address", n.Address, "reason", refusal)
	}
	return m, err
}

// join tests everything in the order in which clients expect to be refused.
func (r *Registry) join(ctx context.Context, name string, c Credentials, n Newcomer) (*Member, error) {
	if n.Kind == SystemMember {
		return nil, refuse(textInternal, errors.New("a system member cannot join by credentials"))
	}
	d, err := r.describe(name)
	switch {
	case errors.Is(err, ErrInvalidName):
		return nil, refuse(textIllegalName, err)
	case errors.Is(err, ErrNotFound):
		return nil, refuse(textNotFound, err)
	case err != nil:
		return nil, refuse(textInternal, err)
	}
	who, err := r.authorise(ctx, name, d, c)
	if err != nil {
		return nil, err
	}
	m, refusal := r.add(name, d, who, n)
	if refusal != nil {
		refusal.Username = who.username
		return nil, refusal
	}
	return m, nil
}

// add makes n a member of the group called name, whose definition was d when
// who was authorised. A group that is not in memory is kept only if that
// succeeds.
func (r *Registry) add(name string, d *Description, who identity, n Newcomer) (*Member, *JoinError) {
	if d.Redirect != "" {
		return nil, &JoinError{Redirect: d.Redirect}
	}
	if n.Data.size() > r.limits().UserDataBytes {
		return nil, refuse(textTooMuchData, ErrDataTooLarge)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, refuse(r.closeMessage, nil)
	}
	g, ok := r.groups[name]
	if !ok {
		if d.inferred && !r.roomForSubgroupLocked() {
			return nil, refuse(textTooManyGroups, nil)
		}
		g = newGroup(r, name, d)
	}
	m, refusal := g.admit(who, n)
	if refusal != nil {
		return nil, refusal
	}
	r.groups[name] = g
	return m, nil
}

// admit adds n as a member unless the state of the group forbids it.
func (g *Group) admit(who identity, n Newcomer) (*Member, *JoinError) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !who.permissions.Has(PermissionOp) {
		if refusal := g.closedLocked(time.Now()); refusal != nil {
			return nil, refusal
		}
	}
	return g.insertLocked(who, n)
}

// closedLocked tells why the group takes nobody but operators at present.
func (g *Group) closedLocked(now time.Time) *JoinError {
	d := g.description
	switch {
	case g.locked && g.lockMessage != "":
		return refuse(g.lockMessage, nil)
	case g.locked:
		return refuse(textLocked, nil)
	case d.NotBefore != nil && now.Before(*d.NotBefore):
		return refuse(textNotOpenYet, nil)
	case d.Expires != nil && now.After(*d.Expires):
		return refuse(textClosed, nil)
	case d.Autokick && !g.hasOperatorLocked():
		return refuse(textNoOperators, nil)
	case d.MaxClients > 0 && len(g.order) >= d.MaxClients:
		return refuse(textTooManyUsers, nil)
	default:
		return nil
	}
}

// insertLocked adds n as a member unless its identifier forbids it.
func (g *Group) insertLocked(who identity, n Newcomer) (*Member, *JoinError) {
	switch {
	case n.ID == "":
		return nil, refuse(textEmptyID, nil)
	case len(n.ID) > maxIDBytes:
		return nil, refuse(textLongID, nil)
	case g.members[n.ID] != nil:
		return nil, refuse(textDuplicateID, nil)
	}
	m := &Member{
		group:         g,
		id:            n.ID,
		username:      who.username,
		address:       n.Address,
		kind:          n.Kind,
		mailbox:       n.Mailbox,
		joinedAllowed: who.permissions,
		admission:     who.admission,
		data:          n.Data,
	}
	m.setPermissionsLocked(who.permissions)
	g.addLocked(m)
	return m, nil
}

// JoinSystem makes n a member that belongs to the server, such as a recorder,
// whatever the group's lock and limits say. Its kind is [SystemMember]. It
// returns [ErrNotFound] if the group has been forgotten meanwhile, or a
// [*JoinError].
func (g *Group) JoinSystem(username string, n Newcomer) (*Member, error) {
	r := g.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, refuse(r.closeMessage, nil)
	}
	if r.groups[g.name] != g {
		return nil, ErrNotFound
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	n.Kind = SystemMember
	m, refusal := g.insertLocked(identity{username: username, permissions: systemPermissions()}, n)
	if refusal != nil {
		return nil, refusal
	}
	return m, nil
}
