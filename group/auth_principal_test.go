package group

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"galene/config"
	"galene/password"
	"galene/token"
)

// user is a user description with a password in clear text.
func user(secret, permissions string) config.User {
	p := password.Plain(secret)
	u := config.User{Password: &p, Permissions: new(config.Grants)}
	if err := u.Permissions.UnmarshalJSON([]byte(permissions)); err != nil {
		panic(err)
	}
	return u
}

func TestAuthenticateTellsWhoAsks(t *testing.T) {
	t.Parallel()
	m := newMint()
	b := newBank(t, map[string]string{
		"g": `{"auto-subgroups":true,"allow-recording":true,"authKeys":[` + m.key() + `],"expires":"2000-01-01T00:00:00Z",
			"users":{"op":{"password":"secret","permissions":"op"},"chief":{"password":"secret","permissions":"admin"},
				"root":{"password":"mine","permissions":"present"},"open":{"password":{"type":"wildcard"},"permissions":"message"},
				"empty":{"password":"","permissions":"message"},"broken":{"password":{"type":"rot13"}}},
			"wildcard-user":{"password":"guest","permissions":"present"}}`,
		"bad": `{"bogus":1}`,
	})
	broken := user("x", `"admin"`)
	broken.Password = new(password.Password)
	if err := broken.Password.UnmarshalJSON([]byte(`{"type":"rot13"}`)); err != nil {
		t.Fatal(err)
	}
	b.settings = &config.Settings{CanonicalHost: "galene.example", Users: map[string]config.User{
		"root": user("rootsecret", `"admin"`), "raw": user("rawsecret", `["admin","op"]`),
		"nobody": user("nosecret", `"op"`), "op": broken,
	}}
	b.put(token.Token{Token: "server", IncludeSubgroups: true, Permissions: []string{"admin"}})
	b.put(token.Token{Token: "server-named", IncludeSubgroups: true, Permissions: []string{"admin"}, Username: new("ann")})
	b.put(token.Token{Token: "server-shallow", Permissions: []string{"admin"}})
	b.put(token.Token{Token: "server-op", IncludeSubgroups: true, Permissions: []string{"op"}})
	b.put(token.Token{Token: "server-expired", IncludeSubgroups: true, Permissions: []string{"admin"}, Expires: later(-time.Hour)})
	b.put(token.Token{Token: "group", Group: "g", Permissions: []string{"admin"}})
	b.put(token.Token{Token: "taken", Group: "g", Username: new("op"), Permissions: []string{"record"}})
	b.put(token.Token{Token: "other", Group: "h", Permissions: []string{"admin"}})
	b.put(token.Token{Token: "expired", Group: "g", Permissions: []string{"admin"}, Expires: later(-time.Hour)})

	type m2 = map[string]any
	global := m.sign(t, m2{"aud": "https://galene.example/group/", "include-subgroups": true, "permissions": "admin"})
	tests := []struct {
		name, group        string
		username, password string // no username if it is "-"
		token              string
		want               string // an error's text, or who it is
	}{
		{"nothing given", "g", "-", "", "", ErrUnauthorised.Error()},
		{"server's administrator on the server", "", "root", "rootsecret", "", `"root" in "" [admin] server own`},
		{"by a list of permissions", "", "raw", "rawsecret", "", `"raw" in "" [admin] server own`},
		{"in a group", "g", "root", "rootsecret", "", `"root" in "" [admin] server own`},
		{"in a group that does not exist", "none", "root", "rootsecret", "", `"root" in "" [admin] server own`},
		{"in a group that is faulty", "bad", "root", "rootsecret", "", `"root" in "" [admin] server own`},
		{"user of the same name", "g", "root", "mine", "", `"root" in "g" [present message] own`},
		{"on the server by the group's password", "", "root", "mine", "", ErrUnauthorised.Error()},
		{"without the permission", "", "nobody", "nosecret", "", ErrUnauthorised.Error()},
		{"without the permission in a group", "g", "nobody", "nosecret", "", ErrUnauthorised.Error()},
		{"wrong password", "", "root", "x", "", ErrUnauthorised.Error()},
		{"unusable password on the server", "", "op", "x", "", ErrUnauthorised.Error()},
		{"but a good one in a group", "g", "op", "secret", "", `"op" in "g" [record op present message caption token] own`},
		{"group's administrator", "g", "chief", "secret", "", `"chief" in "g" [admin] own`},
		{"of another group", "none", "chief", "secret", "", ErrNotFound.Error()},
		{"on the server", "", "chief", "secret", "", ErrUnauthorised.Error()},
		{"wildcard user", "g", "ann", "guest", "", `"ann" in "g" [present message]`},
		{"anonymous", "g", "", "guest", "", `"" in "g" [present message]`},
		{"password of no use", "g", "open", "anything", "", `"open" in "g" [message]`},
		{"empty password", "g", "empty", "", "", `"empty" in "g" [message]`},
		{"bad username", "g", "a//b", "guest", "", ErrUnauthorised.Error()},
		{"subgroup", "g/sub", "op", "secret", "", `"op" in "g/sub" [record op present message caption token] own`},
		{"no group", "none", "op", "secret", "", ErrNotFound.Error()},
		{"no group's name", "a//b", "op", "secret", "", ErrInvalidName.Error()},

		{"global token", "", "-", "", "server", `"" in "" [admin] server token`},
		{"global token with a name", "", "-", "", "server-named", `"ann" in "" [admin] server token`},
		{"global token in a group", "g", "-", "", "server", `"" in "" [admin] server token`},
		{"global token where there is no group", "none", "-", "", "server", `"" in "" [admin] server token`},
		{"token without subgroups", "", "-", "", "server-shallow", ErrUnauthorised.Error()},
		{"token that is not an administrator's", "", "-", "", "server-op", ErrUnauthorised.Error()},
		{"the same in a group", "g", "-", "", "server-op", `"" in "g" [op] token`},
		{"the same where there is no group", "none", "-", "", "server-op", ErrNotFound.Error()},
		{"expired global token", "", "-", "", "server-expired", ErrUnauthorised.Error()},
		{"expired global token in a group", "g", "-", "", "server-expired", ErrUnauthorised.Error()},
		{"group's token without a name", "g", "-", "", "group", `"" in "g" [admin] token`},
		{"group's token on the server", "", "-", "", "group", ErrUnauthorised.Error()},
		{"group's token elsewhere", "g/sub", "-", "", "group", ErrUnauthorised.Error()},
		{"token with a user's name", "g", "-", "", "taken", `"op" in "g" [record] token`},
		{"another group's token", "g", "-", "", "other", ErrUnauthorised.Error()},
		{"expired token", "g", "-", "", "expired", ErrUnauthorised.Error()},
		{"unknown token", "g", "-", "", "x", ErrUnauthorised.Error()},
		{"unknown token, good password", "g", "op", "secret", "x", ErrUnauthorised.Error()},
		{"signed token", "g", "-", "", m.sign(t, m2{"permissions": "admin"}), `"john" in "g" [admin]`},
		{"signed token without a name", "g", "-", "", m.sign(t, m2{"sub": nil}), `"" in "g" [present]`},
		{"signed token for every group", "g", "-", "", global, `"john" in "g" [admin]`},
		{"signed token on the server", "", "-", "", global, ErrUnauthorised.Error()},
	}
	for _, tt := range tests {
		c := Credentials{Password: tt.password, Token: tt.token}
		if tt.username != "-" {
			c.Username = &tt.username
		}
		p, err := b.Authenticate(t.Context(), tt.group, c)
		got := fmt.Sprint(err)
		if err == nil {
			got = fmt.Sprintf("%q in %q %v", p.Username, p.Group, p.Permissions.List())
			for word, is := range map[string]bool{" server": p.ServerAdmin} {
				if is {
					got += word
				}
			}
			if p.OwnPassword {
				got += " own"
			}
			if p.Token != nil {
				got += " token"
			}
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	for group, username := range map[string]string{"bad": "op", "g": "broken"} {
		_, err := b.Authenticate(t.Context(), group, Credentials{Username: &username})
		if err == nil || errors.Is(err, ErrUnauthorised) || errors.Is(err, ErrNotFound) {
			t.Errorf("%s in group %s: %v, want what is wrong with the definition", username, group, err)
		}
	}
	if got := len(b.all()); got != 0 {
		t.Errorf("asking has made %d groups", got)
	}
}

func TestAuthenticateGivesUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"g": ops})
	c := Credentials{Username: new("op"), Password: "secret"}
	h.check = func(context.Context, *password.Password, string) (bool, error) { return false, password.ErrBusy }
	if _, err := h.Authenticate(t.Context(), "g", c); !errors.Is(err, ErrBusy) {
		t.Errorf("on a busy server: %v, want ErrBusy", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.check = func(ctx context.Context, _ *password.Password, _ string) (bool, error) { return false, ctx.Err() }
	if _, err := h.Authenticate(ctx, "g", c); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v, want context.Canceled", err)
	}
}

func TestUsersOfAGroupAreNotItsAdministrators(t *testing.T) {
	t.Parallel()
	settings := new(config.Settings)
	if err := json.Unmarshal([]byte(`{"root": {"password": "root's", "permissions": "admin"}}`), &settings.Users); err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	definition := `{"allow-recording": true, "users": {"ada": {"password": "ada's", "permissions": "op"},
		"root": {"password": "guest's", "permissions": "present"}}}`
	if err := os.WriteFile(filepath.Join(directory, "g.json"), []byte(definition), 0o600); err != nil {
		t.Fatal(err)
	}
	r := NewRegistry(Options{Directory: directory, Settings: func() *config.Settings { return settings }})
	tests := []struct {
		group, username, password string
		record                    bool
		err                       error
	}{
		{"g", "ada", "ada's", true, nil},
		{"g", "root", "guest's", false, nil},
		{"g", "ada", "wrong", false, ErrUnauthorised},
		{"g", "root", "root's", false, ErrUnauthorised},
		{"other", "ada", "ada's", false, ErrNotFound},
		{"x\\y", "ada", "ada's", false, ErrInvalidName},
	}
	for _, tt := range tests {
		p, err := r.AuthenticateUser(t.Context(), tt.group, Credentials{Username: &tt.username, Password: tt.password})
		if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
			t.Errorf("%s in %q: %v, want %v", tt.username, tt.group, err, tt.err)
			continue
		}
		if err == nil && (p.ServerAdmin || p.Group != tt.group || p.Permissions.Has(PermissionRecord) != tt.record) {
			t.Errorf("%s in %q: %+v", tt.username, tt.group, *p)
		}
	}
	if _, err := r.AuthenticateUser(t.Context(), "g", Credentials{}); !errors.Is(err, ErrUnauthorised) {
		t.Errorf("nobody: %v, want %v", err, ErrUnauthorised)
	}
}
