package group

import (
	"hash/maphash"
	"sync"
	"time"

	"galene/netaddr"
)

// maxLevels bounds what the throttle remembers; about 4 MiB.
const maxLevels = 1 << 16

// sweepInterval is how often at most a full throttle looks for what can be
// forgotten.
const sweepInterval = time.Second

// grace is how many failures an address may have and still try users for whom
// there were too many: nobody can be kept out by failures of others.
const grace = 3

// throttleLimit says how many failures are too many.
type throttleLimit struct {
	burst     float64 // at once
	perSecond float64 // that are forgiven
	most      float64 // that are counted, so that it ends some day
}

// The limits for an address, where many honest people may be behind one; for
// this machine, where there may be a proxy with everybody behind it; and for a
// username.
func addressLimit() throttleLimit { return throttleLimit{100, 0.5, 400} }
func localLimit() throttleLimit   { return throttleLimit{1000, 10, 2000} }
func userLimit() throttleLimit    { return throttleLimit{30, 0.2, 90} }

// throttle slows down who guesses. It counts failures, per address and per
// username, and forgives them over time; success costs nothing. While there are
// too many, attempts fail without being looked at. Its methods may be called
// from any goroutine.
type throttle struct {
	seed maphash.Seed // immutable; nobody outside can find two names of one key

	mu     sync.Mutex // guards the fields below
	levels map[uint64]level
	swept  time.Time // when it was last looked for what can be forgotten
}

// level is how many failures were not forgiven at some time.
type level struct {
	failures float64
	at       time.Time
	limit    throttleLimit
}

// scope is a username and where it is one.
type scope struct{ group, username string }

// attempt is what a failure will be counted for.
type attempt struct {
	counted      bool
	address      uint64
	addressLimit throttleLimit
	users        []uint64
}

func newThrottle() *throttle {
	return &throttle{seed: maphash.MakeSeed(), levels: make(map[uint64]level)}
}

// begin reports whether c may be looked at now. Failures will be counted for
// its address and, unless it has a token, for users.
func (t *throttle) begin(c Credentials, now time.Time, users ...scope) (attempt, bool) {
	if !c.Address.IsValid() {
		return attempt{}, true
	}
	address := c.Address.Unmap()
	try := attempt{counted: true, address: maphash.Comparable(t.seed, netaddr.Source(address)), addressLimit: addressLimit()}
	local := address.IsLoopback()
	if local {
		try.addressLimit = localLimit()
	}
	if c.Token == "" {
		for _, u := range users {
			try.users = append(try.users, maphash.Comparable(t.seed, u))
		}
	}

	t.mu.Lock()
	defer t.mu.Unlock()
	failures := t.levels[try.address].now(now)
	if failures >= try.addressLimit.burst {
		return attempt{}, false
	}
	if !local && failures < grace {
		return try, true
	}
	for _, key := range try.users {
		if t.levels[key].now(now) >= userLimit().burst {
			return attempt{}, false
		}
	}
	return try, true
}

// fail counts a failure, and reports whether it was the one that is too many.
func (t *throttle) fail(try attempt, now time.Time) (tooMany bool) {
	if !try.counted {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	tooMany = t.addLocked(try.address, try.addressLimit, now)
	for _, key := range try.users {
		tooMany = t.addLocked(key, userLimit(), now) || tooMany
	}
	return tooMany
}

func (t *throttle) addLocked(key uint64, limit throttleLimit, now time.Time) (tooMany bool) {
	l, ok := t.levels[key]
	if !ok {
		t.makeRoomLocked(now)
	}
	before := l.now(now)
	after := min(before+1, limit.most)
	t.levels[key] = level{after, now, limit}
	return before < limit.burst && after >= limit.burst
}

// makeRoomLocked forgets what is forgiven, or something, if the throttle is full.
func (t *throttle) makeRoomLocked(now time.Time) {
	if len(t.levels) < maxLevels {
		return
	}
	if now.Sub(t.swept) >= sweepInterval {
		t.swept = now
		for key, l := range t.levels {
			if l.now(now) == 0 {
				delete(t.levels, key)
			}
		}
	}
	for key := range t.levels { // in no order
		if len(t.levels) < maxLevels {
			return
		}
		delete(t.levels, key)
	}
}

// now is how many failures are not forgiven yet.
func (l level) now(now time.Time) float64 {
	return max(0, l.failures-max(0, now.Sub(l.at).Seconds())*l.limit.perSecond)
}
