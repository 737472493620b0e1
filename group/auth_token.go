package group

import (
	"errors"
	"net/url"
	"time"

	"galene/config"
	"galene/token"
)

// bearer finds out who has the token in c, for the group called group, which d
// defines. If the token leaves the name open, needName asks for one to be
// chosen.
//
// What has the form of a JSON Web Token is one, and nothing else.
func (r *Registry) bearer(group string, d *Description, c Credentials, needName bool) (identity, error) {
	if token.LooksLikeJWT(c.Token) {
		return r.byJWT(group, d, c)
	}
	t, err := r.stored(c.Token)
	if err != nil {
		return identity{}, err
	}
	if t.Username == nil && c.Username == nil && needName {
		return identity{}, needUsername()
	}
	if err := usable(t, group); err != nil {
		return identity{}, err
	}
	name, err := chooseName(d, t.Username, c.Username, needName)
	if err != nil {
		return identity{}, err
	}
	return identity{username: name, permissions: NewPermissions(t.Permissions...), token: t}, nil
}

// stored returns the stateful token called name.
func (r *Registry) stored(name string) (*token.Token, error) {
	if r.tokens == nil {
		return nil, notAuthorised(errors.New("unknown token"))
	}
	t, err := r.tokens.Get(name)
	switch {
	case errors.Is(err, token.ErrNotExist):
		return nil, notAuthorised(errors.New("unknown token"))
	case err != nil:
		return nil, refuse(textInternal, err)
	default:
		return t, nil
	}
}

// usable returns an error unless t can be used for the group now.
func usable(t *token.Token, group string) error {
	if !t.Covers(group) {
		return notAuthorised(errors.New("token for another group"))
	}
	if err := t.Valid(time.Now()); err != nil {
		return notAuthorised(err)
	}
	return nil
}

// byJWT finds out who has the JSON Web Token in c. Whoever signs tokens for a
// group may call their bearers as they like, users of the group included.
func (r *Registry) byJWT(group string, d *Description, c Credentials) (identity, error) {
	audience := token.Audience{Group: group, Hosts: r.hosts()}
	claims, err := token.VerifyJWT(c.Token, d.keys, audience, time.Now())
	if err != nil {
		return identity{}, notAuthorised(err)
	}
	if len(audience.Hosts) == 0 && !r.warned.Swap(true) {
		r.log.Warn("tokens are taken whatever host they are for: " +
			"set canonicalHost if other servers share keys with this one")
	}
	permissions := NewPermissions(claims.Permissions...)
	if claims.PermissionSet != "" {
		set, err := config.NamedSet(claims.PermissionSet)
		if err != nil {
			return identity{}, notAuthorised(err)
		}
		permissions = d.permissions(config.User{Permissions: &set})
	}
	name, err := chooseName(d, claims.Subject, c.Username, false)
	if err != nil {
		return identity{}, err
	}
	return identity{username: name, permissions: permissions}, nil
}

// hosts lists the names under which users know this server; none if it has not
// been told.
func (r *Registry) hosts() []string {
	settings := r.settings()
	var hosts []string
	if settings.CanonicalHost != "" {
		hosts = append(hosts, settings.CanonicalHost)
	}
	if proxy, err := url.Parse(settings.ProxyURL); err == nil && proxy.Host != "" {
		hosts = append(hosts, proxy.Host)
	}
	return hosts
}

// chooseName returns the username of a token's bearer: the token's own, unless
// that is empty; else the one that was chosen, which must not be a user's; else
// none.
func chooseName(d *Description, fixed, chosen *string, needName bool) (string, error) {
	var name string
	switch {
	case fixed != nil && *fixed != "":
		name = *fixed
	case chosen != nil:
		name = *chosen
		if _, ok := d.Users[name]; ok {
			return "", &JoinError{ID: idNameTaken, Text: textNameTaken}
		}
	}
	if !validUsername(name) {
		return "", notAuthorised(errors.New("invalid username"))
	}
	if name == "" && needName && !d.anonymous() {
		return "", needUsername()
	}
	return name, nil
}

func needUsername() error {
	return &JoinError{ID: idNeedUsername, Text: textNeedUsername}
}

// readKeys reads the keys that verify tokens. One that cannot be used is left
// out, and the others are not affected.
func (d *Description) readKeys() {
	for i, raw := range d.AuthKeys {
		key, err := token.ParseKey(raw)
		if err != nil {
			d.warn("authKeys[%d] is left out: %v", i, err)
			continue
		}
		for _, warning := range key.Warnings() {
			d.warn("authKeys[%d]: %s", i, warning)
		}
		d.keys = append(d.keys, key)
	}
}
