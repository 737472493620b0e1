package config

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestSettingsFollowTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.json")
	var log bytes.Buffer
	store := Open(path, slog.New(slog.NewTextHandler(&log, nil)))
	steps := []struct {
		name, data string // no data: the file is removed
		want       string // the canonical host
		logs       int    // errors logged so far
	}{
		{"missing at first", "", "", 0},
		{"written", `{"canonicalHost":"one.example"}`, "one.example", 0},
		{"same size", `{"canonicalHost":"two.example"}`, "two.example", 0},
		{"broken keeps the last good", `{"canonicalHost":`, "two.example", 1},
		{"unknown field keeps the last good", `{"bogus":1}`, "two.example", 2},
		{"bad value keeps the last good", `{"canonicalHost":"a/b"}`, "two.example", 3},
		{"mended", `{"canonicalHost":"three.example:8443"}`, "three.example:8443", 3},
		{"removed means the defaults", "", "", 3},
	}
	for _, step := range steps {
		if step.data == "" {
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		} else {
			write(t, path, step.data)
		}
		for range 3 { // reading on does not log again
			if got := store.Settings().CanonicalHost; got != step.want {
				t.Errorf("%s: canonicalHost = %q, want %q", step.name, got, step.want)
			}
		}
		if got := strings.Count(log.String(), "level=ERROR"); got != step.logs {
			t.Errorf("%s: %d errors logged, want %d:\n%s", step.name, got, step.logs, &log)
		}
	}
	if !strings.Contains(log.String(), `config.json:1: unknown field`) {
		t.Errorf("log names neither line nor field:\n%s", &log)
	}
}

func TestSettingsMayBeALinkToElsewhere(t *testing.T) {
	t.Parallel()
	target := filepath.Join(t.TempDir(), "galene.json")
	write(t, target, `{"canonicalHost":"galene.example"}`)
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	store := Open(path, slog.New(slog.DiscardHandler))
	if got := store.Settings().CanonicalHost; got != "galene.example" {
		t.Errorf("CanonicalHost = %q, want what the link leads to", got)
	}
}

func TestSettingsReadEveryField(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.json")
	write(t, path, `{"users":{"root":{"password":"x","permissions":"admin"}},"writableGroups":true,"recheckMembers":true,
		"canonicalHost":"a.example","proxyURL":"https://p.example/base/","allowOrigin":["https://o.example"],
		"allowAdminOrigin":["*"],"publicServer":true,
		"publicAddresses":["192.0.2.1"],"turnPeers":["10.0.0.0/8"],"admin":[{"username":"old","password":"x"}]}`)
	var log bytes.Buffer
	s := Open(path, slog.New(slog.NewTextHandler(&log, nil))).Settings()
	if !s.WritableGroups || !s.RecheckMembers || !s.PublicServer || s.CanonicalHost != "a.example" ||
		s.ProxyURL != "https://p.example/base/" || !slices.Equal(s.AllowOrigin, []string{"https://o.example"}) ||
		!slices.Equal(s.AllowAdminOrigin, []string{"*"}) ||
		!slices.Equal(s.PublicAddresses, []string{"192.0.2.1"}) || !slices.Equal(s.TURNPeers, []string{"10.0.0.0/8"}) ||
		!slices.Equal(s.Users["root"].Permissions.List(), []string{"admin"}) {
		t.Errorf("Settings() = %+v, log:\n%s", s, &log)
	}
	if !strings.Contains(log.String(), "obsolete") {
		t.Errorf("the obsolete field was not logged:\n%s", &log)
	}
}

func TestPublicServersAreWarnedAbout(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.json")
	var log bytes.Buffer
	write(t, path, `{"publicServer":true}`)
	store := Open(path, slog.New(slog.NewTextHandler(&log, nil)))
	warnings := func() int { return strings.Count(log.String(), "field=publicServer") }
	if got := warnings(); got != 1 {
		t.Errorf("%d warnings at the start, want 1:\n%s", got, &log)
	}
	write(t, path, `{"publicServer":true,"writableGroups":true}`)
	if store.Settings(); warnings() != 1 {
		t.Errorf("%d warnings after another change, want no more:\n%s", warnings(), &log)
	}
	write(t, path, `{}`)
	store.Settings()
	write(t, path, `{"publicServer":true}`)
	if store.Settings(); warnings() != 2 {
		t.Errorf("%d warnings when it is set again, want another:\n%s", warnings(), &log)
	}
}

func TestSettingsRefuseBadValues(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`{"proxyURL":"p.example"}`, `{"proxyURL":"ftp://p.example/"}`, `{"proxyURL":"%"}`,
		`{"canonicalHost":"https://a.example"}`, `{"canonicalHost":"a b"}`, `{"publicServer":"yes"}`,
		`{"publicAddresses":["meet.example"]}`, `{"publicAddresses":["192.0.2.1","192.0.2.2"]}`, `{"turnPeers":["host"]}`,
	} {
		path := filepath.Join(t.TempDir(), "config.json")
		write(t, path, data)
		if s, _, err := load(path); err == nil {
			t.Errorf("load(%s) = %+v, want an error", data, s)
		}
	}
}

func TestSettingsFromManyGoroutines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.json")
	store := Open(path, slog.New(slog.DiscardHandler))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if store.Settings() == nil {
					t.Error("Settings() = nil")
				}
			}
		})
	}
	for range 20 {
		write(t, path, `{"publicServer":true}`)
		write(t, path, `{}`)
	}
	wg.Wait()
}

func TestGrants(t *testing.T) {
	t.Parallel()
	tests := []struct {
		data, set string
		list      []string
	}{
		{`"op"`, "op", []string{"op", "present", "message", "caption", "token"}},
		{`"present"`, "present", []string{"present", "message"}},
		{`"message"`, "message", []string{"message"}},
		{`"observe"`, "observe", nil},
		{`"caption"`, "caption", []string{"caption"}},
		{`"admin"`, "admin", []string{"admin"}},
		{`["op","bogus"]`, "", []string{"op", "bogus"}},
		{`[]`, "", nil},
	}
	for _, tt := range tests {
		var g Grants
		if err := json.Unmarshal([]byte(tt.data), &g); err != nil {
			t.Errorf("Unmarshal(%s): %v", tt.data, err)
			continue
		}
		if g.Set() != tt.set || !slices.Equal(g.List(), tt.list) {
			t.Errorf("Unmarshal(%s) = %q %q, want %q %q", tt.data, g.Set(), g.List(), tt.set, tt.list)
		}
		if written, err := json.Marshal(g); string(written) != tt.data || err != nil {
			t.Errorf("Marshal = %s, %v, want %s", written, err, tt.data)
		}
		if l := g.List(); len(l) > 0 {
			l[0] = "changed"
			if g.List()[0] == "changed" {
				t.Errorf("List() of %s shares its result", tt.data)
			}
		}
	}
	for _, data := range []string{`"system"`, `""`, `"Op"`, `{}`, `5`, `[1]`} {
		var g Grants
		if err := json.Unmarshal([]byte(data), &g); err == nil {
			t.Errorf("Unmarshal(%s) = %+v, want an error", data, g)
		}
	}
}
