package password

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/crypto/bcrypt"
)

const (
	// DefaultCost is the bcrypt cost of passwords that the server hashes, and
	// what a check against no password at all spends.
	DefaultCost = 10
	// maxWaiting bounds the checks that wait for a processor.
	maxWaiting = 1024
)

// ErrBusy is returned when too many checks are waiting already.
var ErrBusy = errors.New("password: too many checks are waiting")

// Checker checks passwords. Of all the checks it is asked for at once, only as
// many run as there are processors; the others wait.
type Checker struct {
	slots   chan struct{} // holds one element per running computation
	waiting atomic.Int64
}

// NewChecker returns a checker that runs GOMAXPROCS computations at a time.
func NewChecker() *Checker {
	return &Checker{slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// Check reports whether offered is what p stores. A nil p accepts nothing, but
// takes as long as a bcrypt digest of [DefaultCost] does.
//
// The error is ctx's when it ended while the check was waiting for its turn,
// [ErrBusy], or wraps [ErrUnusable]. A computation that has begun is finished.
func (c *Checker) Check(ctx context.Context, p *Password, offered string) (bool, error) {
	if p == nil {
		err := c.run(ctx, func() { spend(offered) })
		return false, err
	}
	if p.unusable != nil {
		return false, p.unusable
	}
	switch p.stored.Type {
	case typeWildcard:
		return true, nil
	case typePlain:
		digest := sha256.Sum256([]byte(offered))
		return subtle.ConstantTimeCompare(digest[:], p.key) == 1, nil
	case typePBKDF2, typeBcrypt:
		var ok bool
		var err error
		if wait := c.run(ctx, func() { ok, err = p.compare(offered) }); wait != nil {
			return false, wait
		}
		return ok, err
	default:
		return false, nil
	}
}

// Hash returns offered as a bcrypt password of [DefaultCost]; it waits for its
// turn like a check. The error is ctx's, [ErrBusy], or that of [Hash].
func (c *Checker) Hash(ctx context.Context, offered string) (Password, error) {
	var hashed Password
	var err error
	if wait := c.run(ctx, func() { hashed, err = Hash(offered, DefaultCost) }); wait != nil {
		return Password{}, wait
	}
	return hashed, err
}

// run calls f when fewer than the allowed number of computations run.
func (c *Checker) run(ctx context.Context, f func()) error {
	if c.waiting.Add(1) > maxWaiting {
		c.waiting.Add(-1)
		return ErrBusy
	}
	select {
	case c.slots <- struct{}{}:
		c.waiting.Add(-1)
	case <-ctx.Done():
		c.waiting.Add(-1)
		return ctx.Err()
	}
	defer func() { <-c.slots }()
	f()
	return nil
}

// compare computes offered's digest and compares it with p's.
func (p *Password) compare(offered string) (bool, error) {
	if p.stored.Type == typePBKDF2 {
		digest, err := pbkdf2.Key(sha256.New, offered, p.salt, p.cost, len(p.key))
		if err != nil {
			return false, fmt.Errorf("password: %w", err)
		}
		return subtle.ConstantTimeCompare(digest, p.key) == 1, nil
	}

	// Bcrypt ignores what comes after its longest password; a longer one is
	// wrong, however it begins.
	err := bcrypt.CompareHashAndPassword(p.key, truncate(offered))
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	return len(offered) <= MaxBcryptBytes, nil
}

// spend takes as long as comparing offered with a digest of the default cost.
func spend(offered string) {
	if _, err := bcrypt.GenerateFromPassword(truncate(offered), DefaultCost); err != nil {
		panic(err) // the length and the cost are in range
	}
}

func truncate(offered string) []byte {
	return []byte(offered[:min(len(offered), MaxBcryptBytes)])
}
