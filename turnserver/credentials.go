package turnserver

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the scheme of time-limited TURN credentials
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"galene/netaddr"
)

// realm is part of what a client hashes its password with.
const realm = "galene.org"

// serverID stands for the server's own connections; it is shorter than those of
// clients, so that no client has it.
const serverID = "server"

// credentials makes and checks time-limited credentials. It is immutable.
//
// A user name is "expiry:id", where the expiry is in seconds of Unix time, and a
// password is the user name's keyed hash.
type credentials struct {
	secret string
}

// issue returns what client identifies itself with from now on. The server's own
// connections are those of the empty client.
func (c credentials) issue(client string, now time.Time) (username, password string) {
	id := serverID
	if client != "" {
		hash := sha256.Sum256([]byte(client))
		id = base64.RawURLEncoding.EncodeToString(hash[:9])
	}
	username = strconv.FormatInt(now.Add(credentialLifetime).Unix(), 10) + ":" + id
	return username, c.password(username)
}

func (c credentials) password(username string) string {
	mac := hmac.New(sha1.New, []byte(c.secret))
	mac.Write([]byte(username))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// check returns whose user name this is, and the key of its password, which the
// request has to be authenticated with. It refuses those that have expired.
func (c credentials) check(username string, method stun.Method, now time.Time) (id string, key []byte, ok bool) {
	expiry, id, found := strings.Cut(username, ":")
	seconds, err := strconv.ParseInt(expiry, 10, 64)
	if !found || err != nil || len(username) > maxUsername || strings.Contains(id, userSeparator) {
		return "", nil, false
	}
	end := time.Unix(seconds, 0)
	if method != stun.MethodAllocate {
		end = end.Add(refreshLifetime)
	}
	if !now.Before(end) {
		return "", nil, false
	}
	return id, turn.GenerateAuthKey(username, realm, c.password(username)), true
}

// user is whom allocations are counted for.
type user struct {
	id     string
	source netip.Addr // as [netaddr.Source] has it
}

// userSeparator separates the parts of a user's text.
const userSeparator = "|"

func newUser(id string, address netip.Addr) user {
	return user{id, netaddr.Source(address)}
}

// String returns what parseUser reads. Pion keeps it with the allocation.
func (u user) String() string { return u.id + userSeparator + u.source.String() }

// parseUser is the inverse of String; it reports false for texts that are not
// its result.
func parseUser(s string) (user, bool) {
	id, source, ok := strings.Cut(s, userSeparator)
	address, err := netip.ParseAddr(source)
	return user{id, address}, ok && err == nil
}
