package group

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

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

func TestRefusalCostsAsMuchAsTheDearestPassword(t *testing.T) {
	t.Parallel()
	dear, err := password.Hash("x", 4)
	if err != nil {
		t.Fatal(err)
	}
	key, err := dear.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, map[string]string{
		"room": `{"users":{"dear":{"password":` + string(key) + `},"cheap":{"password":"x"},"none":{}},
			"wildcard-user":{"password":"guest"}}`,
	})
	var work atomic.Uint64
	check := h.check
	h.check = func(ctx context.Context, p *password.Password, offered string) (bool, error) {
		work.Add(p.Work())
		return check(ctx, p, offered)
	}
	for _, username := range []string{"dear", "cheap", "none", "unknown"} {
		work.Store(0)
		if _, refusal := h.try("room", "1", username, "wrong"); refusal == nil || !refusal.Delay {
			t.Errorf("%s: %v, want not authorised", username, refusal)
		}
		if got := work.Load(); got != dear.Work() {
			t.Errorf("refusing %s cost %d, want %d", username, got, dear.Work())
		}
	}
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
