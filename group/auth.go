package group

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"galene/config"
	"galene/token"
)

// maxPasswordBytes bounds the password that somebody may offer.
const maxPasswordBytes = 4096

var (
	// ErrUnauthorised is returned for bad credentials.
	ErrUnauthorised = errors.New("group: not authorised")
	// ErrBusy is returned when credentials are not looked at: there were too
	// many bad ones of late, or the server has too much to do.
	ErrBusy = errors.New("group: too many attempts")
)

// Credentials are what somebody offers who wants to join.
type Credentials struct {
	Username *string // nil if none was given
	Password string
	Token    string // if not empty, the password does not count
	// Address is where they come from. Without one, failures are not counted.
	Address netip.Addr
}

// ParseAddress reads an address with or without a port, as it is found in
// [net/http.Request.RemoteAddr]. What is none, such as the name of a socket, is
// the zero address.
func ParseAddress(text string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr()
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return address
}

// identity is who somebody is found to be, and what they may do.
type identity struct {
	username    string
	permissions Permissions
	token       *token.Token // that they have used; nil if it was none of the store's
	own         bool         // they know the secret of a user description of their own
	admission   admission
}

// authorise finds out who offers c to the group defined by d. It may take long,
// and no lock may be held. The error is a [*JoinError] or ctx's.
func (r *Registry) authorise(ctx context.Context, group string, d *Description, c Credentials) (identity, error) {
	try, ok := r.throttle.begin(c, time.Now(), scope{group, c.name()})
	if !ok {
		return identity{}, notAuthorised(ErrBusy)
	}
	who, err := r.identify(ctx, group, d, c)
	if errors.Is(err, ErrUnauthorised) {
		r.fail(try, group, c)
	}
	return who, err
}

// identify is authorise without regard to what was tried before.
func (r *Registry) identify(ctx context.Context, group string, d *Description, c Credentials) (identity, error) {
	if c.Token != "" {
		return r.bearer(group, d, c, true)
	}
	if c.Username == nil {
		return identity{}, refuse(textNoCredentials, nil)
	}
	if c.name() == "" && !d.anonymous() {
		return identity{}, notAuthorised(errors.New("anonymous users are not allowed"))
	}
	return r.byPassword(ctx, group, d, c)
}

// name is the username that is offered, empty if there is none.
func (c *Credentials) name() string {
	if c.Username == nil {
		return ""
	}
	return *c.Username
}

// anonymous reports whether users of the group may be without a name.
func (d *Description) anonymous() bool {
	return d.AllowAnonymous == nil || *d.AllowAnonymous
}

// validUsername reports whether somebody can be called name.
func validUsername(name string) bool { return name == "" || ValidName(name) }

// byPassword finds out who has the password for the group defined by d.
func (r *Registry) byPassword(
	ctx context.Context, group string, d *Description, c Credentials,
) (identity, error) {
	if !validUsername(c.name()) {
		return identity{}, notAuthorised(errors.New("invalid username"))
	}
	l := newLogin(r, group, c)
	users, named := candidates(d, c.name())
	user, ok, err := l.try(ctx, users, named)
	if err == nil && !ok {
		err = l.refuse(ctx, d.decoys())
	}
	if err != nil {
		return identity{}, err
	}
	return l.identity(d, user, named), nil
}

// identity is who is found to be user.
func (l *login) identity(d *Description, user config.User, named bool) identity {
	secret := user.Password != nil && user.Password.Secret()
	return identity{
		username: l.username, permissions: d.permissions(user), own: named && secret,
		admission: admission{user: &user, named: named},
	}
}

// candidates lists the user descriptions that may be somebody's called name;
// named tells that the one in the list is that user's own.
func candidates(d *Description, name string) (users []config.User, named bool) {
	if user, ok := d.Users[name]; ok {
		return []config.User{user}, true
	}
	return d.unnamed(), false
}

// unnamed lists the user descriptions for names that have none of their own.
func (d *Description) unnamed() []config.User {
	users := append([]config.User(nil), d.FallbackUsers...)
	if d.WildcardUser != nil {
		users = append(users, *d.WildcardUser)
	}
	return users
}

// fail counts a failure, and logs when there come to be too many of them.
func (r *Registry) fail(try attempt, group string, c Credentials) {
	if r.throttle.fail(try, time.Now()) {
		r.log.Warn("too many bad credentials, further ones are not looked at for a while",
			"group", group, "username", c.name(), "address", c.Address.String())
	}
}

// busy is the refusal when a password was not checked because of err.
func busy(err error) error {
	return refuse(textBusy, fmt.Errorf("%w: %w", ErrBusy, err))
}
