package group

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// from are credentials from an address.
func from(address, username string) Credentials {
	return Credentials{Username: &username, Address: ParseAddress(address)}
}

// exhaust makes n failures.
func exhaust(t *throttle, c Credentials, now time.Time, n int) {
	for range n {
		if try, ok := t.begin(c, now, scope{"g", c.name()}); ok {
			t.fail(try, now)
		}
	}
}

func TestThrottleTellsAddressesAndUsersApart(t *testing.T) {
	t.Parallel()
	const many = 2500
	bearer := from("192.0.2.1", "op")
	bearer.Token = "x"
	mixed := func(th *throttle) { // one address, many users
		for i := range many {
			exhaust(th, from("192.0.2.1", fmt.Sprint(i)), time.Time{}, 1)
		}
	}
	spread := func(th *throttle) { // many addresses, one user
		for i := range many {
			exhaust(th, from(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String(), "op"), time.Time{}, 1)
		}
	}
	tests := []struct {
		name string
		fill func(*throttle)
		c    Credentials
		want bool
	}{
		{"nothing before", func(*throttle) {}, from("192.0.2.1", "op"), true},
		{"same address and user", func(th *throttle) { exhaust(th, from("192.0.2.1", "op"), time.Time{}, many) }, from("192.0.2.1", "op"), false},
		{"another user at the same address", func(th *throttle) { exhaust(th, from("192.0.2.1", "op"), time.Time{}, many) }, from("192.0.2.1", "ann"), true},
		{"many users at the same address", mixed, from("192.0.2.1", "new"), false},
		{"token at the same address", mixed, bearer, false},
		{"the address as IPv6", mixed, from("::ffff:192.0.2.1", "new"), false},
		{"with a port", mixed, from("192.0.2.1:9", "new"), false},
		{"next address", mixed, from("192.0.2.2", "new"), true},
		{"a few failures", func(th *throttle) { exhaust(th, from("192.0.2.1", "op"), time.Time{}, grace) }, from("192.0.2.1", "op"), true},
		{"nobody is kept out by others", spread, from("192.0.2.1", "op"), true},
		{
			"but only if they fail seldom", func(th *throttle) {
				spread(th)
				exhaust(th, from("192.0.2.1", "ann"), time.Time{}, grace)
			}, from("192.0.2.1", "op"), false,
		},
		{
			"the same user of another group", func(th *throttle) {
				for range many {
					try, _ := th.begin(from("192.0.2.1", "op"), time.Time{}, scope{"other", "op"})
					th.fail(try, time.Time{})
				}
			}, from("192.0.2.9", "op"), true,
		},
		{"same network of IPv6", func(th *throttle) {
			for i := range many {
				exhaust(th, from(fmt.Sprintf("2001:db8::%x", i), fmt.Sprint(i)), time.Time{}, 1)
			}
		}, from("2001:db8::ffff:1%eth0", "new"), false},
		{"another network of IPv6", func(th *throttle) {
			for i := range many {
				exhaust(th, from(fmt.Sprintf("2001:db8::%x", i), fmt.Sprint(i)), time.Time{}, 1)
			}
		}, from("2001:db8:0:1::1", "new"), true},
		{"this machine may be a proxy", func(th *throttle) {
			for i := range 5 * int(addressLimit().burst) {
				exhaust(th, from("127.0.0.1", fmt.Sprint(i)), time.Time{}, 1)
			}
		}, from("127.0.0.1", "new"), true},
		{"but has no grace", func(th *throttle) { exhaust(th, from("127.0.0.1", "op"), time.Time{}, many) }, from("::1", "op"), false},
		{"and has a limit", func(th *throttle) {
			for i := range many {
				exhaust(th, from("127.0.0.1", fmt.Sprint(i)), time.Time{}, 1)
			}
		}, from("127.0.0.1", "new"), false},
		{"no address", func(th *throttle) { exhaust(th, from("@", "op"), time.Time{}, many) }, from("@", "op"), true},
	}
	for _, tt := range tests {
		th := newThrottle()
		tt.fill(th)
		if _, ok := th.begin(tt.c, time.Time{}, scope{"g", tt.c.name()}); ok != tt.want {
			t.Errorf("%s: begin = %v, want %v", tt.name, ok, tt.want)
		}
	}
}

func TestThrottleForgives(t *testing.T) {
	t.Parallel()
	th, now := newThrottle(), time.Now()
	c := from("192.0.2.1", "op")
	exhaust(th, c, now, 1000)
	if _, ok := th.begin(c, now, scope{"g", "op"}); ok {
		t.Fatal("not throttled")
	}
	if _, ok := th.begin(c, now.Add(-time.Hour), scope{"g", "op"}); ok {
		t.Error("forgiven when the clock went back")
	}
	now = now.Add(time.Duration(1/userLimit().perSecond+1) * time.Second)
	if _, ok := th.begin(c, now, scope{"g", "op"}); !ok {
		t.Error("one attempt is not forgiven after its time")
	}
	exhaust(th, c, now, 10)
	if _, ok := th.begin(c, now, scope{"g", "op"}); ok {
		t.Error("ten further failures are forgiven at once")
	}
	worst := max(userLimit().most/userLimit().perSecond, addressLimit().most/addressLimit().perSecond)
	now = now.Add(time.Duration(worst+1) * time.Second)
	if try, ok := th.begin(c, now, scope{"g", "op"}); !ok || th.levels[try.address].now(now) != 0 {
		t.Errorf("not forgiven after %vs", worst)
	}
}

func TestThrottleIsBounded(t *testing.T) {
	t.Parallel()
	th, now := newThrottle(), time.Now()
	for i := range maxLevels {
		th.levels[uint64(i)] = level{1, now, userLimit()}
	}
	for i := range 100 {
		exhaust(th, from("192.0.2.1", fmt.Sprint(i)), now, 1)
	}
	if got := len(th.levels); got != maxLevels {
		t.Errorf("%d levels, want %d", got, maxLevels)
	}
	now = now.Add(time.Hour) // all is forgiven
	exhaust(th, from("192.0.2.1", "op"), now, 1)
	if got := len(th.levels); got != 2 {
		t.Errorf("%d levels after an hour, want 2", got)
	}
}

func TestWhoFailsTooOftenIsNotLookedAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBank(t, map[string]string{"g": `{"users":{"op":{"password":"secret","permissions":"op"}}}`})
		join := func(address, secret string) error {
			c := from(address, "op")
			c.Password = secret
			m, err := b.Join(t.Context(), "g", c, Newcomer{ID: "1"})
			if err == nil {
				m.Leave()
			}
			return err
		}
		for i := range 3 * int(userLimit().burst) {
			err := join("192.0.2.1", "wrong")
			refusal, ok := errors.AsType[*JoinError](err)
			if !ok || refusal.Text != textNotAuthorised || !refusal.Delay {
				t.Fatalf("failure %d: %v, want the ordinary refusal", i, err)
			}
		}
		if err := join("192.0.2.1", "secret"); !errors.Is(err, ErrUnauthorised) || !errors.Is(err, ErrBusy) {
			t.Errorf("good password after too many failures: %v, want that it is not looked at", err)
		}
		c := from("192.0.2.1", "op")
		c.Password = "secret"
		if _, err := b.Authenticate(t.Context(), "g", c); !errors.Is(err, ErrBusy) {
			t.Errorf("Authenticate = %v, want ErrBusy", err)
		}
		if err := join("192.0.2.2", "secret"); err != nil {
			t.Errorf("the same user from elsewhere: %v", err)
		}
		if got := strings.Count(b.log.String(), "too many bad credentials"); got != 1 {
			t.Errorf("%d warnings, want 1", got)
		}
		time.Sleep(time.Hour)
		for i := range 200 { // success costs nothing
			if err := join("192.0.2.1", "secret"); err != nil {
				t.Fatalf("success %d after an hour: %v", i, err)
			}
		}
	})
}

// Many people behind one address, of whom each mistypes once, get in.
func TestPeopleBehindOneAddressGetIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"g": `{"wildcard-user":{"password":"guest","permissions":"present"}}`})
	for i := range int(addressLimit().burst) - 1 {
		for _, secret := range []string{"gest", "guest"} {
			c := from("192.0.2.1", fmt.Sprint(i))
			c.Password = secret
			_, refusal := h.tryAs("g", c, Newcomer{ID: fmt.Sprint(i)})
			if (refusal == nil) != (secret == "guest") {
				t.Fatalf("person %d with %q: %v", i, secret, refusal)
			}
		}
	}
}

func TestGuessingTokensIsThrottled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBank(t, map[string]string{"g": ops})
		c := from("192.0.2.1", "")
		for i := range 2 * int(addressLimit().burst) {
			c.Token = fmt.Sprint(i)
			_, err := b.Authenticate(t.Context(), "g", c)
			if want := i >= int(addressLimit().burst); errors.Is(err, ErrBusy) != want {
				t.Fatalf("guess %d: %v, want ErrBusy: %v", i, err, want)
			}
		}
	})
}

// Guessing the password of an administrator is one matter in all groups.
func TestAdministratorsAreGuardedInAllGroups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		definitions := make(map[string]string)
		for i := range 100 {
			definitions[fmt.Sprint(i)] = ops
		}
		h := newHouse(t, definitions)
		for i := range 100 {
			_, err := h.Authenticate(t.Context(), fmt.Sprint(i), from("192.0.2.1", "root"))
			if want := i >= int(userLimit().burst); errors.Is(err, ErrBusy) != want {
				t.Fatalf("guess %d: %v, want ErrBusy: %v", i, err, want)
			}
		}
	})
}

func TestThrottleServesManyAtOnce(t *testing.T) {
	t.Parallel()
	th := newThrottle()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { exhaust(th, from("192.0.2.1", fmt.Sprint(i%2)), time.Now(), 100) })
	}
	wg.Wait()
	if _, ok := th.begin(from("192.0.2.1", "0"), time.Now(), scope{"g", "0"}); ok {
		t.Error("not throttled")
	}
}

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"192.0.2.1:5": "192.0.2.1", "192.0.2.1": "192.0.2.1", "[2001:db8::1]:5": "2001:db8::1", "2001:db8::1": "2001:db8::1",
		"@": "invalid IP", "": "invalid IP", "/run/socket": "invalid IP",
	} {
		if got := ParseAddress(text).String(); got != want {
			t.Errorf("ParseAddress(%q) = %s, want %s", text, got, want)
		}
	}
}

func BenchmarkThrottle(b *testing.B) {
	th, c := newThrottle(), from("192.0.2.1", "op")
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := th.begin(c, now, scope{"g", "op"}); !ok {
			b.Fatal("throttled")
		}
	}
}
