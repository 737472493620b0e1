package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
)

// Exit statuses. A missed promise is no failure.
const (
	statusDone   = 0
	statusFailed = 1 // something could not be measured
	statusUsage  = 2 // the command line cannot be understood
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program, or one of the processes that it starts. It returns
// the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	var err error
	switch command {
	case "limit":
		err = limitCommand(args[1:], stdin, stdout, stderr)
	case "drain":
		err = drainCommand(ctx, args[1:], stdin, stdout, stderr)
	default:
		err = benchCommand(ctx, args, stdout, stderr)
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return statusDone
	case errors.Is(err, errUsage):
		return statusUsage
	}
	_, _ = fmt.Fprintln(stderr, "bench:", err)
	return statusFailed
}

// errFailures is returned if some figures are missing; which ones has been said
// already.
var errFailures = errors.New("something could not be measured")

// benchCommand measures what the command line says.
func benchCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	if runtime.GOOS != "linux" {
		return fmt.Errorf("only Linux tells what a process has used in enough detail: %w", errors.ErrUnsupported)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	directory, err := os.MkdirTemp("", "bench-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(directory) }()
	b := &bench{options: o, proc: newProc(), self: self}
	_, _ = fmt.Fprintln(stderr, "building")
	if err := b.build(ctx, directory); err != nil {
		return err
	}
	// The loopback interface need not be the only one for other servers, which
	// may not know the flag.
	galene := subject{name: ours, binary: filepath.Join(directory, ours), args: []string{"-loopback"}}
	return b.measure(ctx, append([]subject{galene}, o.others...), stdout, stderr)
}

// measure runs all rounds and reports.
func (b *bench) measure(ctx context.Context, subjects []subject, stdout, stderr io.Writer) error {
	r := report{surroundings: look(ctx), options: &b.options}
	for _, s := range subjects {
		r.subjects = append(r.subjects, s.name)
	}
	r.results = runRounds(ctx, b.options.rounds, b.jobs(subjects), stderr)
	r.results.compare(b.options.scenarios)
	r.verdicts = judge(promises(), r.results.median)
	err := r.write(stdout)
	if b.options.json != "" {
		err = errors.Join(err, r.writeJSON(b.options.json))
	}
	if b.options.write != "" {
		err = errors.Join(err, r.writeDocument(b.options.write))
	}
	if len(r.results.failures) > 0 {
		err = errors.Join(err, errFailures)
	}
	return err
}
