package token

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// Bounds of RSA keys. Checking a signature with the longest takes well under a
// millisecond.
const (
	minRSABits       = 2048
	maxRSABits       = 8192
	maxExponentBytes = 4
)

// Key is a JSON Web Key (RFC 7517) that verifies signatures with one algorithm.
// It is immutable.
type Key struct {
	alg, id  string
	hasID    bool
	verifier any // as the algorithm wants it: []byte or a public key
	raw      json.RawMessage
	warnings []string
}

// jwk has the members of a JSON Web Key that mean something here.
type jwk struct {
	Type      string   `json:"kty"`
	Algorithm string   `json:"alg"`
	ID        *string  `json:"kid"`
	Use       *string  `json:"use"`
	KeyOps    []string `json:"key_ops"`
	Curve     string   `json:"crv"`
	K         string   `json:"k"` // for oct
	N         string   `json:"n"` // for RSA
	E         string   `json:"e"`
	X         string   `json:"x"` // for EC and OKP
	Y         string   `json:"y"`

	D json.RawMessage `json:"d"` // private, for EC, OKP and RSA
}

// algorithm says what keys an algorithm needs, and how to make one.
type algorithm struct {
	name, kty string
	curve     string // crv
	bytes     int    // length of a symmetric key
	verifier  func(algorithm, *jwk) (any, error)
}

// algorithms lists what is supported (RFC 7518 §3.1, RFC 8037 §3.1).
func algorithms() []algorithm {
	return []algorithm{
		{name: "HS256", kty: "oct", bytes: 32, verifier: symmetricKey},
		{name: "HS384", kty: "oct", bytes: 48, verifier: symmetricKey},
		{name: "HS512", kty: "oct", bytes: 64, verifier: symmetricKey},
		{name: "ES256", kty: "EC", curve: "P-256", verifier: ellipticKey},
		{name: "ES384", kty: "EC", curve: "P-384", verifier: ellipticKey},
		{name: "ES512", kty: "EC", curve: "P-521", verifier: ellipticKey},
		{name: "RS256", kty: "RSA", verifier: rsaKey},
		{name: "EdDSA", kty: "OKP", curve: "Ed25519", verifier: edwardsKey},
	}
}

// ParseKey reads a JSON Web Key and makes sure that it can verify signatures.
// Its errors say what is wrong, and nothing of the key's value. Members without
// a meaning here are ignored.
func ParseKey(data json.RawMessage) (*Key, error) {
	var j jwk
	if err := json.Unmarshal(data, &j); err != nil {
		if bad, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && bad.Field != "" {
			return nil, fmt.Errorf("key: member %q is of the wrong type", bad.Field)
		}
		return nil, errors.New("key: not a JSON object")
	}
	i := slices.IndexFunc(algorithms(), func(a algorithm) bool { return a.name == j.Algorithm })
	switch {
	case j.Algorithm == "":
		return nil, errors.New("key: alg is missing")
	case i < 0:
		return nil, fmt.Errorf("key: alg %.20q is not supported", j.Algorithm)
	case j.Use != nil && *j.Use != "sig":
		return nil, fmt.Errorf("key: use %.20q is not \"sig\"", *j.Use)
	case j.KeyOps != nil && !slices.Contains(j.KeyOps, "verify"):
		return nil, errors.New("key: key_ops lacks \"verify\"")
	}
	a := algorithms()[i]
	if j.Type != a.kty {
		return nil, fmt.Errorf("key: kty %.20q does not go with alg %s", j.Type, a.name)
	}
	if j.Curve != a.curve && a.curve != "" {
		return nil, fmt.Errorf("key: crv %.20q does not go with alg %s", j.Curve, a.name)
	}
	verifier, err := a.verifier(a, &j)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	k := &Key{alg: a.name, hasID: j.ID != nil, verifier: verifier, raw: bytes.Clone(data)}
	if j.ID != nil {
		k.id = *j.ID
	}
	if len(j.D) > 0 && a.kty != "oct" {
		k.warnings = append(k.warnings, "it is a private key, only the public one is needed")
	}
	return k, nil
}

// Warnings says what is unwise about the key.
func (k *Key) Warnings() []string { return slices.Clone(k.warnings) }

// MarshalJSON returns the key as it was read. It may be secret.
func (k *Key) MarshalJSON() ([]byte, error) { return bytes.Clone(k.raw), nil }

// String describes the key without revealing it.
func (k Key) String() string { return "key for " + k.alg }

// GoString describes the key without revealing it.
func (k Key) GoString() string { return k.String() }

// fits reports whether the key may have signed a token whose header says alg and
// kid; nil if there is no kid.
func (k *Key) fits(alg string, kid *string) bool {
	return k.alg == alg && (kid == nil || k.hasID && k.id == *kid)
}

func symmetricKey(a algorithm, j *jwk) (any, error) {
	secret, err := base64.RawURLEncoding.DecodeString(j.K)
	if err != nil {
		return nil, errors.New("k is not base64url without padding")
	}
	if len(secret) != a.bytes {
		return nil, fmt.Errorf("k has %d bytes, %s takes %d", len(secret), a.name, a.bytes)
	}
	return secret, nil
}

func ellipticKey(a algorithm, j *jwk) (any, error) {
	curves := map[string]elliptic.Curve{
		"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521(),
	}
	curve := curves[a.curve]
	size := (curve.Params().BitSize + 7) / 8
	point := []byte{4} // uncompressed (SEC 1 §2.3.3)
	for _, text := range []string{j.X, j.Y} {
		c, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return nil, errors.New("x or y is not base64url without padding")
		}
		if len(c) == 0 || len(c) > size {
			return nil, fmt.Errorf("x or y has %d bytes, %s takes %d", len(c), a.curve, size)
		}
		point = append(point, make([]byte, size-len(c))...) // some leave out leading zeros
		point = append(point, c...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, fmt.Errorf("x and y are no point of %s", a.curve)
	}
	return key, nil
}

func rsaKey(_ algorithm, j *jwk) (any, error) {
	n, err := base64.RawURLEncoding.DecodeString(j.N)
	if err != nil {
		return nil, errors.New("n is not base64url without padding")
	}
	e, err := base64.RawURLEncoding.DecodeString(j.E)
	if err != nil {
		return nil, errors.New("e is not base64url without padding")
	}
	modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
	bits := modulus.BitLen()
	switch {
	case bits < minRSABits || bits > maxRSABits:
		return nil, fmt.Errorf("n has %d bits, not %d to %d", bits, minRSABits, maxRSABits)
	case modulus.Bit(0) == 0:
		return nil, errors.New("n is even")
	case exponent.BitLen() >= maxExponentBytes*8:
		return nil, errors.New("e is too large")
	case exponent.Cmp(big.NewInt(3)) < 0 || exponent.Bit(0) == 0:
		return nil, errors.New("e is even or too small")
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}, nil
}

func edwardsKey(_ algorithm, j *jwk) (any, error) {
	x, err := base64.RawURLEncoding.DecodeString(j.X)
	if err != nil {
		return nil, errors.New("x is not base64url without padding")
	}
	if len(x) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("x has %d bytes, Ed25519 takes %d", len(x), ed25519.PublicKeySize)
	}
	return ed25519.PublicKey(x), nil
}
