package group

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"galene/config"
	"galene/password"
)

func TestPermissionsAreThoseOfTheMatchingDescription(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{
		"plain": ops,
		"extra": `{"allow-recording":true,"unrestricted-tokens":true,` + ops[1:],
		"raw": `{"allow-recording":true,"users":{"op":{"password":"secret","permissions":["op","system","juggle"]},
			"system":{"password":"secret","permissions":["system"]}}}`,
		"old": `{"op":[{"username":"op","password":"secret"}],"presenter":[{"username":"op","password":"x"},
			{"username":"presenter","password":"secret"},{}],"other":[{}],"allow-subgroups":true}`,
		"fallback": `{"users":{"op":{"password":"secret","permissions":"op"}},
			"fallback-users":[{"password":{"type":"rot13"},"permissions":"admin"},
				{"password":"one","permissions":"present"},{"password":"two","permissions":"message"}],
			"wildcard-user":{"password":{"type":"wildcard"},"permissions":"observe"}}`,
	})
	tests := []struct {
		name, group, username, password string
		want                            []string // nil if refused
	}{
		{"op", "plain", "op", "secret", []string{"op", "present", "message", "caption", "token"}},
		{"op who may record", "extra", "op", "secret", []string{"record", "op", "present", "message", "caption", "token"}},
		{"presenter", "plain", "presenter", "secret", []string{"present", "message"}},
		{"presenter who may make tokens", "extra", "presenter", "secret", []string{"token", "present", "message"}},
		{"wildcard", "plain", "anybody", "guest", []string{"present", "message"}},
		{"named user with the wildcard's password", "plain", "op", "guest", nil},
		{"list", "raw", "op", "secret", []string{"op", "juggle"}},
		{"system from a file gives nothing", "raw", "system", "secret", []string{}},
		{"first of old lists", "old", "op", "secret", []string{"op", "present", "message", "caption", "token"}},
		{"second of old lists", "old", "op", "x", nil},
		{"old presenter", "old", "presenter", "secret", []string{"present", "message"}},
		{"old presenter for all", "old", "anybody", "whatever", []string{"present", "message"}},
		{"subgroup by the old field", "old/sub", "presenter", "secret", []string{"present", "message"}},
		{"first fallback", "fallback", "anybody", "one", []string{"present", "message"}},
		{"second fallback", "fallback", "anybody", "two", []string{"message"}},
		{"wildcard after the fallbacks", "fallback", "anybody", "three", []string{}},
		{"named users do not fall back", "fallback", "op", "one", nil},
	}
	for i, tt := range tests {
		p, refusal := h.try(tt.group, string(rune('a'+i)), tt.username, tt.password)
		if tt.want == nil {
			if refusal == nil {
				t.Errorf("%s: joined with %v, want a refusal", tt.name, p.Permissions().List())
			}
			continue
		}
		if refusal != nil {
			t.Errorf("%s: %v, want %v", tt.name, refusal, tt.want)
			continue
		}
		if got := p.Permissions().List(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: permissions = %v, want %v", tt.name, got, tt.want)
		}
	}
}

// hash returns a definition's password that costs something.
func hash(tb testing.TB, secret string, cost int) string {
	tb.Helper()
	p, err := password.Hash(secret, cost)
	if err != nil {
		tb.Fatal(err)
	}
	text, err := p.MarshalJSON()
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// pbkdf2 returns a definition's password that nobody knows.
func pbkdf2(iterations int) string {
	return fmt.Sprintf(`{"type":"pbkdf2","hash":"sha-256","key":"00","salt":"00","iterations":%d}`, iterations)
}

// countChecks makes the registry note the computations that it does; those that
// take time are done only if compute is true, and otherwise fail.
func countChecks(r *Registry, compute bool) func() map[password.Cost]int {
	var mu sync.Mutex
	counts := make(map[password.Cost]int)
	check := r.check
	r.check = func(ctx context.Context, p *password.Password, offered string) (bool, error) {
		if cost := p.Cost(); cost != (password.Cost{}) {
			mu.Lock()
			counts[cost]++
			mu.Unlock()
			if !compute {
				return false, nil
			}
		}
		return check(ctx, p, offered)
	}
	return func() map[password.Cost]int {
		mu.Lock()
		defer mu.Unlock()
		result := counts
		counts = make(map[password.Cost]int)
		return result
	}
}

// Whoever is refused cannot tell from the time whether there is such a user: the
// same computations are done for all.
func TestEveryRefusalTakesTheSameComputations(t *testing.T) {
	t.Parallel()
	dear, cheap, dearest := hash(t, "x", 5), hash(t, "y", 4), hash(t, "z", 6)
	users := `"users":{"dear":{"password":` + dear + `},"cheap":{"password":` + cheap + `},"cheap2":{"password":` + cheap + `},
		"slow":{"password":` + pbkdf2(100) + `},"plain":{"password":"x"},"none":{},"off":{"password":{}},
		"null":{"password":null},"":{"password":"x"}}`
	tests := map[string]struct {
		definition string
		want       int // computations
	}{
		"users of every kind": {`{` + users + `}`, 3},
		"wildcard with a password": {
			`{` + users + `,"wildcard-user":{"password":` + cheap + `}}`, 3,
		},
		"several fallbacks": {
			`{` + users + `,"fallback-users":[{"password":` + cheap + `},{"password":` + cheap + `},{"password":` + pbkdf2(7) + `}],
				"wildcard-user":{"password":` + cheap + `}}`, 6,
		},
		"unusable fallback":  {`{` + users + `,"fallback-users":[{"password":{"type":"rot13"}}]}`, 3},
		"nothing to compute": {`{"users":{"plain":{"password":"x"},"none":{}}}`, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBank(t, map[string]string{"room": tt.definition})
			admin := user("", `"admin"`)
			if err := admin.Password.UnmarshalJSON([]byte(dearest)); err != nil {
				t.Fatal(err)
			}
			b.settings = &config.Settings{Users: map[string]config.User{"admin": admin, "dear": user("q", `"admin"`)}}
			counts := countChecks(b.Registry, false)
			var joins, requests []map[password.Cost]int
			long := strings.Repeat("x", maxPasswordBytes+1)
			for _, username := range []string{"dear", "cheap", "slow", "plain", "none", "off", "null", "", "unknown", "a//b", "admin"} {
				for _, offered := range []string{"wrong", long} {
					if _, refusal := b.try("room", "1", username, offered); refusal == nil || !refusal.Delay {
						if username != "a//b" {
							t.Errorf("%s: %v, want not authorised", username, refusal)
						}
					}
					if took := counts(); username != "a//b" { // there is no such user anywhere
						joins = append(joins, took)
					}
					c := Credentials{Username: &username, Password: offered}
					if _, err := b.Authenticate(t.Context(), "room", c); !errors.Is(err, ErrUnauthorised) {
						t.Errorf("%s: %v, want ErrUnauthorised", username, err)
					}
					requests = append(requests, counts())
				}
			}
			for _, got := range [][]map[password.Cost]int{joins, requests} {
				for i, took := range got {
					if !maps.Equal(took, got[0]) {
						t.Errorf("refusal %d took %v, the first %v", i, took, got[0])
					}
				}
			}
			total := 0
			for _, n := range joins[0] {
				total += n
			}
			if total != tt.want {
				t.Errorf("a refusal takes %d computations, want %d: %v", total, tt.want, joins[0])
			}
		})
	}
}

func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	var users []string
	for i := range 3 * maxDecoys {
		users = append(users, fmt.Sprintf(`"%d":{"password":%s}`, i, pbkdf2(i+1)))
	}
	h := newHouse(t, map[string]string{"room": `{"users":{` + strings.Join(users, ",") + `}}`})
	counts := countChecks(h.Registry, false)
	if _, refusal := h.try("room", "1", "unknown", "x"); refusal == nil {
		t.Error("an unknown user was let in")
	}
	if got := counts(); len(got) != maxDecoys {
		t.Errorf("a refusal took %d computations, want %d", len(got), maxDecoys)
	}
}

func TestSuccessTakesNoMoreThanItsOwnComputation(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": `{"users":{"dear":{"password":` + hash(t, "x", 5) + `},"cheap":{"password":` + hash(t, "y", 4) + `}}}`})
	counts := countChecks(h.Registry, true)
	if _, refusal := h.try("room", "1", "cheap", "y"); refusal != nil {
		t.Fatal(refusal)
	}
	if got := counts(); len(got) != 1 {
		t.Errorf("letting somebody in took %v, want one computation", got)
	}
}

// A password is waited for, but not for ever.
func TestLoginsTimeOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": `{"users":{"op":{"password":` + hash(t, "x", 4) + `}}}`})
	synctest.Test(t, func(t *testing.T) {
		h.check = func(ctx context.Context, _ *password.Password, _ string) (bool, error) {
			<-ctx.Done()
			return false, ctx.Err()
		}
		begin := time.Now()
		_, err := h.Join(t.Context(), "room", Credentials{Username: new("op")}, Newcomer{ID: "1"})
		refusal, ok := errors.AsType[*JoinError](err)
		if !ok || refusal.Text != textBusy || refusal.Delay || !errors.Is(err, ErrBusy) || time.Since(begin) != loginTimeout {
			t.Errorf("Join = %v after %v, want %q after %v", err, time.Since(begin), textBusy, loginTimeout)
		}
	})
}

func TestSlowLoginsDelayNobodyElse(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"slow": ops, "quick": `{"public":true,` + ops[1:]})
	member := h.join("slow", "op") // so that both groups are in memory
	other := h.join("quick", "op")
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var waiting atomic.Int32
		check := h.check
		h.check = func(ctx context.Context, p *password.Password, offered string) (bool, error) {
			waiting.Add(1)
			<-release
			return check(ctx, p, offered)
		}
		const logins = 12
		done := make(chan error, logins)
		for range logins {
			go func() {
				username := "presenter"
				_, err := h.Join(t.Context(), "slow", Credentials{Username: &username, Password: "x"}, Newcomer{ID: "1"})
				done <- err
			}()
		}
		synctest.Wait()
		if got := waiting.Load(); got != logins {
			t.Fatalf("%d passwords are being checked, want %d", got, logins)
		}

		// None of these would return if a check held a lock that they take.
		for _, name := range []string{"quick", "slow"} {
			if _, err := h.Status(name); err != nil {
				t.Errorf("Status(%s) = %v", name, err)
			}
		}
		h.PublicStatuses()
		if err := member.UpdateData(Data{}); err != nil {
			t.Error(err)
		}
		other.Group().SetLocked(true, "")
		other.Leave()

		close(release)
		for range logins {
			if err := <-done; err == nil {
				t.Error("a wrong password was accepted")
			}
		}
	})
}

func TestJoinGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"room": ops})
	h.check = func(ctx context.Context, _ *password.Password, _ string) (bool, error) {
		<-ctx.Done()
		return false, ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	username := "op"
	_, err := h.Join(ctx, "room", Credentials{Username: &username}, Newcomer{ID: "1"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Join with an ended context = %v, want context.Canceled", err)
	}
	h.check = func(context.Context, *password.Password, string) (bool, error) {
		return false, password.ErrBusy
	}
	if _, refusal := h.try("room", "1", "op", "secret"); refusal == nil || refusal.Text != textBusy || refusal.Delay {
		t.Errorf("Join on a busy server = %+v, want %q", refusal, textBusy)
	}
}
