package token

import (
	"crypto/elliptic"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func TestParseKeyRefusesWhatCannotVerify(t *testing.T) {
	t.Parallel()
	hs, rs, ed := symmetric(jwt.SigningMethodHS256, 32), rsaSigner(t), edwards(t)
	es := elliptical(t, jwt.SigningMethodES256, elliptic.P256())
	es384 := elliptical(t, jwt.SigningMethodES384, elliptic.P384())
	odd := append(random(255), 1)
	even := append(random(255), 2)
	odd[0], even[0] = 0x80, 0x80
	type m = map[string]any
	tests := []struct {
		name    string
		signer  signer
		changes m
		want    string // part of the error; empty if the key is good
	}{
		{"symmetric", hs, nil, ""},
		{"with kid and others", hs, m{"kid": "1", "x5c": []int{1}, "use": "sig", "key_ops": []string{"sign", "verify"}}, ""},
		{"no alg", hs, m{"alg": nil}, "alg"},
		{"unknown alg", hs, m{"alg": "HS1"}, "alg"},
		{"alg none", hs, m{"alg": "none"}, "alg"},
		{"no kty", hs, m{"kty": nil}, "kty"},
		{"kty of another alg", hs, m{"kty": "RSA"}, "kty"},
		{"secret too short", hs, m{"k": b64(random(31))}, "31 bytes"},
		{"secret too long", hs, m{"k": b64(random(33))}, "33 bytes"},
		{"secret for another alg", hs, m{"alg": "HS512"}, "32 bytes"},
		{"secret with padding", hs, m{"k": b64(random(32)) + "="}, "base64url"},
		{"no secret", hs, m{"k": nil}, "0 bytes"},
		{"for encryption", hs, m{"use": "enc"}, "use"},
		{"for signing only", hs, m{"key_ops": []string{"sign"}}, "key_ops"},
		{"for nothing", hs, m{"key_ops": []string{}}, "key_ops"},
		{"kid of another type", hs, m{"kid": 1}, `"kid"`},
		{"elliptic", es, nil, ""},
		{"elliptic, longer", es384, nil, ""},
		{"curve of another alg", es384, m{"alg": "ES256"}, "crv"},
		{"no curve", es, m{"crv": nil}, "crv"},
		{"not on the curve", es, m{"x": b64(random(32))}, "no point"},
		{"at infinity", es, m{"x": "AA", "y": "AA"}, "no point"},
		{"coordinate too long", es, m{"x": b64(random(33))}, "33 bytes"},
		{"coordinate missing", es, m{"y": nil}, "0 bytes"},
		{"coordinate not base64url", es, m{"y": "+/"}, "base64url"},
		{"RSA", rs, nil, ""},
		{"RSA too short", rs, m{"n": b64(random(128))}, "bits"},
		{"RSA too long", rs, m{"n": b64(append([]byte{1}, random(1024)...))}, "bits"},
		{"RSA even", rs, m{"n": b64(even)}, "even"},
		{"RSA odd", rs, m{"n": b64(odd)}, ""},
		{"RSA without exponent", rs, m{"e": nil}, "e is"},
		{"RSA exponent 1", rs, m{"e": "AQ"}, "e is"},
		{"RSA exponent even", rs, m{"e": b64([]byte{4})}, "e is"},
		{"RSA exponent long", rs, m{"e": b64([]byte{1, 0, 0, 0, 1})}, "too large"},
		{"RSA of another alg", rs, m{"alg": "PS256"}, "alg"},
		{"Edwards", ed, nil, ""},
		{"Edwards too short", ed, m{"x": b64(random(31))}, "31 bytes"},
		{"Edwards on another curve", ed, m{"crv": "Ed448"}, "crv"},
	}
	for _, tt := range tests {
		data := tt.signer.encode(t, tt.changes)
		key, err := ParseKey(data)
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if again, err := json.Marshal(key); err != nil || string(again) != string(data) {
				t.Errorf("%s: Marshal = %s, %v, want %s", tt.name, again, err, data)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error about %q", tt.name, err, tt.want)
		}
	}
	for _, text := range []string{"", "null", "1", `"x"`, "[]", "{"} {
		if _, err := ParseKey(json.RawMessage(text)); err == nil {
			t.Errorf("ParseKey(%q) succeeded", text)
		}
	}
}

func TestPrivateKeysGiveAWarning(t *testing.T) {
	t.Parallel()
	es := elliptical(t, jwt.SigningMethodES256, elliptic.P256())
	if got := es.key(t, nil).Warnings(); got != nil {
		t.Errorf("Warnings of a public key = %q", got)
	}
	if got := es.key(t, map[string]any{"d": "verysecret"}).Warnings(); len(got) != 1 || strings.Contains(got[0], "verysecret") {
		t.Errorf("Warnings of a private key = %q, want one without the key", got)
	}
}

func TestKeysDoNotShowThemselves(t *testing.T) {
	t.Parallel()
	s := symmetric(jwt.SigningMethodHS256, 32)
	key, secret := s.key(t, nil), fmt.Sprint(s.jwk["k"])
	numbers := fmt.Sprint(s.private)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", key, key, key), fmt.Sprintf("%v %+v %#v", *key, *key, *key)} {
		if strings.Contains(text, secret) || strings.Contains(text, numbers) {
			t.Errorf("the key shows its secret: %s", text)
		}
	}
	for _, member := range []string{"k", "kty", "alg", "use"} {
		data := s.encode(t, map[string]any{"k": "verysecret+verysecret+verysecret", member: "verysecret+verysecret+verysecret"})
		if _, err := ParseKey(data); err == nil || strings.Count(err.Error(), "verysecret") > 1 ||
			member == "k" && strings.Contains(err.Error(), "verysecret") {
			t.Errorf("bad %s: %v", member, err)
		}
	}
}

// A key is refused, or verifies without a panic.
func FuzzParseKey(f *testing.F) {
	hs := symmetric(jwt.SigningMethodHS256, 32)
	es := elliptical(f, jwt.SigningMethodES256, elliptic.P256())
	for _, s := range []signer{hs, es, edwards(f), rsaSigner(f)} {
		f.Add([]byte(s.encode(f, nil)))
	}
	header := map[string]string{}
	for _, a := range algorithms() {
		header[a.name] = b64([]byte(`{"alg":"` + a.name + `"}`))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := ParseKey(data)
		if err != nil {
			return
		}
		if again, err := ParseKey(key.raw); err != nil || again.alg != key.alg {
			t.Errorf("ParseKey(%q) again = %v, %v", data, again, err)
		}
		text := header[key.alg] + ".e30." + b64(make([]byte, 64))
		if _, err := VerifyJWT(text, []*Key{key}, g, fixed); err == nil {
			t.Errorf("key %q lets in a token without claims", data)
		}
	})
}
