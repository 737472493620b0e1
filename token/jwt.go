package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// leeway is how far the clock of an issuer may be off.
	leeway = 5 * time.Second
	// maxJWTBytes bounds a token, and maxCandidates the keys that are tried.
	maxJWTBytes   = 16 << 10
	maxCandidates = 16
	// maxDate is the end of the year 9999, in seconds: what lies beyond is no
	// date, and would not fit the clock's numbers.
	maxDate = 253402300799
)

// ErrJWT is wrapped by all errors of [VerifyJWT].
var ErrJWT = errors.New("token: JSON Web Token refused")

// Claims are what a verified JSON Web Token says.
type Claims struct {
	// Subject is the user's name; nil if there is none.
	Subject *string
	// Permissions are those given one by one; PermissionSet is the name of a
	// set of them. At most one of the two is not empty.
	Permissions   []string
	PermissionSet string
	// IncludeSubgroups says that the token may be for a group above.
	IncludeSubgroups bool
}

// Audience is whom a token has to be for: the URL of a group's page.
type Audience struct {
	// Group is the group's name.
	Group string
	// Hosts are the server's names, with a port unless it is the default one.
	// If there is none, tokens for any server are taken, and so are those that
	// name no server.
	Hosts []string
}

// LooksLikeJWT reports whether s has the form of a JSON Web Token in compact
// serialisation (RFC 7515 §7.1): three parts in base64url, of which the first
// two are JSON objects.
func LooksLikeJWT(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return false
	}
	for i, part := range parts {
		decoded, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			return false
		}
		var object map[string]json.RawMessage
		if i < 2 && (json.Unmarshal(decoded, &object) != nil || object == nil) {
			return false
		}
	}
	return true
}

// VerifyJWT checks that one of keys has signed s, and that s is for audience at
// the time now. Its errors wrap [ErrJWT] and do not repeat s.
//
// Only keys for the algorithm that the token's header names are tried, and if it
// has a kid, only keys of that kid.
func VerifyJWT(s string, keys []*Key, audience Audience, now time.Time) (*Claims, error) {
	if len(s) > maxJWTBytes {
		return nil, refused("it is too long")
	}
	if !LooksLikeJWT(s) {
		return nil, refused("it is malformed")
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods(algorithmNames()),
		jwt.WithLeeway(leeway),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
	claims := jwt.MapClaims{}
	_, err := parser.ParseWithClaims(s, claims, func(t *jwt.Token) (any, error) {
		return candidates(t.Header, keys)
	})
	if err != nil {
		return nil, refused(reason(err))
	}
	return readClaims(claims, audience)
}

func refused(reason string) error { return fmt.Errorf("%w: %s", ErrJWT, reason) }

// reason says what err means, in words of our own: a library's may repeat what
// the token says.
func reason(err error) string {
	reasons := []struct {
		err    error
		reason string
	}{
		{errNoKey, "no key for its alg and kid"},
		{errCritical, "its header has critical extensions"},
		{errHeader, "its header is malformed"},
		{jwt.ErrTokenMalformed, "it is malformed"},
		{jwt.ErrTokenSignatureInvalid, "its signature is wrong, or of a kind that is not supported"},
		{jwt.ErrTokenUnverifiable, "its alg is not supported"},
		{jwt.ErrTokenRequiredClaimMissing, "exp is missing"},
		{jwt.ErrTokenExpired, "it has expired"},
		{jwt.ErrTokenNotValidYet, "it is not valid yet"},
		{jwt.ErrTokenUsedBeforeIssued, "it was issued in the future"},
	}
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.reason
		}
	}
	return "a claim is of the wrong type"
}

var (
	errNoKey    = errors.New("no key")
	errCritical = errors.New("critical header")
	errHeader   = errors.New("bad header")
)

// candidates returns the keys that may have signed a token with this header.
func candidates(header map[string]any, keys []*Key) (jwt.VerificationKeySet, error) {
	var set jwt.VerificationKeySet
	if _, ok := header["crit"]; ok {
		return set, errCritical // RFC 7515 §4.1.11
	}
	alg, ok := header["alg"].(string)
	if !ok {
		return set, errHeader
	}
	var kid *string
	if value, ok := header["kid"]; ok {
		text, ok := value.(string)
		if !ok {
			return set, errHeader
		}
		kid = &text
	}
	for _, k := range keys {
		if k.fits(alg, kid) && len(set.Keys) < maxCandidates {
			set.Keys = append(set.Keys, k.verifier)
		}
	}
	if len(set.Keys) == 0 {
		return set, errNoKey
	}
	return set, nil
}

func algorithmNames() []string {
	var names []string
	for _, a := range algorithms() {
		names = append(names, a.name)
	}
	return names
}

// readClaims checks the claims that the library does not know.
func readClaims(m jwt.MapClaims, audience Audience) (*Claims, error) {
	var claims Claims
	for _, name := range []string{"exp", "nbf", "iat"} {
		if date, ok := m[name].(float64); ok && (date > maxDate || date < -maxDate) {
			return nil, refused(name + " is no date")
		}
	}
	if sub, ok := m["sub"]; ok {
		name, ok := sub.(string)
		if !ok {
			return nil, refused("sub is not a string")
		}
		claims.Subject = &name
	}
	switch permissions := m["permissions"].(type) {
	case nil:
	case string:
		if permissions == "" {
			return nil, refused("permissions is empty")
		}
		claims.PermissionSet = permissions
	case []any:
		for _, p := range permissions {
			text, ok := p.(string)
			if !ok {
				return nil, refused("permissions is not an array of strings")
			}
			if text != reserved {
				claims.Permissions = append(claims.Permissions, text)
			}
		}
	default:
		return nil, refused("permissions is neither a string nor an array")
	}
	claims.IncludeSubgroups, _ = m["include-subgroups"].(bool)
	urls, err := m.GetAudience()
	if err != nil {
		return nil, refused("aud is neither a string nor an array of them")
	}
	if !slices.ContainsFunc(urls, func(u string) bool { return audience.includes(u, claims.IncludeSubgroups) }) {
		return nil, refused("it is for somebody else")
	}
	return &claims, nil
}

// includes reports whether the URL of a group's page is the audience's, or of a
// group above if subgroups are included. Only host and path count.
func (a Audience) includes(text string, subgroups bool) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	if len(a.Hosts) > 0 && !slices.ContainsFunc(a.Hosts, func(host string) bool {
		return strings.EqualFold(host, u.Host)
	}) {
		return false
	}
	own := "/group/" + a.Group + "/"
	if !subgroups {
		return u.Path == own
	}
	return strings.HasPrefix(u.Path, "/group/") && strings.HasSuffix(u.Path, "/") &&
		strings.HasPrefix(own, u.Path)
}
