package turnserver

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
)

func TestCredentialsAreGoodForATime(t *testing.T) {
	t.Parallel()
	c := credentials{secret: "north"}
	now := time.Unix(1700000000, 0)
	username, password := c.issue("ada", now)
	tests := []struct {
		name     string
		username string
		method   stun.Method
		after    time.Duration
		want     bool
	}{
		{"at once", username, stun.MethodAllocate, 0, true},
		{"shortly before the end", username, stun.MethodAllocate, credentialLifetime - time.Second, true},
		{"at the end", username, stun.MethodAllocate, credentialLifetime, false},
		{"refreshing goes on", username, stun.MethodRefresh, credentialLifetime, true},
		{"permissions too", username, stun.MethodCreatePermission, credentialLifetime, true},
		{"channels too", username, stun.MethodChannelBind, credentialLifetime, true},
		{"not for ever", username, stun.MethodRefresh, credentialLifetime + refreshLifetime, false},
		{"no expiry", "ada", stun.MethodAllocate, 0, false},
		{"no name", "1800000000", stun.MethodAllocate, 0, false},
		{"a bad expiry", "1e9:ada", stun.MethodAllocate, 0, false},
		{"an expiry that is too large", "99999999999999999999:ada", stun.MethodAllocate, 0, false},
		{"a separator", "1800000000:a|b", stun.MethodAllocate, 0, false},
		{"very long", "1800000000:" + strings.Repeat("a", maxUsername), stun.MethodAllocate, 0, false},
		{"empty", "", stun.MethodAllocate, 0, false},
	}
	for _, tt := range tests {
		id, key, ok := c.check(tt.username, tt.method, now.Add(tt.after))
		if ok != tt.want {
			t.Errorf("%s: check(%q) = %v, want %v", tt.name, tt.username, ok, tt.want)
		}
		if ok && (!bytes.Equal(key, turn.GenerateAuthKey(username, realm, password)) || id == "" || strings.Contains(id, "ada")) {
			t.Errorf("%s: check(%q) = id %q, key %x, want the key of the password", tt.name, tt.username, id, key)
		}
	}
}

// Another implementation of the scheme, with the same secret, makes credentials
// that are accepted.
func TestCredentialsFollowTheCommonScheme(t *testing.T) {
	t.Parallel()
	c := credentials{secret: "north"}
	username, password, err := turn.GenerateLongTermTURNRESTCredentials("north", "bob", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	id, key, ok := c.check(username, stun.MethodAllocate, time.Now())
	if !ok || id != "bob" || !bytes.Equal(key, turn.GenerateAuthKey(username, realm, password)) {
		t.Errorf("check(%q) = %q, %x, %v, want bob and the key of %q", username, id, key, ok, password)
	}
}

func TestEachClientHasItsOwnCredentials(t *testing.T) {
	t.Parallel()
	c := credentials{secret: "north"}
	now := time.Unix(1700000000, 0)
	seen := make(map[string]string)
	for _, name := range []string{"", "ada", "bob", "server", "a:b|c", strings.Repeat("x", 10000)} {
		username, password := c.issue(name, now)
		if len(username) > maxUsername {
			t.Errorf("user name %q is too long for the server itself", username)
		}
		if _, _, ok := c.check(username, stun.MethodAllocate, now); !ok {
			t.Errorf("the credentials of %.20q are refused", name)
		}
		if other, ok := seen[username]; ok {
			t.Errorf("clients %.20q and %.20q have the same user name", name, other)
		}
		seen[username] = name
		if _, other := (credentials{secret: "south"}).issue(name, now); other == password {
			t.Errorf("the password of %.20q does not depend on the secret", name)
		}
	}
	if a, b := New(Options{Log: discard()}), New(Options{Log: discard()}); a.credentials == b.credentials {
		t.Error("two servers have the same secret")
	}
}

func TestUserSurvivesItsText(t *testing.T) {
	t.Parallel()
	for _, u := range []user{
		newUser("ada", netip.MustParseAddr("192.0.2.1")),
		newUser("bob", netip.MustParseAddr("2001:db8::1")),
	} {
		if got, ok := parseUser(u.String()); !ok || got != u {
			t.Errorf("parseUser(%q) = %v, %v, want %v", u, got, ok, u)
		}
	}
	for _, s := range []string{"", "ada", "ada|", "ada|host"} {
		if got, ok := parseUser(s); ok {
			t.Errorf("parseUser(%q) = %v, want a refusal", s, got)
		}
	}
}
