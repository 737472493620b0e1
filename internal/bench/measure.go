package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// setupTimeout is how long a measurement may take besides warming up and
// measuring.
const setupTimeout = 2 * time.Minute

// bench measures. It keeps nothing from one measurement to the next.
type bench struct {
	options   options
	proc      proc
	self      string // this program
	galenectl string
	probe     string // compiled benchmarks of package main
}

// limitEnvironment keeps the runtime from interrupting the limit's thread.
const limitEnvironment = "GODEBUG=asyncpreemptoff=1"

// limit measures the limit in the form of a scenario.
func (b *bench) limit(ctx context.Context, s *scenario) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, b.options.warmUp+b.options.duration+setupTimeout)
	defer cancel()
	flows := len(s.shape.flows())
	do := drainOptions{ports: flows, flows: flows, verify: defaultVerify, gro: b.options.gro}
	drain, err := startChild(ctx, "drain", b.self, append([]string{"drain"}, do.arguments()...)...)
	if err != nil {
		return nil, err
	}
	defer drain.stop()
	text, err := drain.await(ctx, announcePorts)
	if err != nil {
		return nil, err
	}
	lo := limitOptions{
		shape: s.shape, paced: s.paced, arena: defaultArena,
		warmUp: b.options.warmUp, duration: b.options.duration,
	}
	if lo.ports, err = parsePorts(text); err != nil {
		return nil, err
	}
	sender, err := startChildWith(ctx, []string{limitEnvironment}, limitSubject, b.self, append([]string{"limit"}, lo.arguments()...)...)
	if err != nil {
		return nil, err
	}
	defer sender.stop()
	thread, err := sender.await(ctx, announceThread)
	if err != nil {
		return nil, err
	}
	used, err := between(ctx, sender,
		func() (usage, error) { return b.proc.thread(sender.pid(), thread) },
		func() (usage, error) { return b.proc.usage(drain.pid()) })
	if err != nil {
		return nil, err
	}
	var sent limitCounts
	if err := sender.result(ctx, &sent); err != nil {
		return nil, err
	}
	var received drainCounts
	if err := drain.result(ctx, &received); err != nil {
		return nil, err
	}
	return limitSample(sent, received, used[0], used[1], b.options.duration)
}

// limitSample returns the figures of a limit.
func limitSample(sent limitCounts, received drainCounts, sender, drain usage, span time.Duration) (sample, error) {
	switch {
	case sent.Packets == 0:
		return nil, errors.New("the limit has sent nothing")
	case received.Received == 0:
		return nil, errors.New("nothing of the limit has been received")
	case received.Corrupt > 0:
		return nil, fmt.Errorf("%d packets of the limit are corrupt", received.Corrupt)
	}
	return sample{
		cpuPerPacket:      float64(sender.cpu.Nanoseconds()) / 1000 / float64(sent.Packets),
		switchesPerPacket: float64(sender.switches) / float64(sent.Packets),
		packetRate:        float64(sent.Packets) / span.Seconds(),
		serverCPU:         100 * sender.cpu.Seconds() / span.Seconds(),
		generatorCPU:      100 * drain.cpu.Seconds() / span.Seconds(),
	}, nil
}

// server measures a server in a scenario.
func (b *bench) server(ctx context.Context, s *scenario, subject subject) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, b.options.warmUp+b.options.duration+setupTimeout)
	defer cancel()
	server, err := startServer(ctx, subject)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	var m measurement
	if m.before, err = b.proc.memory(server.pid()); err != nil {
		return nil, err
	}
	args := append([]string{
		"load-test", "-json", "-sync", "-quiet",
		"-duration", b.options.duration.String(), "-warm-up", b.options.warmUp.String(),
	}, s.args...)
	load, err := startChild(ctx, "load test", b.galenectl, append(args, server.url)...)
	if err != nil {
		return nil, err
	}
	defer load.stop()
	used, err := between(ctx, load, func() (usage, error) { return b.proc.usage(server.pid()) })
	if err != nil {
		return nil, err
	}
	m.server = used[0]
	if m.after, err = b.proc.memory(server.pid()); err != nil {
		return nil, err
	}
	if err := load.result(ctx, &m.load); err != nil {
		return nil, err
	}
	if err := m.load.check(); err != nil {
		return nil, err
	}
	if load.err != nil {
		return nil, load.failure(load.err.Error())
	}
	return m.sample(), nil
}

// between returns how much more is used, of what some functions tell, after the
// announcer has measured than before.
func between(ctx context.Context, announcer *child, tell ...func() (usage, error)) ([]usage, error) {
	read := func(line string) ([]usage, error) {
		if _, err := announcer.await(ctx, line); err != nil {
			return nil, err
		}
		used := make([]usage, len(tell))
		for i := range tell {
			var err error
			if used[i], err = tell[i](); err != nil {
				return nil, err
			}
		}
		return used, nil
	}
	start, err := read(lineStart)
	if err != nil {
		return nil, err
	}
	end, err := read(lineEnd)
	if err != nil {
		return nil, err
	}
	for i := range end {
		end[i] = end[i].since(start[i])
	}
	return end, nil
}

// idleDown measures what a down connection costs without media, by the
// benchmark of package main which counts goroutines inside the server.
func (b *bench) idleDown(ctx context.Context) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	c, err := startChild(ctx, "probe", b.probe,
		"-test.run", "^$", "-test.bench", "^BenchmarkIdleDown$", "-test.benchtime", "1x")
	if err != nil {
		return nil, err
	}
	defer c.stop()
	select {
	case <-c.done:
	case <-ctx.Done():
		return nil, c.failure("does not end")
	}
	if c.err != nil {
		return nil, fmt.Errorf("%w; it printed:\n%s", c.failure(c.err.Error()), c.stdout.Bytes())
	}
	return parseBenchmark(c.stdout.String(), probeMetrics)
}

// build makes the programs that the scenarios need, in directory.
func (b *bench) build(ctx context.Context, directory string) error {
	needed := map[string]bool{}
	for _, s := range b.options.scenarios {
		needed["probe"] = needed["probe"] || s.kind == kindProbe
		needed["server"] = needed["server"] || s.kind != kindProbe
	}
	if needed["server"] {
		if err := goTool(ctx, "build", "-trimpath", "-o", filepath.Join(directory, ours), "."); err != nil {
			return err
		}
		b.galenectl = b.options.loadTest
		if b.galenectl == "" {
			b.galenectl = filepath.Join(directory, "galenectl")
			if err := goTool(ctx, "build", "-trimpath", "-o", b.galenectl, "./galenectl"); err != nil {
				return err
			}
		}
	}
	if needed["probe"] {
		b.probe = filepath.Join(directory, "probe.test")
		return goTool(ctx, "test", "-c", "-o", b.probe, ".")
	}
	return nil
}

func goTool(ctx context.Context, args ...string) error {
	c, err := startChild(ctx, "go "+args[0], "go", args...)
	if err != nil {
		return err
	}
	defer c.stop()
	<-c.done
	if c.err != nil {
		return c.failure(c.err.Error())
	}
	return ctx.Err()
}

// probeMetrics are the units of the benchmark that idleDown runs.
var probeMetrics = map[string]metric{
	"goroutines/down": goroutinesPerDown,
	"rss-kB/down":     memoryPerDown,
	"in-use-kB/down":  inUsePerDown,
}

// parseBenchmark reads the figures of a benchmark's one line (the format is
// that of golang.org/design/14313-benchmark-format), by their units.
func parseBenchmark(text string, units map[string]metric) (sample, error) {
	s := make(sample)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			m, ok := units[fields[i+1]]
			if !ok {
				continue
			}
			var value float64
			if _, err := fmt.Sscan(fields[i], &value); err != nil {
				return nil, fmt.Errorf("benchmark line %q: %w", line, err)
			}
			s[m] = value
		}
	}
	if len(s) != len(units) {
		return nil, fmt.Errorf("the benchmark has printed %d of %d figures:\n%s", len(s), len(units), text)
	}
	return s, nil
}
