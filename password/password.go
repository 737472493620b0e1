// Package password holds stored passwords and checks offered ones against them.
//
// A [Password] is one password as it stands in a group definition or in the
// server's configuration: clear text, a PBKDF2 or bcrypt digest, or a wildcard
// that accepts anything. A [Checker] verifies what a client offers and bounds
// how much of the machine that may take.
//
// # Ownership
//
// A Password does not change after it was made and may be shared. A Checker
// may be used from any goroutine.
//
// # Specifications
//
//   - RFC 8018 §5.2, PBKDF2 with HMAC-SHA-256
//   - Provos and Mazières, "A Future-Adaptable Password Scheme" (bcrypt)
package password

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/crypto/bcrypt"
)

// The types of stored passwords. The empty type matches nothing.
const (
	typeNone     = ""
	typePlain    = "plain"
	typeWildcard = "wildcard"
	typePBKDF2   = "pbkdf2"
	typeBcrypt   = "bcrypt"
)

// Bounds of what a stored password may make the server compute. Whoever may
// edit one group's definition must not be able to stall the server.
const (
	// MaxBcryptCost is about two seconds of one processor.
	MaxBcryptCost = 15
	// MaxIterations bounds PBKDF2's iterations times the blocks of 32 bytes
	// that the key takes; about two seconds of one processor.
	MaxIterations = 10_000_000
	// MaxBcryptBytes is the longest password that bcrypt distinguishes.
	MaxBcryptBytes = 72

	// bcryptKeyBytes is the length of a digest in modular crypt format.
	bcryptKeyBytes = 60
)

// ErrUnusable is wrapped by the errors of passwords against which nothing can
// be checked: an unknown type, a missing key, bad hexadecimal, a cost out of
// bounds.
var ErrUnusable = errors.New("password: unusable")

// Password is one stored password. The zero value accepts nothing.
//
// In JSON it is a string (clear text) or an object with "type", "key", "hash",
// "salt" and "iterations". Decoding refuses other shapes and unknown fields,
// but keeps what is merely unusable, so that one bad entry does not close a
// whole group; see [Password.Validate].
type Password struct {
	stored stored

	// What Check needs, derived from stored. The key of clear text is its
	// SHA-256 digest, so that comparing takes the same time for all.
	key, salt []byte
	cost      int
	unusable  error
}

// stored is a password as JSON has it.
type stored struct {
	Type       string  `json:"type,omitempty"`
	Key        *string `json:"key,omitempty"`
	Hash       string  `json:"hash,omitempty"`
	Salt       string  `json:"salt,omitempty"`
	Iterations int     `json:"iterations,omitempty"`
}

// Plain returns the password that is stored as clear text.
func Plain(text string) Password {
	return prepare(stored{Type: typePlain, Key: &text})
}

// Wildcard returns the password that accepts everything.
func Wildcard() Password {
	return prepare(stored{Type: typeWildcard})
}

// Hash returns offered as a bcrypt password of the given cost, which is 4 to
// [MaxBcryptCost]. It refuses passwords longer than [MaxBcryptBytes]. It takes
// as long as checking does and is not bounded by any [Checker].
func Hash(offered string, cost int) (Password, error) {
	if cost < bcrypt.MinCost || cost > MaxBcryptCost {
		return Password{}, fmt.Errorf("password: bcrypt cost %d is not between %d and %d",
			cost, bcrypt.MinCost, MaxBcryptCost)
	}
	digest, err := bcrypt.GenerateFromPassword([]byte(offered), cost)
	if err != nil {
		return Password{}, fmt.Errorf("password: %w", err)
	}
	key := string(digest)
	return prepare(stored{Type: typeBcrypt, Key: &key}), nil
}

// UnmarshalJSON reads a password; null is the one that accepts nothing.
func (p *Password) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	if bytes.Equal(data, []byte("null")) {
		*p = Password{}
		return nil
	}
	if len(data) > 0 && data[0] == '"' {
		var text string
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
		*p = Plain(text)
		return nil
	}

	var s stored
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		if bad, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			if bad.Field == "" {
				return fmt.Errorf("password is a JSON %s, not a string or an object", bad.Value)
			}
			return fmt.Errorf("password field %q is a JSON %s", bad.Field, bad.Value)
		}
		return fmt.Errorf("password: %w", err)
	}
	*p = prepare(s)
	return nil
}

// MarshalJSON writes clear text as a bare string and everything else as an
// object.
func (p Password) MarshalJSON() ([]byte, error) {
	s := p.stored
	if s.Type == typePlain && s.Key != nil && s.Hash == "" && s.Salt == "" && s.Iterations == 0 {
		return json.Marshal(*s.Key)
	}
	return json.Marshal(s)
}

// Validate says why nothing can be checked against p; the error names the field
// at fault and wraps [ErrUnusable]. A password that accepts nothing is valid.
func (p *Password) Validate() error {
	if p == nil {
		return nil
	}
	return p.unusable
}

// Secret reports whether p accepts only who knows something.
func (p *Password) Secret() bool {
	switch p.stored.Type {
	case typePlain:
		return p.unusable == nil && *p.stored.Key != ""
	case typePBKDF2, typeBcrypt:
		return p.unusable == nil
	default:
		return false
	}
}

// Cost is what one check against a password computes. Checks of equal cost take
// equally long; the zero value takes no time worth mentioning.
type Cost struct {
	kind           string
	rounds, blocks int
}

// Work estimates the cost in PBKDF2 iterations. It serves for comparison only.
func (c Cost) Work() uint64 {
	// bcryptUnit is roughly how many iterations one round of bcrypt takes.
	const bcryptUnit = 200
	switch c.kind {
	case typeBcrypt:
		return bcryptUnit << c.rounds
	case typePBKDF2:
		return uint64(c.rounds) * uint64(c.blocks)
	default:
		return 0
	}
}

// Work is the work of p's cost.
func (p *Password) Work() uint64 { return p.Cost().Work() }

// Cost tells what one check against p computes.
func (p *Password) Cost() Cost {
	switch {
	case p == nil || p.unusable != nil:
		return Cost{}
	case p.stored.Type == typeBcrypt:
		return Cost{kind: typeBcrypt, rounds: p.cost, blocks: 1}
	case p.stored.Type == typePBKDF2:
		return Cost{kind: typePBKDF2, rounds: p.cost, blocks: blocks(p.key)}
	default:
		return Cost{}
	}
}

// prepare derives from s what checking needs.
func prepare(s stored) Password {
	p := Password{stored: s}
	var err error
	switch s.Type {
	case typeNone, typeWildcard:
	case typePlain:
		if p.key, err = required(s.Key); err == nil {
			digest := sha256.Sum256(p.key)
			p.key = digest[:]
		}
	case typePBKDF2:
		err = p.preparePBKDF2()
	case typeBcrypt:
		err = p.prepareBcrypt()
	default:
		err = fmt.Errorf("unknown type %q", s.Type)
	}
	if err != nil {
		p.unusable = fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	return p
}

func (p *Password) preparePBKDF2() error {
	key, err := required(p.stored.Key)
	if err != nil {
		return err
	}
	if p.stored.Hash != "sha-256" {
		return fmt.Errorf("hash %q is not \"sha-256\"", p.stored.Hash)
	}
	if p.key, err = hex.DecodeString(string(key)); err != nil {
		return fmt.Errorf("key is not hexadecimal: %w", err)
	}
	if len(p.key) == 0 {
		return errors.New("key is empty")
	}
	if p.salt, err = hex.DecodeString(p.stored.Salt); err != nil {
		return fmt.Errorf("salt is not hexadecimal: %w", err)
	}
	p.cost = p.stored.Iterations
	if p.cost < 1 || p.cost > MaxIterations/blocks(p.key) {
		return fmt.Errorf("iterations: %d is not between 1 and %d", p.cost, MaxIterations/blocks(p.key))
	}
	return nil
}

func (p *Password) prepareBcrypt() error {
	key, err := required(p.stored.Key)
	if err != nil {
		return err
	}
	if len(key) > bcryptKeyBytes {
		return errors.New("key is too long for a bcrypt digest")
	}
	p.key = key
	if p.cost, err = bcrypt.Cost(key); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	if p.cost > MaxBcryptCost {
		return fmt.Errorf("key: bcrypt cost %d is over %d", p.cost, MaxBcryptCost)
	}
	return nil
}

// required returns the bytes of a key that has to be there.
func required(key *string) ([]byte, error) {
	if key == nil {
		return nil, errors.New("key is missing")
	}
	return []byte(*key), nil
}

// blocks is how many times PBKDF2 iterates to derive key.
func blocks(key []byte) int {
	return (len(key) + sha256.Size - 1) / sha256.Size
}
