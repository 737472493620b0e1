package main

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"

	"galene/password"
)

// What passwords are hashed with unless flags say otherwise. The server looks at a password in some tens of milliseconds then.
const (
	defaultBcryptCost = 10
	defaultIterations = 600_000
	defaultKeyBytes   = 32
	defaultSaltBytes  = 16
	maxKeyBytes       = 1024
	maxSaltBytes      = 1024
)

// passwordFlags say how a password is stored.
type passwordFlags struct {
	text, file      string
	kind            string
	cost            int // of bcrypt
	iterations      int // of PBKDF2, as the following
	keyBytes, salts int
}

func (f *passwordFlags) declare(set *flag.FlagSet) {
	set.StringVar(&f.text, "password", "", "the `password`, which other users of this machine may see; asked for if not given")
	set.StringVar(&f.file, "password-file", "", "`file` with the password; - is standard input")
	set.StringVar(&f.kind, "type", "bcrypt", "how it is stored: the `type` bcrypt or pbkdf2; or wildcard, with which any password will do")
	set.IntVar(&f.cost, "cost", defaultBcryptCost, "bcrypt's cost, a `number`: one more takes twice as long")
	set.IntVar(&f.iterations, "iterations", defaultIterations, "PBKDF2's `number` of iterations")
	set.IntVar(&f.keyBytes, "key", defaultKeyBytes, "PBKDF2's key, in `bytes`")
	set.IntVar(&f.salts, "salt", defaultSaltBytes, "PBKDF2's salt, in `bytes`")
}

// make returns the password as it is stored, asking for it if need be.
func (f *passwordFlags) make(ctx context.Context, e *environment, set *flag.FlagSet) (password.Password, error) {
	hasText := given(set, "password") || given(set, "password-file")
	switch {
	case f.kind == "wildcard" && hasText:
		return password.Password{}, usageError("-type wildcard takes no password")
	case f.kind == "wildcard":
		return password.Wildcard(), nil
	case f.kind == "plain":
		return password.Password{}, usageError("passwords are not stored in clear text: -type is bcrypt, pbkdf2 or wildcard")
	case f.kind != "bcrypt" && f.kind != "pbkdf2":
		return password.Password{}, usageError(fmt.Sprintf("-type is bcrypt, pbkdf2 or wildcard, not %q", f.kind))
	case given(set, "password") && f.text == "":
		return password.Password{}, usageError("-password is empty")
	}
	text, err := e.secret(f.text, f.file, "-password")
	if err != nil {
		return password.Password{}, err
	}
	if text == "" {
		if text, err = e.promptNew(ctx, "-password-file"); err != nil {
			return password.Password{}, err
		}
	}
	if f.kind == "bcrypt" {
		return password.Hash(text, f.cost)
	}
	return f.pbkdf2(text)
}

// pbkdf2 hashes a password with PBKDF2 and HMAC-SHA-256 (RFC 8018 §5.2).
func (f *passwordFlags) pbkdf2(text string) (password.Password, error) {
	if f.keyBytes < 1 || f.keyBytes > maxKeyBytes || f.salts < 1 || f.salts > maxSaltBytes {
		return password.Password{}, usageError(fmt.Sprintf("-key has to be between 1 and %d, and -salt between 1 and %d", maxKeyBytes, maxSaltBytes))
	}
	salt := make([]byte, f.salts)
	_, _ = rand.Read(salt) // it never fails
	// What the server takes does not depend on what the key is, and is known before the work is done.
	if _, err := f.stored(make([]byte, f.keyBytes), salt); err != nil {
		return password.Password{}, err
	}
	key, err := pbkdf2.Key(sha256.New, text, salt, f.iterations, f.keyBytes)
	if err != nil {
		return password.Password{}, err
	}
	return f.stored(key, salt)
}

// stored returns what PBKDF2 gives in the form in which it is stored.
func (f *passwordFlags) stored(key, salt []byte) (password.Password, error) {
	text, err := json.Marshal(map[string]any{
		"type": "pbkdf2", "hash": "sha-256",
		"key": hex.EncodeToString(key), "salt": hex.EncodeToString(salt), "iterations": f.iterations,
	})
	if err != nil {
		return password.Password{}, err
	}
	var p password.Password
	if err := json.Unmarshal(text, &p); err != nil {
		return password.Password{}, err
	}
	return p, p.Validate()
}

// hashPassword prints a password as it is stored.
func hashPassword(ctx context.Context, e *environment, args []string) int {
	set := e.newFlagSet("hash-password")
	var f passwordFlags
	f.declare(set)
	return e.do(set, args, 0, func() error {
		p, err := f.make(ctx, e, set)
		if err != nil {
			return err
		}
		return json.NewEncoder(e.stdout).Encode(p)
	})
}

// setPassword sets a user's password, which does not leave this machine unhashed.
func setPassword(ctx context.Context, e *environment, args []string) int {
	set := e.newFlagSet("set-password")
	var o objectFlags
	o.declareUser(set)
	var f passwordFlags
	f.declare(set)
	return e.do(set, args, 0, func() error {
		path, err := o.userPath()
		if err != nil {
			return err
		}
		p, err := f.make(ctx, e, set)
		if err != nil {
			return err
		}
		return e.connect(ctx, func(c *client) error {
			_, err := c.send(ctx, request{method: http.MethodPut, path: path + "/.password", body: p})
			return err
		})
	})
}

// deletePassword leaves a user without a password.
func deletePassword(ctx context.Context, e *environment, args []string) int {
	set := e.newFlagSet("delete-password")
	var o objectFlags
	o.declareUser(set)
	return e.delete(ctx, set, args, &o, func() (string, error) {
		path, err := o.userPath()
		return path + "/.password", err
	})
}
