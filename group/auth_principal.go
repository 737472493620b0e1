package group

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"galene/config"
	"galene/token"
)

// Principal is who asks for something outside a session.
type Principal struct {
	// Group is the group in which they were found, empty if it is the server.
	Group string
	// Username may be empty.
	Username    string
	Permissions Permissions
	// ServerAdmin tells that they administer the server and all groups.
	ServerAdmin bool
	// OwnPassword tells that they know the password of the user called
	// Username, one that has to be known, and not that of a wildcard.
	OwnPassword bool
	// Token is the stateful token they used; nil if there was none.
	Token *token.Token
}

// Authenticate decides who asks for something outside a session: in the group
// called group, or on the server if that is empty. Whoever administers the
// server counts everywhere, even in a group that does not exist. A token that
// leaves the name open gives an empty one. It never makes a group, and neither
// the group's lock nor its dates matter.
//
// What the result may do is for the caller to see; on the server there is
// nobody but administrators. The error is [ErrUnauthorised], [ErrNotFound],
// [ErrInvalidName], [ErrBusy], ctx's, or a [*DefinitionError].
func (r *Registry) Authenticate(ctx context.Context, group string, c Credentials) (*Principal, error) {
	if c.Token == "" && c.Username == nil {
		return nil, ErrUnauthorised
	}
	p, err := r.authenticate(ctx, group, c)
	if err != nil {
		return nil, r.refusePrincipal(ctx, group, c, err)
	}
	return p, nil
}

// AuthenticateUser is [Registry.Authenticate] for users of the group alone:
// whoever administers the server is nobody in particular here.
func (r *Registry) AuthenticateUser(ctx context.Context, group string, c Credentials) (*Principal, error) {
	if c.Token == "" && c.Username == nil {
		return nil, ErrUnauthorised
	}
	d, err := r.describe(group)
	var who identity
	if err == nil {
		who, err = r.authorise(ctx, group, d, c)
	}
	if err != nil {
		return nil, r.refusePrincipal(ctx, group, c, err)
	}
	return who.principal(group), nil
}

// refusePrincipal logs err, which may be a refusal to let somebody join, and
// returns Authenticate's error for it.
func (r *Registry) refusePrincipal(ctx context.Context, group string, c Credentials, err error) error {
	level := slog.LevelInfo
	if errors.Is(err, ErrBusy) {
		level = slog.LevelDebug // there may be very many
	}
	r.log.Log(ctx, level, "authentication refused", "group", group, "username", c.name(),
		"address", c.Address.String(), "token", c.Token != "", "reason", err)
	refusal, ok := errors.AsType[*JoinError](err)
	switch {
	case !ok:
		return err
	case errors.Is(refusal, ErrBusy):
		return ErrBusy
	case refusal.Text == textInternal && refusal.Err != nil:
		return refusal.Err
	default:
		return ErrUnauthorised
	}
}

// authenticate is Authenticate, except that its error may be a [*JoinError].
func (r *Registry) authenticate(ctx context.Context, group string, c Credentials) (*Principal, error) {
	// Administrators have the same password everywhere, so that failures count
	// for the server too.
	try, ok := r.throttle.begin(c, time.Now(), scope{group, c.name()}, scope{"", c.name()})
	if !ok {
		return nil, ErrBusy
	}
	decide := r.passwordPrincipal
	if c.Token != "" {
		decide = r.tokenPrincipal
	}
	p, err := decide(ctx, group, c)
	if errors.Is(err, ErrUnauthorised) || errors.Is(err, ErrNotFound) {
		r.fail(try, group, c)
	}
	return p, err
}

// tokenPrincipal finds out who has a token.
func (r *Registry) tokenPrincipal(_ context.Context, group string, c Credentials) (*Principal, error) {
	if !token.LooksLikeJWT(c.Token) {
		t, err := r.stored(c.Token)
		if err != nil {
			return nil, err
		}
		permissions := NewPermissions(t.Permissions...)
		if t.Global() && t.Valid(time.Now()) == nil && permissions.Has(PermissionAdmin) {
			var name string
			if t.Username != nil {
				name = *t.Username
			}
			return &Principal{Username: name, Permissions: permissions, ServerAdmin: true, Token: t}, nil
		}
	}
	if group == "" {
		return nil, notAuthorised(errors.New("not a token for the server's administrator"))
	}
	d, err := r.describe(group)
	if err != nil {
		return nil, err
	}
	who, err := r.bearer(group, d, c, false)
	if err != nil {
		return nil, err
	}
	return who.principal(group), nil
}

// passwordPrincipal finds out who has a username and a password: an
// administrator, or else a user of the group.
func (r *Registry) passwordPrincipal(ctx context.Context, group string, c Credentials) (*Principal, error) {
	l := newLogin(r, group, c)
	administrators := administrators(r.settings())
	all := administrators.decoys()
	users, named := candidates(administrators, l.username)
	user, ok, err := l.try(ctx, users, named)
	if err != nil {
		return nil, err
	}
	if ok {
		p := l.identity(administrators, user, named).principal("")
		p.ServerAdmin, p.Permissions = true, NewPermissions(PermissionAdmin)
		return p, nil
	}
	if group == "" {
		return nil, l.refuse(ctx, all)
	}

	d, err := r.describe(group)
	if err != nil {
		if refusal := l.refuse(ctx, all); !errors.Is(refusal, ErrUnauthorised) {
			return nil, refusal
		}
		return nil, err
	}
	all = all.plus(d.decoys())
	if !validUsername(l.username) || l.username == "" && !d.anonymous() {
		return nil, l.refuse(ctx, all)
	}
	users, named = candidates(d, l.username)
	user, ok, err = l.try(ctx, users, named)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, l.refuse(ctx, all)
	}
	return l.identity(d, user, named).principal(group), nil
}

// administrators are the server's administrators, as if they were users of a
// group. Those whose password cannot be used are left out, so that they do not
// stand in the way of users of that name.
func administrators(s *config.Settings) *Description {
	d := &Description{Users: make(map[string]config.User)}
	for name, user := range s.Users {
		isAdmin := NewPermissions(user.Permissions.List()...).Has(PermissionAdmin)
		if isAdmin && user.Password != nil && user.Password.Validate() == nil {
			d.Users[name] = user
		}
	}
	return d
}

func (who identity) principal(group string) *Principal {
	return &Principal{
		Group: group, Username: who.username, Permissions: who.permissions,
		OwnPassword: who.own, Token: who.token,
	}
}
