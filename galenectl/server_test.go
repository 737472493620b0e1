package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"galene/internal/testkit"
)

// TestOnTheServer runs what needs a real one, which is built once.
func TestOnTheServer(t *testing.T) {
	t.Parallel()
	program := testkit.BuildServer(t, "..")
	for name, test := range map[string]func(*testing.T, string){
		"the commands do what they should":             testCommands,
		"the initial setup fits the server":            testInitialSetup,
		"load-test speaks JSON and fails as it should": testLoadTest,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, program)
		})
	}
}

// startServer runs the server with an empty directory of groups and the given config.json, and returns its URL and directory of data.
func startServer(t *testing.T, program, settings string) (url, data string) {
	t.Helper()
	data = t.TempDir()
	if settings != "" {
		if err := os.WriteFile(filepath.Join(data, "config.json"), []byte(settings), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := testkit.StartProgram(t, program, testkit.ServerOptions{
		Groups: map[string]string{}, Args: []string{"-data", data, "-turn", ""},
	})
	return server.HTTP, data
}

func testCommands(t *testing.T, program string) {
	t.Helper()
	scripts, err := filepath.Glob(filepath.Join("testdata", "commands", "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("scripts: %v, %v", scripts, err)
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txtar"), func(t *testing.T) {
			t.Parallel()
			url, _ := startServer(t, program, fmt.Sprintf(
				`{"users": {%q: {"password": %q, "permissions": "admin"}}, "writableGroups": true}`, adminName, adminPassword))
			runCommands(t, testscript.Params{Files: []string{script}}, func(*testscript.Env) string { return url })
		})
	}
}

func testInitialSetup(t *testing.T, program string) {
	t.Helper()
	url, data := startServer(t, program, "")
	own := filepath.Join(t.TempDir(), "galenectl.json")
	secret := filepath.Join(t.TempDir(), "password.txt")
	if err := os.WriteFile(secret, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args   string
		status int
		stdout string
	}{
		{"-server " + url + " list-groups", statusFailed, ""},
		{"-server " + url + " -admin-username ada -admin-password-file " + secret +
			" initial-setup -config " + filepath.Join(data, "config.json"), statusDone, "The administrator of " + url + " is ada."},
		{"create-group -group meet", statusDone, ""},
		{"create-user -group meet -user bob", statusDone, ""},
		{"set-password -group meet -user bob -cost 4 -password-file " + secret, statusDone, ""},
		{"list-groups", statusDone, "meet\n"},
		{"-admin-username bob -admin-password-file " + secret + " list-groups", statusFailed, ""},
		// Users may set their own passwords, for which the one that is stored has to be as the server wants it.
		{"-admin-username bob -admin-password-file " + secret + " set-password -group meet -user bob -type pbkdf2 -iterations 4096 -password-file " + secret, statusDone, ""},
		{"-admin-username bob -admin-password-file " + secret + " set-password -group meet -user bob -cost 4 -password-file " + secret, statusDone, ""},
		{"-admin-username bob -admin-password wrong set-password -group meet -user bob -cost 4 -password-file " + secret, statusFailed, ""},
	} {
		got := invoke(t, append([]string{"-config", own}, strings.Fields(step.args)...)...)
		if got.status != step.status || !strings.Contains(got.stdout, step.stdout) {
			t.Fatalf("galenectl %s: %+v, want status %d and %q", step.args, got, step.status, step.stdout)
		}
	}
	made := invoke(t, "-config", own, "create-token", "-group", "", "-include-subgroups", "-permissions", "admin")
	if made.status != statusDone {
		t.Fatalf("create-token: %+v", made)
	}
	got := invoke(t, "-config", own, "-admin-token", strings.TrimSpace(made.stdout), "list-users", "-group", "meet", "-l")
	if got.stdout != "bob          present\n" {
		t.Errorf("list-users with the new token: %+v", got)
	}
}
