package webserver

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"galene/group"
)

// retryAfter is how long those should wait whose credentials are not looked at
// because there were too many bad ones.
const retryAfter = 30 * time.Second

// credentialsOf returns what a request offers: a token (RFC 6750 §2.1), or else
// a username and a password (RFC 7617); nothing if there is neither.
func credentialsOf(r *http.Request) group.Credentials {
	c := group.Credentials{Address: group.ParseAddress(r.RemoteAddr)}
	if token := bearerToken(r.Header); token != "" {
		c.Token = token
		return c
	}
	c.Username, c.Password = basicCredentials(r)
	return c
}

// basicCredentials returns the username and the password in a request; the
// username is nil if there are none.
func basicCredentials(r *http.Request) (username *string, password string) {
	name, password, ok := r.BasicAuth()
	if !ok {
		return nil, ""
	}
	return &name, password
}

// bearerToken returns the token in a header, empty if there is none. Several
// credentials may be given, separated by commas.
func bearerToken(header http.Header) string {
	const scheme = "bearer "
	for _, value := range header.Values("Authorization") {
		for part := range strings.SplitSeq(value, ",") {
			part = strings.TrimSpace(part)
			if len(part) > len(scheme) && strings.EqualFold(part[:len(scheme)], scheme) {
				return strings.TrimSpace(part[len(scheme):])
			}
		}
	}
	return ""
}

// refuse replies to bad credentials, for err as of [group.Registry.Authenticate].
// challenges say what would do instead. It reports whether that was all there
// is to say; otherwise err is not about the credentials.
func refuse(w http.ResponseWriter, err error, challenges ...string) bool {
	switch {
	case errors.Is(err, group.ErrBusy):
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
		http.Error(w, "too many attempts, try again later", http.StatusTooManyRequests)
	case errors.Is(err, group.ErrUnauthorised), errors.Is(err, group.ErrNotFound), errors.Is(err, group.ErrInvalidName):
		for _, challenge := range challenges {
			w.Header().Add("WWW-Authenticate", challenge)
		}
		http.Error(w, "not authorised", http.StatusUnauthorized)
	default:
		return false
	}
	return true
}
