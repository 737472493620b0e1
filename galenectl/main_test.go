package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"galene/internal/testkit"
	"galene/internal/testlog"
)

func TestMain(m *testing.M) {
	testscript.Main(leakless{m}, map[string]func(){"galenectl": main})
}

// leakless runs tests, and fails if they leave goroutines behind.
type leakless struct{ m *testing.M }

func (l leakless) Run() int {
	status := l.m.Run()
	if err := goleak.Find(); status == 0 && err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

// outcome is what became of one invocation.
type outcome struct {
	status         int
	stdout, stderr string
}

// invoke runs the program.
func invoke(t *testing.T, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*testkit.Patience)
	defer cancel()
	var stdout, stderr testlog.Journal
	status := run(ctx, args, os.Stdin, &stdout, &stderr)
	return outcome{status, stdout.String(), stderr.String()}
}

func TestTheCommandLineIsUnderstood(t *testing.T) {
	t.Parallel()
	const url = "https://localhost:1/group/test/"
	tests := []struct {
		name   string
		args   string
		status int
		stdout string // part of it
		stderr string // part of it
	}{
		{"nothing", "", 1, "", "usage: galenectl"},
		{"help", "-h", 0, "", "load-test"},
		{"version", "-version", 0, "galenectl ", ""},
		{"unknown flag", "-nonsense", 2, "", "usage: galenectl"},
		{"unknown command", "nonsense", 1, "", `unknown command "nonsense"`},
		{"help of a command", "load-test -h", 0, "", "usage: galenectl [global flags] load-test [flags] GROUP-URL"},
		{"unknown flag of a command", "load-test -nonsense " + url, 2, "", "usage: galenectl"},
		{"no group", "load-test -idle 1", 1, "", "GROUP-URL"},
		{"two groups", "load-test -idle 1 " + url + " " + url, 1, "", "GROUP-URL"},
		{"flags after the group", "load-test " + url + " -idle 1", 1, "", "GROUP-URL"},
		{"not a URL", "load-test -idle 1 nonsense", 1, "", "nonsense"},
		{"nobody", "load-test " + url, 1, "", "nobody"},
		{"impossible value", "load-test -idle 1 -verify 0 " + url, 1, "", "-verify"},
		{"not a bitrate", "load-test -video fast " + url, 2, "", "bits per second"},
		{"no server there", "load-test -idle 1 " + url, 1, "", "cannot find the group https://localhost:1/group/test/"},
		{"a path on the server", "-server http://127.0.0.1:1 load-test -idle 1 /group/a/", 1, "", "http://127.0.0.1:1/group/a/"},
		{"no such configuration is an empty one", "-config /nonexistent -server http://127.0.0.1:1 load-test -idle 1 /group/a/", 1, "", "http://127.0.0.1:1/group/a/"},
		{"a configuration that cannot be read", "-config . load-test -idle 1 /group/a/", 1, "", "is a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := invoke(t, strings.Fields(tt.args)...)
			if got.status != tt.status || !strings.Contains(got.stdout, tt.stdout) || !strings.Contains(got.stderr, tt.stderr) {
				t.Errorf("galenectl %s: %+v, want status %d, %q, %q", tt.args, got, tt.status, tt.stdout, tt.stderr)
			}
		})
	}
}

func TestBitratesHaveUnits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   string
		want int // -1 if it is none
		out  string
	}{
		{"0", 0, "0"},
		{"1500k", 1_500_000, "1500k"},
		{"1500000", 1_500_000, "1500k"},
		{"2M", 2_000_000, "2M"},
		{"0.5m", 500_000, "500k"},
		{"1234", 1234, "1234"},
		{"", -1, ""},
		{"k", -1, ""},
		{"-1k", -1, ""},
		{"NaN", -1, ""},
		{"1e30", -1, ""},
	}
	for _, tt := range tests {
		var b bitrate
		err := b.Set(tt.in)
		if tt.want < 0 {
			if err == nil {
				t.Errorf("Set(%q) = %d, want an error", tt.in, b)
			}
			continue
		}
		if err != nil || int(b) != tt.want || b.String() != tt.out {
			t.Errorf("Set(%q) = %d (%v), %v, want %d (%s)", tt.in, b, &b, err, tt.want, tt.out)
		}
	}
}

// keys lists the keys of an object and of those in it, with dots.
func keys(prefix string, object map[string]any) []string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(object)) {
		list = append(list, prefix+key)
		if inner, ok := object[key].(map[string]any); ok && prefix+key != "scenario" {
			list = append(list, keys(prefix+key+".", inner)...)
		}
	}
	return list
}

// The names in the JSON output are what programs rely on.
const wantKeys = `chat chat.deliveries chat.p50_ms chat.p99_ms clients cpu_seconds delay_ms delay_ms.max delay_ms.p50 ` +
	`delay_ms.p95 delay_ms.p99 delay_ms.samples down_connections failures join_ms join_ms.all_media join_ms.first_media ` +
	`join_ms.first_media.max join_ms.first_media.p50 join_ms.first_media.p99 join_ms.joined join_ms.joined.max ` +
	`join_ms.joined.p50 join_ms.joined.p99 loss measure_end_unix_ns measure_start_unix_ns packets packets.corrupt ` +
	`packets.duplicates packets.expected packets.lost packets.received packets.recovered packets.sent publishers scenario seconds`

func testLoadTest(t *testing.T, program string) {
	t.Helper()
	server := testkit.StartProgram(t, program, testkit.ServerOptions{
		Groups: map[string]string{
			"room":   testkit.OpenGroup,
			"closed": `{"users": {"ada": {"password": "sesame", "permissions": "present"}}}`,
		},
		Args: []string{"-insecure=false"},
	})
	base := "https" + strings.TrimPrefix(server.HTTP, "http")
	args := func(text, group string) []string {
		return append(strings.Fields("load-test -warm-up 0s -duration 500ms "+text), base+"/group/"+group+"/")
	}

	t.Run("JSON", func(t *testing.T) {
		t.Parallel()
		got := invoke(t, args("-insecure -json -sync -quiet -publishers 1 -subscribers 1", "room")...)
		if got.status != statusDone || got.stderr != "measure start\nmeasure end\n" {
			t.Errorf("status %d, %q", got.status, got.stderr)
		}
		var object map[string]any
		if err := json.Unmarshal([]byte(got.stdout), &object); err != nil {
			t.Fatalf("%q: %v", got.stdout, err)
		}
		if names := strings.Join(keys("", object), " "); names != wantKeys {
			t.Errorf("keys are\n%s, want\n%s", names, wantKeys)
		}
		if list, ok := object["failures"].([]any); !ok {
			t.Errorf("failures are %v, want a list", list)
		}
	})
	t.Run("text", func(t *testing.T) {
		t.Parallel()
		got := invoke(t, args("-insecure -publishers 1 -subscribers 1 -chat 10", "room")...)
		for _, part := range []string{"received ", "delay ", "chat "} {
			if got.status != statusDone || !strings.Contains(got.stdout, part) {
				t.Errorf("status %d, stdout %q lacks %q, stderr %q", got.status, got.stdout, part, got.stderr)
			}
		}
	})
	failing := []struct {
		name, args, group string
		want              string // in all output
	}{
		{"bad certificate", "-idle 1", "room", "certificate"},
		{"no such group", "-insecure -idle 1", "nonsense", "404"},
		{"wrong password", "-insecure -json -idle 2 -username ada -password guess", "closed", "could not join"},
		{"wrong token", "-insecure -json -idle 1 -token guess", "room", "could not join"},
	}
	for _, tt := range failing {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := invoke(t, args(tt.args, tt.group)...)
			if got.status != statusFailed || !strings.Contains(got.stdout+got.stderr, tt.want) {
				t.Errorf("%+v, want status 1 and something about %q", got, tt.want)
			}
		})
	}
	t.Run("right password", func(t *testing.T) {
		t.Parallel()
		if got := invoke(t, args("-insecure -idle 2 -username ada -password sesame", "closed")...); got.status != statusDone {
			t.Errorf("%+v, want status 0", got)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		interrupt(t, base+"/group/room/")
	})
}

// interrupt stops the program while it measures: it prints what it has.
func interrupt(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*testkit.Patience)
	defer cancel()
	var stdout, stderr testlog.Journal
	status := make(chan int, 1)
	go func() {
		args := strings.Fields("load-test -insecure -json -sync -quiet -publishers 1 -subscribers 1 -warm-up 0s -duration 1h")
		status <- run(ctx, append(args, url), os.Stdin, &stdout, &stderr)
	}()
	for ctx.Err() == nil && !strings.Contains(stderr.String(), "measure start") {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond)
	cancel()
	if got := <-status; got != statusDone || !strings.Contains(stdout.String(), `"received":`) {
		t.Errorf("status %d, stdout %q, stderr %q", got, stdout.String(), stderr.String())
	}
}
