package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// signer signs tokens with one algorithm.
type signer struct {
	method  jwt.SigningMethod
	private any
	jwk     map[string]any
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func symmetric(method *jwt.SigningMethodHMAC, size int) signer {
	secret := random(size)
	return signer{method, secret, map[string]any{"kty": "oct", "alg": method.Name, "k": b64(secret)}}
}

func elliptical(tb testing.TB, method *jwt.SigningMethodECDSA, curve elliptic.Curve) signer {
	tb.Helper()
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	half := (len(point) - 1) / 2
	return signer{method, private, map[string]any{
		"kty": "EC", "alg": method.Name, "crv": curve.Params().Name,
		"x": b64(point[1 : 1+half]), "y": b64(point[1+half:]),
	}}
}

// rsaPrivate is made once, since that takes long.
var rsaPrivate = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func rsaSigner(tb testing.TB) signer {
	tb.Helper()
	private, err := rsaPrivate()
	if err != nil {
		tb.Fatal(err)
	}
	return signer{jwt.SigningMethodRS256, private, map[string]any{
		"kty": "RSA", "alg": "RS256", "n": b64(private.N.Bytes()), "e": b64(big.NewInt(int64(private.E)).Bytes()),
	}}
}

func edwards(tb testing.TB) signer {
	tb.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return signer{jwt.SigningMethodEdDSA, private, map[string]any{
		"kty": "OKP", "alg": "EdDSA", "crv": "Ed25519", "x": b64(public),
	}}
}

// key is the signer's key with some members changed; nil removes one.
func (s signer) key(tb testing.TB, changes map[string]any) *Key {
	tb.Helper()
	k, err := ParseKey(s.encode(tb, changes))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func (s signer) encode(tb testing.TB, changes map[string]any) json.RawMessage {
	tb.Helper()
	return encode(tb, changed(s.jwk, changes))
}

func encode(tb testing.TB, v any) []byte {
	tb.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func changed(m, changes map[string]any) map[string]any {
	result := make(map[string]any)
	for _, from := range []map[string]any{m, changes} {
		for name, value := range from {
			if result[name] = value; value == nil {
				delete(result, name)
			}
		}
	}
	return result
}

// null is a null, where nil means that there is no such member.
var null = json.RawMessage("null")

// claims are those of a good token for the group g.
func goodClaims(changes map[string]any) map[string]any {
	return changed(map[string]any{
		"sub": "john", "aud": "https://galene.example/group/g/", "permissions": []string{"present"},
		"exp": fixed.Add(30 * time.Second).Unix(), "iat": fixed.Unix(), "iss": "https://auth.example/",
	}, changes)
}

func (s signer) sign(tb testing.TB, header, claims map[string]any) string {
	tb.Helper()
	head := changed(map[string]any{"typ": "JWT", "alg": s.method.Alg()}, header)
	text := b64(encode(tb, head)) + "." + b64(encode(tb, claims))
	signature, err := s.method.Sign(text, s.private)
	if err != nil {
		tb.Fatal(err)
	}
	return text + "." + b64(signature)
}

var g = Audience{Group: "g"}

func TestEveryAlgorithmIsVerified(t *testing.T) {
	t.Parallel()
	signers := []signer{
		symmetric(jwt.SigningMethodHS256, 32), symmetric(jwt.SigningMethodHS384, 48), symmetric(jwt.SigningMethodHS512, 64),
		elliptical(t, jwt.SigningMethodES256, elliptic.P256()), elliptical(t, jwt.SigningMethodES384, elliptic.P384()),
		elliptical(t, jwt.SigningMethodES512, elliptic.P521()), rsaSigner(t), edwards(t),
	}
	var keys []*Key
	for _, s := range signers {
		keys = append(keys, s.key(t, nil))
	}
	for i, s := range signers {
		good := s.sign(t, nil, goodClaims(nil))
		claims, err := VerifyJWT(good, keys, g, fixed)
		if err != nil || *claims.Subject != "john" || !slices.Equal(claims.Permissions, []string{"present"}) {
			t.Errorf("%s: %+v, %v", s.method.Alg(), claims, err)
		}
		if _, err := VerifyJWT(good, slices.Delete(slices.Clone(keys), i, i+1), g, fixed); !errors.Is(err, ErrJWT) {
			t.Errorf("%s without its key: %v, want ErrJWT", s.method.Alg(), err)
		}
		end := strings.LastIndexByte(good, '.') + 1
		signature, err := base64.RawURLEncoding.DecodeString(good[end:])
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range [][]byte{nil, signature[1:], append(signature[:len(signature)-1:len(signature)-1], signature[len(signature)-1]^1)} {
			if _, err := VerifyJWT(good[:end]+b64(bad), keys, g, fixed); !errors.Is(err, ErrJWT) {
				t.Errorf("%s with another signature: %v, want ErrJWT", s.method.Alg(), err)
			}
		}
	}
}

func TestKeysAreChosenByAlgorithmAndID(t *testing.T) {
	t.Parallel()
	a, b := symmetric(jwt.SigningMethodHS256, 32), symmetric(jwt.SigningMethodHS256, 32)
	other := elliptical(t, jwt.SigningMethodES256, elliptic.P256())
	one, two := map[string]any{"kid": "1"}, map[string]any{"kid": "2"}
	rs := rsaSigner(t)
	pem := rs.key(t, nil).verifier
	public, ok := pem.(crypto.PublicKey)
	if !ok {
		t.Fatal("no public key")
	}
	confused := signer{jwt.SigningMethodHS256, encode(t, public), nil}
	tests := []struct {
		name   string
		by     signer
		header map[string]any
		keys   []*Key
		want   bool
	}{
		{"one key", a, nil, []*Key{a.key(t, nil)}, true},
		{"no key", a, nil, nil, false},
		{"another's", a, nil, []*Key{b.key(t, nil)}, false},
		{"all are tried", a, nil, []*Key{other.key(t, nil), b.key(t, nil), a.key(t, nil)}, true},
		{"kid", a, one, []*Key{b.key(t, two), a.key(t, one)}, true},
		{"right key, other kid", a, one, []*Key{a.key(t, two)}, false},
		{"right key without kid", a, one, []*Key{a.key(t, nil)}, false},
		{"key with kid for a token without", a, nil, []*Key{a.key(t, one)}, true},
		{"empty kid is one too", a, map[string]any{"kid": ""}, []*Key{a.key(t, nil)}, false},
		{"kid is a number", a, map[string]any{"kid": 1}, []*Key{a.key(t, nil)}, false},
		{"no algorithm", a, map[string]any{"alg": "none"}, []*Key{a.key(t, nil)}, false},
		{"algorithm missing", a, map[string]any{"alg": nil}, []*Key{a.key(t, nil)}, false},
		{"algorithm of another key", a, map[string]any{"alg": "HS512"}, []*Key{a.key(t, nil)}, false},
		{"public key taken for a secret", confused, nil, []*Key{rs.key(t, nil)}, false},
		{"critical extension", a, map[string]any{"crit": []string{"x"}, "x": 1}, []*Key{a.key(t, nil)}, false},
	}
	for _, tt := range tests {
		_, err := VerifyJWT(tt.by.sign(t, tt.header, goodClaims(nil)), tt.keys, g, fixed)
		if tt.want != (err == nil) || err != nil && !errors.Is(err, ErrJWT) {
			t.Errorf("%s: %v, want it to be verified: %v", tt.name, err, tt.want)
		}
	}
}

func TestUnsignedTokensAreRefused(t *testing.T) {
	t.Parallel()
	text := b64([]byte(`{"alg":"none"}`)) + "." + b64(encode(t, goodClaims(nil))) + "."
	if !LooksLikeJWT(text) {
		t.Error("an unsigned token does not look like one")
	}
	if _, err := VerifyJWT(text, []*Key{symmetric(jwt.SigningMethodHS256, 32).key(t, nil)}, g, fixed); !errors.Is(err, ErrJWT) {
		t.Errorf("unsigned token: %v, want ErrJWT", err)
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	s := symmetric(jwt.SigningMethodHS256, 32)
	keys := []*Key{s.key(t, nil)}
	at := func(seconds int64) int64 { return fixed.Unix() + seconds }
	type m = map[string]any
	tests := []struct {
		name    string
		changes m
		want    *Claims // nil if refused
	}{
		{"good", nil, &Claims{Subject: new("john"), Permissions: []string{"present"}}},
		{"no sub", m{"sub": nil}, &Claims{Permissions: []string{"present"}}},
		{"empty sub", m{"sub": ""}, &Claims{Subject: new(""), Permissions: []string{"present"}}},
		{"sub is a number", m{"sub": 1}, nil},
		{"sub is null", m{"sub": null}, nil},
		{"no permissions", m{"permissions": nil}, &Claims{Subject: new("john")}},
		{"set of permissions", m{"permissions": "op"}, &Claims{Subject: new("john"), PermissionSet: "op"}},
		{"empty set", m{"permissions": ""}, nil},
		{"permissions are an object", m{"permissions": m{}}, nil},
		{"permissions with a number", m{"permissions": []any{"op", 1}}, nil},
		{"system is left out", m{"permissions": []any{"system", "op"}}, &Claims{Subject: new("john"), Permissions: []string{"op"}}},
		{"no exp", m{"exp": nil}, nil},
		{"exp is zero", m{"exp": 0}, nil},
		{"exp is a string", m{"exp": "tomorrow"}, nil},
		{"exp within leeway", m{"exp": at(-4)}, &Claims{Subject: new("john"), Permissions: []string{"present"}}},
		{"exp beyond leeway", m{"exp": at(-6)}, nil},
		{"exp with a fraction", m{"exp": float64(at(1)) + 0.5}, &Claims{Subject: new("john"), Permissions: []string{"present"}}},
		{"exp beyond all dates", m{"exp": 1e300}, nil},
		{"exp just beyond all dates", m{"exp": 1e12}, nil},
		{"no iat", m{"iat": nil}, &Claims{Subject: new("john"), Permissions: []string{"present"}}},
		{"iat within leeway", m{"iat": at(4)}, &Claims{Subject: new("john"), Permissions: []string{"present"}}},
		{"iat in the future", m{"iat": at(60)}, nil},
		{"iat is a string", m{"iat": "x"}, nil},
		{"nbf within leeway", m{"nbf": at(4)}, &Claims{Subject: new("john"), Permissions: []string{"present"}}},
		{"nbf in the future", m{"nbf": at(60)}, nil},
		{"nbf is a string", m{"nbf": "x"}, nil},
		{"nbf before all dates", m{"nbf": -1e300}, nil},
		{"no aud", m{"aud": nil}, nil},
		{"aud is a number", m{"aud": 1}, nil},
		{"aud is empty", m{"aud": []string{}}, nil},
		{"one aud of several", m{"aud": []string{"https://x/", "https://y/group/g/"}}, &Claims{Subject: new("john"), Permissions: []string{"present"}}},
		{"aud with a number", m{"aud": []any{"/group/g/", 1}}, nil},
		{
			"subgroups",
			m{"include-subgroups": true},
			&Claims{Subject: new("john"), Permissions: []string{"present"}, IncludeSubgroups: true},
		},
		{"subgroups of another type", m{"include-subgroups": "true"}, &Claims{Subject: new("john"), Permissions: []string{"present"}}},
		{"others are ignored", m{"iss": 1, "jti": []int{}, "x": 1}, &Claims{Subject: new("john"), Permissions: []string{"present"}}},
	}
	for _, tt := range tests {
		got, err := VerifyJWT(s.sign(t, nil, goodClaims(tt.changes)), keys, g, fixed)
		if tt.want == nil {
			if !errors.Is(err, ErrJWT) {
				t.Errorf("%s: %+v, %v, want ErrJWT", tt.name, got, err)
			}
			continue
		}
		if err != nil || string(encode(t, got)) != string(encode(t, tt.want)) {
			t.Errorf("%s: %s, %v, want %s", tt.name, encode(t, got), err, encode(t, tt.want))
		}
	}
}

func TestAudience(t *testing.T) {
	t.Parallel()
	hosts := []string{"galene.example", "proxy.example:8443"}
	tests := []struct {
		url       string
		subgroups bool
		group     string
		hosts     []string
		want      bool
	}{
		{"https://galene.example/group/g/", false, "g", hosts, true},
		{"https://Galene.Example/group/g/", false, "g", hosts, true},
		{"http://galene.example/group/g/?x=y#z", false, "g", hosts, true},
		{"https://proxy.example:8443/group/g/", false, "g", hosts, true},
		{"https://proxy.example/group/g/", false, "g", hosts, false},
		{"https://galene.example:443/group/g/", false, "g", hosts, false},
		{"https://other.example/group/g/", false, "g", hosts, false},
		{"/group/g/", false, "g", hosts, false},
		{"https://other.example/group/g/", false, "g", nil, true},
		{"/group/g/", false, "g", nil, true},
		{"https://galene.example/group/g", false, "g", hosts, false},
		{"https://galene.example/group/g/h/", false, "g", hosts, false},
		{"https://galene.example/group/g/", false, "g/h", hosts, false},
		{"https://galene.example/group/a%20b/", false, "a b", hosts, true},
		{"https://galene.example/group/g/", true, "g/h", hosts, true},
		{"https://galene.example/group/g/", true, "g/h/i", hosts, true},
		{"https://galene.example/group/g/", true, "gh", hosts, false},
		{"https://galene.example/group/g", true, "g/h", hosts, false},
		{"https://galene.example/group/", true, "g", hosts, true},
		{"https://galene.example/group/", false, "g", hosts, false},
		{"https://galene.example/", true, "g", hosts, false},
		{"https://galene.example/recordings/", true, "g", hosts, false},
		{"https://galene.example/group/g/../", true, "g", hosts, false},
		{"%", true, "g", nil, false},
		{"", true, "g", nil, false},
	}
	for _, tt := range tests {
		a := Audience{Group: tt.group, Hosts: tt.hosts}
		if got := a.includes(tt.url, tt.subgroups); got != tt.want {
			t.Errorf("%+v includes(%q, %v) = %v, want %v", a, tt.url, tt.subgroups, got, tt.want)
		}
	}
}

func TestFormOfJSONWebTokens(t *testing.T) {
	t.Parallel()
	object := b64([]byte(`{"alg":"HS256"}`))
	tests := []struct {
		text string
		want bool
	}{
		{object + "." + object + "." + object, true},
		{"e30.e30.", true},
		{"", false},
		{"abc", false},
		{"a.b.c", false},
		{"..", false},
		{object + "." + object, false},
		{object + "." + object + "." + object + ".", false},
		{object + "." + b64([]byte("1")) + "." + object, false},
		{object + "." + b64([]byte("null")) + "." + object, false},
		{b64([]byte("{")) + "." + object + "." + object, false},
		{object + "." + object + ".=", false},
	}
	for _, tt := range tests {
		if got := LooksLikeJWT(tt.text); got != tt.want {
			t.Errorf("LooksLikeJWT(%q) = %v, want %v", tt.text, got, tt.want)
		}
	}
}

// An error says what is wrong, but repeats nothing of the token.
func TestRefusalsDoNotRepeatTheToken(t *testing.T) {
	t.Parallel()
	s := symmetric(jwt.SigningMethodHS256, 32)
	keys := []*Key{s.key(t, nil)}
	type m = map[string]any
	for _, header := range []m{nil, {"alg": "verysecret"}, {"kid": "verysecret"}, {"crit": []string{"verysecret"}}} {
		for _, changes := range []m{
			{"exp": "verysecret"},
			{"aud": "verysecret"},
			{"sub": []string{"verysecret"}},
			{"iat": "verysecret"},
			{"permissions": m{"verysecret": 1}},
		} {
			text := s.sign(t, header, goodClaims(changes))
			_, err := VerifyJWT(text, keys, g, fixed)
			if err == nil || strings.Contains(err.Error(), "verysecret") || strings.Contains(err.Error(), text[:20]) {
				t.Errorf("header %v, claims %v: error %q", header, changes, err)
			}
		}
	}
	if _, err := VerifyJWT("e30.e30."+strings.Repeat("A", maxJWTBytes), keys, g, fixed); err == nil || len(err.Error()) > 100 {
		t.Errorf("long token: %v", err)
	}
}

// Whatever somebody offers, it is refused with ErrJWT unless it was signed.
func FuzzVerifyJWT(f *testing.F) {
	s := symmetric(jwt.SigningMethodHS256, 32)
	keys := []*Key{s.key(f, nil), elliptical(f, jwt.SigningMethodES256, elliptic.P256()).key(f, nil), edwards(f).key(f, nil)}
	good := s.sign(f, nil, goodClaims(nil))
	f.Add(good)
	f.Add("e30.e30.e30")
	f.Add(b64([]byte(`{"alg":"ES256"}`)) + ".e30." + b64(make([]byte, 64)))
	f.Add(b64([]byte(`{"alg":"EdDSA"}`)) + ".e30." + b64(make([]byte, 64)))
	f.Fuzz(func(t *testing.T, text string) {
		_, err := VerifyJWT(text, keys, g, fixed)
		if err == nil && text != good {
			t.Errorf("VerifyJWT(%q) accepts what nobody has signed", text)
		}
		if err != nil && !errors.Is(err, ErrJWT) {
			t.Errorf("VerifyJWT(%q) = %v, want ErrJWT", text, err)
		}
	})
}

// The claims of who can sign are taken as they come.
func FuzzClaims(f *testing.F) {
	s := symmetric(jwt.SigningMethodHS256, 32)
	keys := []*Key{s.key(f, nil)}
	f.Add(encode(f, goodClaims(nil)))
	f.Add([]byte(`{"aud":["%"],"exp":1e400}`))
	f.Fuzz(func(t *testing.T, claims []byte) {
		text := b64([]byte(`{"alg":"HS256"}`)) + "." + b64(claims)
		signature, err := s.method.Sign(text, s.private)
		if err != nil {
			t.Fatal(err)
		}
		got, err := VerifyJWT(text+"."+b64(signature), keys, g, fixed)
		if err != nil && !errors.Is(err, ErrJWT) {
			t.Errorf("claims %q: %v, want ErrJWT", claims, err)
		}
		if err == nil && (got.PermissionSet != "" && got.Permissions != nil || slices.Contains(got.Permissions, reserved)) {
			t.Errorf("claims %q: %+v", claims, got)
		}
	})
}

func BenchmarkVerifyES256(b *testing.B) {
	s := elliptical(b, jwt.SigningMethodES256, elliptic.P256())
	keys := []*Key{s.key(b, nil)}
	text := s.sign(b, nil, goodClaims(nil))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := VerifyJWT(text, keys, g, fixed); err != nil {
			b.Fatal(err)
		}
	}
}
