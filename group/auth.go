package group

import (
	"context"
	"errors"

	"galene/config"
	"galene/password"
)

// Credentials are what somebody offers who wants to join.
type Credentials struct {
	Username *string // nil if none was given
	Password string
	Token    string // if not empty, the password does not count
}

// identity is who somebody is found to be, and what they may do.
type identity struct {
	username    string
	permissions Permissions
}

// authorise finds out who offers c to the group defined by d. It may take long,
// and no lock may be held. The error is a [*JoinError] or ctx's.
func (r *Registry) authorise(ctx context.Context, group string, d *Description, c Credentials) (identity, error) {
	if c.Token != "" {
		return r.authoriseToken(c.Token)
	}
	if c.Username == nil {
		return identity{}, refuse(textNoCredentials, nil)
	}
	name := *c.Username
	if name == "" && d.AllowAnonymous != nil && !*d.AllowAnonymous {
		return identity{}, notAuthorised(errors.New("anonymous users are not allowed"))
	}
	if name != "" && !ValidName(name) {
		return identity{}, notAuthorised(errors.New("invalid username"))
	}
	user, err := r.matchPassword(ctx, group, d, name, c.Password)
	if err != nil {
		return identity{}, err
	}
	return identity{username: name, permissions: d.permissions(user)}, nil
}

// authoriseToken refuses all tokens: nothing stores or verifies them.
func (r *Registry) authoriseToken(string) (identity, error) {
	return identity{}, notAuthorised(errors.New("unknown token"))
}

// matchPassword returns the user description whose password is the one offered
// by somebody called name. What is wrong with a named user's entry is an error
// of the server; other entries that cannot be used match nobody.
//
// A refusal costs as much as checking the group's dearest password, whether
// there is such a user or not.
func (r *Registry) matchPassword(
	ctx context.Context, group string, d *Description, name, offered string,
) (config.User, error) {
	candidates, named := candidates(d, name)
	var spent uint64
	for _, user := range candidates {
		if user.Password == nil {
			continue
		}
		ok, err := r.check(ctx, user.Password, offered)
		switch {
		case ok:
			return user, nil
		case err == nil:
			spent += user.Password.Work()
		case !errors.Is(err, password.ErrUnusable):
			return config.User{}, checkFailed(ctx, err)
		case named:
			return config.User{}, refuse(textInternal, err)
		default:
			r.log.Warn("user description matches nobody", "group", group, "error", err)
		}
	}
	if spent < d.decoy.Work() {
		if _, err := r.check(ctx, d.decoy, offered); err != nil {
			return config.User{}, checkFailed(ctx, err)
		}
	}
	return config.User{}, notAuthorised(errors.New("wrong password or unknown user"))
}

// candidates lists the user descriptions that may be somebody's called name;
// named tells that the one in the list is that user's own.
func candidates(d *Description, name string) (users []config.User, named bool) {
	if user, ok := d.Users[name]; ok {
		return []config.User{user}, true
	}
	users = append(users, d.FallbackUsers...)
	if d.WildcardUser != nil {
		users = append(users, *d.WildcardUser)
	}
	return users, false
}

// checkFailed turns the error of a check that did not come about into Join's.
func checkFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return refuse(textBusy, err)
}
