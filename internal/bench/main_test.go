package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test binary be each of the programs that are started.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "limit", "drain":
			os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		case "load-test":
			os.Exit(fakeLoadTest(os.Args[2:]))
		case "-http":
			os.Exit(fakeServer(os.Args[2]))
		}
	}
	if slices.Contains(os.Args, "^BenchmarkIdleDown$") {
		fmt.Println("BenchmarkIdleDown-2 1 36 ns/op 11.5 goroutines/down 140 in-use-kB/down 120 rss-kB/down")
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// fakeServer answers until it is interrupted.
func fakeServer(address string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	page := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	s := http.Server{Addr: address, Handler: page, ReadHeaderTimeout: time.Second}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// fakeLoadTest behaves as galenectl load-test does, without any load. With
// -drop it complains.
func fakeLoadTest(args []string) int {
	set := flag.NewFlagSet("load-test", flag.ExitOnError)
	duration := set.Duration("duration", time.Second, "")
	for _, name := range []string{"json", "sync", "quiet", "meeting", "audio", "paced", "join-at-once"} {
		set.Bool(name, false, "")
	}
	for _, name := range []string{"warm-up", "groups", "publishers", "subscribers", "video", "fps", "packets-per-frame", "drop"} {
		set.String(name, "", "")
	}
	idle := set.Int("idle", 0, "")
	chat := set.Int("chat", 0, "")
	_ = set.Parse(args)
	if response, err := http.Get(set.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	} else {
		_ = response.Body.Close()
	}
	fmt.Fprintln(os.Stderr, "something else")
	fmt.Fprintln(os.Stderr, lineStart)
	time.Sleep(*duration)
	fmt.Fprintln(os.Stderr, lineEnd)
	result := map[string]any{"seconds": duration.Seconds(), "clients": 10, "failures": []string{}}
	if *idle == 0 {
		result["packets"] = map[string]int{"expected": 1000, "received": 990, "lost": 10}
		result["delay_ms"] = map[string]float64{"p50": 0.5, "p99": 4, "samples": 30}
		result["join_ms"] = map[string]any{"all_media": 350.0}
	}
	if *chat > 0 {
		result["chat"] = map[string]any{"deliveries": 100, "p50_ms": 1.5, "p99_ms": 2.5}
	}
	if set.Lookup("drop").Value.String() != "" {
		result["failures"] = []string{"a subscriber has not joined"}
	}
	_ = json.NewEncoder(os.Stdout).Encode(result)
	return 0
}

// newTestBench returns a bench all of whose programs are the test binary.
func newTestBench(t *testing.T, names ...string) (*bench, []subject) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what a process has used")
	}
	t.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector would let each process end slowly
	o := options{rounds: 2, duration: 200 * time.Millisecond, gro: true}
	for _, name := range names {
		o.scenarios = append(o.scenarios, *findScenario(name))
	}
	o.json = filepath.Join(t.TempDir(), "figures.json")
	binary := os.Args[0]
	return &bench{options: o, proc: newProc(), self: binary, galenectl: binary, probe: binary},
		[]subject{{name: ours, binary: binary}, {name: "another", binary: binary}}
}

func TestEveryKindOfScenarioIsMeasured(t *testing.T) {
	b, subjects := newTestBench(t, "lecture", "rooms-paced", "storm", "idle", "chat", "idle-down")
	var stdout, stderr strings.Builder
	if err := b.measure(t.Context(), subjects, &stdout, &stderr); err != nil {
		t.Fatalf("%v; it printed:\n%s", err, &stderr)
	}
	var figures struct {
		Results []struct {
			Scenario, Subject string
			Median            sample
			Rounds            []sample
		}
	}
	text, err := os.ReadFile(b.options.json)
	if err == nil {
		err = json.Unmarshal(text, &figures)
	}
	if err != nil {
		t.Fatal(err)
	}
	wants := map[string][]metric{
		"lecture of limit":       {cpuPerPacket, generatorCPU},
		"lecture of galene":      {cpuPerPacket, ratioToLimit, delayP50, delayP99, lossShare, memoryPerClient, switchesPerPacket},
		"lecture of another":     {cpuPerPacket, ratioToLimit},
		"meeting-paced of limit": {cpuPerPacket},
		"rooms-paced of galene":  {cpuPerPacket, ratioToLimit},
		"rooms-paced of another": {ratioToLimit},
		"storm of galene":        {allMedia},
		"storm of another":       {allMedia},
		"idle of galene":         {memoryPerClient, serverCPU},
		"idle of another":        {memoryPerClient},
		"chat of galene":         {cpuPerDelivery, chatP50, chatP99},
		"chat of another":        {cpuPerDelivery},
		"idle-down of galene":    {goroutinesPerDown, memoryPerDown, inUsePerDown},
	}
	for _, r := range figures.Results {
		name := r.Scenario + " of " + r.Subject
		want, ok := wants[name]
		if !ok {
			t.Errorf("%s was measured, or more than once", name)
		}
		delete(wants, name)
		for _, m := range want {
			if _, ok := r.Median[m]; !ok {
				t.Errorf("%s has no %s: %v", name, m, r.Median)
			}
		}
		if len(r.Rounds) != b.options.rounds {
			t.Errorf("%s has %d rounds, want %d", name, len(r.Rounds), b.options.rounds)
		}
	}
	for name := range wants {
		t.Errorf("%s was not measured", name)
	}
	for _, want := range []string{"### Media", "### Chat", "### Promises", "| ms until all have media", "missed", "met"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &stdout)
		}
	}
}

func TestWhatFailsIsLeftOut(t *testing.T) {
	b, subjects := newTestBench(t, "lossy", "chat")
	var stdout, stderr strings.Builder
	err := b.measure(t.Context(), subjects[:1], &stdout, &stderr)
	if !errors.Is(err, errFailures) {
		t.Errorf("error %v, want %v", err, errFailures)
	}
	if !strings.Contains(stderr.String(), "a subscriber has not joined") {
		t.Errorf("the complaint is not shown:\n%s", &stderr)
	}
	if got := stdout.String(); !strings.Contains(got, "Failed: lossy of galene, round 1") || !strings.Contains(got, "| chat ") {
		t.Errorf("the report should have the failure and the rest:\n%s", got)
	}
}

func TestServersThatDoNotStartAreReported(t *testing.T) {
	b, _ := newTestBench(t, "chat")
	for _, binary := range []string{"/bin/false", "/nonexistent"} {
		if _, err := b.server(t.Context(), findScenario("chat"), subject{name: "broken", binary: binary}); err == nil ||
			!strings.Contains(err.Error(), "broken") {
			t.Errorf("%s: error %v, want one that names the server", binary, err)
		}
	}
}
