package ice

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"

	"galene/internal/testlog"
)

func TestSourceFollowsTheFileAndKeepsTheLastGoodOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ice-servers.json")
	var log testlog.Journal
	s := NewSource(Options{File: path, Log: log.Logger()})
	steps := []struct {
		name, data string // no data: the file is removed
		want       string // the first URL
		errors     int    // logged so far
	}{
		{"missing at first", "", "", 0},
		{"written", `[{"urls":"stun:one.example"}]`, "stun:one.example", 0},
		{"same size", `[{"urls":"stun:two.example"}]`, "stun:two.example", 0},
		{"broken keeps the last good", `[{"urls":`, "stun:two.example", 1},
		{"broken otherwise", `[{"urls":"gopher:x"}]`, "stun:two.example", 2},
		{"mended", `[{"urls":"stun:three.example"}]`, "stun:three.example", 2},
		{"removed means none", "", "", 2},
	}
	for _, step := range steps {
		if step.data == "" {
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		} else {
			write(t, path, step.data)
		}
		for range 3 { // looking again does not log again
			s.Refresh()
			var got string
			if servers := s.ForClient("c", at); len(servers) > 0 {
				got = servers[0].URLs[0]
			}
			if got != step.want {
				t.Errorf("%s: first URL %q, want %q", step.name, got, step.want)
			}
		}
		if got := log.Count("level=ERROR"); got != step.errors {
			t.Errorf("%s: %d errors logged, want %d:\n%s", step.name, got, step.errors, &log)
		}
	}
	if got := log.Count("ICE servers read"); got != 3 {
		t.Errorf("%d new files logged, want 3:\n%s", got, &log)
	}
}

func TestAutomaticRelayRunsWhileThereIsNoFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ice-servers.json")
	relay := &fakeRelay{urls: []string{"turn:192.0.2.1:1194"}}
	s := NewSource(Options{File: path, Relay: relay, Auto: true, Log: new(testlog.Journal).Logger()})
	if relay.isRunning() {
		t.Error("NewSource starts the relay")
	}
	steps := []struct {
		name, data string
		want       bool
	}{
		{"no file", "", true},
		{"a broken file was never good", `[`, true},
		{"a file", `[{"urls":"stun:a.example"}]`, false},
		{"broken, with a good one before", `[`, false},
		{"an empty list is a file too", `[]`, false},
		{"removed", "", true},
	}
	for _, step := range steps {
		if step.data == "" {
			_ = os.Remove(path)
		} else {
			write(t, path, step.data)
		}
		s.Refresh()
		if got := relay.isRunning(); got != step.want {
			t.Errorf("%s: relay running = %v, want %v", step.name, got, step.want)
		}
	}
}

func TestRelayThatIsAskedForRunsBesideTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ice-servers.json")
	write(t, path, `[{"urls":"stun:a.example"}]`)
	relay := &fakeRelay{urls: []string{"turn:192.0.2.1:1194", "turn:192.0.2.1:1194?transport=tcp"}}
	s := NewSource(Options{File: path, Relay: relay, Log: new(testlog.Journal).Logger()})
	s.Refresh()
	got, err := json.Marshal(s.ClientConfiguration("ada", at))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"iceServers":[{"urls":["stun:a.example"]},` +
		`{"urls":["turn:192.0.2.1:1194","turn:192.0.2.1:1194?transport=tcp"],` +
		`"username":"user-ada","credential":"password-ada","credentialType":"password"}]}`
	if string(got) != want {
		t.Errorf("configuration %s, want %s", got, want)
	}
	if relay.lastClient != "ada" || !relay.lastCredential.Equal(at) {
		t.Errorf("credentials made for %q at %v, want ada at %v", relay.lastClient, relay.lastCredential, at)
	}
}

func TestNothingToTellIsAnEmptyObject(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		relayOnly bool
		want      string
	}{
		{false, `{}`},
		{true, `{"iceTransportPolicy":"relay"}`},
	} {
		s := NewSource(Options{RelayOnly: tt.relayOnly, Log: new(testlog.Journal).Logger()})
		got, err := json.Marshal(s.ClientConfiguration("c", at))
		if err != nil || string(got) != tt.want {
			t.Errorf("relay only %v: configuration %s, %v, want %s", tt.relayOnly, got, err, tt.want)
		}
	}
}

func TestOwnConnectionsUseServersOnlyIfTheyMust(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ice-servers.json")
	write(t, path, `[{"urls":"stun:a.example"},
		{"urls":"turn:b.example","username":"u","credential":{"macKey":"k","accessToken":"t"},"credentialType":"oauth"},
		{"urls":"turn:c.example","credential":"north","credentialType":"hmac-sha1"}]`)
	relayURLs := []string{"turn:192.0.2.1:1194", "turn:192.0.2.1:1194?transport=tcp"}
	tests := []struct {
		name                 string
		behindNAT, relayOnly bool
		want                 []string
		policy               webrtc.ICETransportPolicy
	}{
		{"reachable", false, false, nil, webrtc.ICETransportPolicyAll},
		{"behind NAT", true, false, []string{"stun:a.example", "turn:c.example"}, webrtc.ICETransportPolicyAll},
		{"relayed", false, true, []string{"stun:a.example", "turn:c.example", "turn:192.0.2.1:1194"}, webrtc.ICETransportPolicyRelay},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := NewSource(Options{
				File: path, Relay: &fakeRelay{urls: relayURLs}, BehindNAT: func() bool { return tt.behindNAT }, RelayOnly: tt.relayOnly,
				Log: new(testlog.Journal).Logger(),
			})
			s.Refresh()
			c := s.Configuration()
			var got []string
			for _, server := range c.ICEServers {
				got = append(got, server.URLs...)
			}
			if !slices.Equal(got, tt.want) || c.ICETransportPolicy != tt.policy {
				t.Errorf("own servers %v, policy %v, want %v, %v", got, c.ICETransportPolicy, tt.want, tt.policy)
			}
			pc, err := webrtc.NewPeerConnection(c)
			if err != nil {
				t.Fatalf("the configuration is not accepted: %v", err)
			}
			_ = pc.GracefulClose()
		})
	}
}

func TestRelayErrorsAreLoggedOnceAndRetried(t *testing.T) {
	t.Parallel()
	relay := &fakeRelay{err: errors.New("address in use"), urls: []string{"turn:192.0.2.1:1194"}}
	var log testlog.Journal
	s := NewSource(Options{Relay: relay, Log: log.Logger()})
	for range 3 {
		s.Refresh()
	}
	if got := log.Count("address in use"); got != 1 || relay.starts != 3 {
		t.Errorf("error logged %d times in %d attempts, want once in 3:\n%s", got, relay.starts, &log)
	}
	relay.err = nil
	for range 3 {
		s.Refresh()
	}
	if got := log.Count("TURN server is running"); got != 1 {
		t.Errorf("success logged %d times, want once:\n%s", got, &log)
	}
}

func TestRunRefreshesAndTestsUntilItEnds(t *testing.T) { // not parallel: it has its own time
	synctest.Test(t, func(t *testing.T) {
		relay := &fakeRelay{urls: []string{"turn:192.0.2.1:1194"}}
		s := NewSource(Options{Relay: relay, Auto: true, Log: new(testlog.Journal).Logger()})
		tests := make(chan struct{}, 100)
		s.test = func(ctx context.Context) (relayTest, error) {
			tests <- struct{}{}
			<-ctx.Done() // a slow one does not hold up the rest
			return relayTest{}, ctx.Err()
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()

		time.Sleep(25*time.Hour + time.Second)
		synctest.Wait()
		if got := len(tests); got != 3 {
			t.Errorf("%d relay tests in 25 hours, want 3", got)
		}
		relay.mu.Lock()
		if relay.starts != 1+25*60 {
			t.Errorf("refreshed %d times in 25 hours, want %d", relay.starts, 1+25*60)
		}
		relay.mu.Unlock()
		cancel()
		<-done
		if relay.isRunning() {
			t.Error("the relay is still running")
		}
	})
}

func TestConfigurationIsFollowedAtEachRefresh(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ice-servers.json")
	write(t, path, `[{"urls":"stun:a.example"}]`)
	behindNAT, reloads := false, 0
	s := NewSource(Options{
		File: path, Log: slog.New(slog.DiscardHandler),
		BehindNAT: func() bool { return behindNAT },
		Reload:    func() { reloads++; behindNAT = reloads == 2 },
	})
	for i, want := range []int{0, 1, 0} {
		s.Refresh()
		if got := len(s.Configuration().ICEServers); got != want || reloads != i+1 {
			t.Errorf("refresh %d: %d servers, %d reloads, want %d and %d", i+1, got, reloads, want, i+1)
		}
	}
}
