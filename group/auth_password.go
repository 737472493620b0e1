package group

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"galene/config"
	"galene/password"
)

const (
	// loginTimeout bounds how long somebody waits for a password to be checked.
	loginTimeout = 20 * time.Second
	// maxDecoys bounds the different costs that every refusal has to amount
	// to; the dearest count.
	maxDecoys = 8
)

// login is one check of a password against the descriptions of users. Whatever
// is refused takes the same computations: those for the wrong password of a
// user are made up to those for a user that does not exist, and the other way
// round.
type login struct {
	registry        *Registry
	group, username string
	offered         string
	spent           map[password.Cost]int // computations so far
	deadline        time.Time
}

// newLogin returns a login that ends in time.
func newLogin(r *Registry, group string, c Credentials) *login {
	return &login{
		registry: r, group: group, username: c.name(), offered: c.Password,
		spent:    make(map[password.Cost]int),
		deadline: time.Now().Add(loginTimeout),
	}
}

// try returns the first of users whose password is the one offered. What is
// wrong with a named user's entry is an error of the server; other entries that
// cannot be used match nobody.
func (l *login) try(ctx context.Context, users []config.User, named bool) (config.User, bool, error) {
	if len(l.offered) > maxPasswordBytes {
		return config.User{}, false, nil
	}
	for _, user := range users {
		if user.Password == nil {
			continue
		}
		ok, err := l.check(ctx, user.Password)
		switch {
		case ok:
			return user, true, nil
		case err == nil:
		case !errors.Is(err, password.ErrUnusable):
			return config.User{}, false, err
		case named:
			return config.User{}, false, refuse(textInternal, err)
		default:
			l.registry.log.Warn("user description matches nobody", "group", l.group, "error", err)
		}
	}
	return config.User{}, false, nil
}

// check compares the password offered with p. The error is a [*JoinError],
// ctx's, or wraps [password.ErrUnusable].
func (l *login) check(ctx context.Context, p *password.Password) (bool, error) {
	limited := ctx
	if cost := p.Cost(); cost != (password.Cost{}) {
		l.spent[cost]++
		var cancel context.CancelFunc
		limited, cancel = context.WithDeadline(ctx, l.deadline)
		defer cancel()
	}
	ok, err := l.registry.check(limited, p, l.offered[:min(len(l.offered), maxPasswordBytes)])
	switch {
	case err == nil || errors.Is(err, password.ErrUnusable):
		return ok, err
	case ctx.Err() != nil:
		return false, ctx.Err()
	default:
		return false, busy(err)
	}
}

// refuse makes the login cost what every refusal does, and returns the refusal.
func (l *login) refuse(ctx context.Context, all decoys) error {
	for _, d := range all {
		for range d.times - l.spent[d.password.Cost()] {
			if _, err := l.check(ctx, d.password); err != nil && !errors.Is(err, password.ErrUnusable) {
				return err
			}
		}
	}
	return notAuthorised(errors.New("wrong password or unknown user"))
}

// decoy is a password that is checked so and so often on a refusal.
type decoy struct {
	password *password.Password
	times    int
}

// decoys are of different costs, and make the cost of a refusal.
type decoys []decoy

// decoys lists what a refusal costs in the group defined by d: for each cost
// the computations that the worst username takes.
func (d *Description) decoys() decoys {
	most := make(map[password.Cost]decoy)
	for _, user := range d.unnamed() {
		count(most, user.Password, 1)
	}
	for _, user := range d.Users {
		if _, ok := most[user.Password.Cost()]; !ok {
			count(most, user.Password, 1)
		}
	}
	return dearest(most)
}

// plus is what a refusal costs that takes both.
func (all decoys) plus(others decoys) decoys {
	sum := make(map[password.Cost]decoy)
	for _, d := range slices.Concat(all, others) {
		count(sum, d.password, d.times)
	}
	return dearest(sum)
}

// count adds computations, unless they take no time.
func count(sum map[password.Cost]decoy, p *password.Password, times int) {
	if cost := p.Cost(); cost != (password.Cost{}) {
		sum[cost] = decoy{p, sum[cost].times + times}
	}
}

// dearest returns those of highest cost.
func dearest(sum map[password.Cost]decoy) decoys {
	all := slices.SortedFunc(maps.Values(sum), func(a, b decoy) int {
		return cmp.Compare(b.password.Work(), a.password.Work())
	})
	return all[:min(len(all), maxDecoys)]
}
