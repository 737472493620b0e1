package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the scripts' expected output")

// Each script has a home of its own, and these variables: SERVER is a server, whose administrator is root with the password sesame, or who
// gives the token global-admin.
const (
	adminName     = "root"
	adminPassword = "sesame"
	adminToken    = "global-admin"
)

// TestScripts runs what concerns galenectl itself, and what it sends and makes of replies.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "scripts"), UpdateScripts: *update, RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			f := startFake(env)
			env.Values["fake"] = f
			env.Setenv("ELSEWHERE", f.elsewhere.URL)
			env.Setenv("TLS", f.tls.URL)
			env.Setenv("NOT_TLS", "https"+strings.TrimPrefix(f.server.URL, "http"))
			return prepareHome(env, f.server.URL)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"requests": requests,
			"mode":     mode,
		},
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
	})
}

// TestCommandsOnTheFake runs the scripts that any server has to pass.
func TestCommandsOnTheFake(t *testing.T) {
	t.Parallel()
	runCommands(t, testscript.Params{Dir: filepath.Join("testdata", "commands")},
		func(env *testscript.Env) string { return startFake(env).server.URL })
}

// runCommands runs those of the scripts that any server has to pass which p names. start returns the URL of a server without groups.
func runCommands(t *testing.T, p testscript.Params, start func(*testscript.Env) string) {
	t.Helper()
	p.UpdateScripts, p.RequireExplicitExec = *update, true
	p.Setup = func(env *testscript.Env) error { return prepareHome(env, start(env)) }
	p.Cmds = map[string]func(*testscript.TestScript, bool, []string){"exits": exits}
	testscript.Run(t, p)
}

// prepareHome makes the administrator's configuration for a server.
func prepareHome(env *testscript.Env, server string) error {
	directory := filepath.Join(env.WorkDir, "home", ".config")
	env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
	env.Setenv("XDG_CONFIG_HOME", directory)
	env.Setenv("SERVER", server)
	env.Setenv("TZ", "UTC")
	// With the race detector, each process would otherwise wait a second before it ends.
	env.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	if err := os.MkdirAll(filepath.Join(directory, "galene"), 0o700); err != nil {
		return err
	}
	text := fmt.Sprintf(`{"server": %q, "admin-username": %q, "admin-password": %q}`, server, adminName, adminPassword)
	return os.WriteFile(filepath.Join(directory, "galene", "galenectl.json"), []byte(text), 0o600)
}

// exits is "exits STATUS PROGRAM ARGUMENTS": like exec, but with the exit status that the program has to have.
func exits(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM ARGUMENTS")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%q exits with %d, want %d", args[1:], got, want)
	}
}

// requests prints the requests that the fake server got since it was asked before.
func requests(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) > 0 {
		ts.Fatalf("usage: requests")
	}
	var lines strings.Builder
	for _, line := range ts.Value("fake").(*fake).takeLog() {
		lines.WriteString(line + "\n")
	}
	_, err := fmt.Fprint(ts.Stdout(), lines.String())
	ts.Check(err)
}

// mode is "mode OCTAL FILE": the file has to have those permissions.
func mode(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 2 {
		ts.Fatalf("usage: mode OCTAL FILE")
	}
	want, err := strconv.ParseUint(args[0], 8, 32)
	ts.Check(err)
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := info.Mode().Perm(); got != os.FileMode(want) {
		ts.Fatalf("%s has mode %o, want %o", args[1], got, want)
	}
}
