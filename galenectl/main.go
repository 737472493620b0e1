// Command galenectl is what administrators of a Galène server use on the command line.
//
// Each command is one element of a table and has a file of its own. What precedes the command are global flags, which
// every command understands; what follows it are its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// Exit statuses.
const (
	statusDone   = 0
	statusFailed = 1 // the command could not do what it should
	statusUsage  = 2 // the command line cannot be understood
)

// command is one thing that galenectl does.
type command struct {
	name      string
	arguments string // after the flags, for the usage
	summary   string // one line
	// run does it and returns the exit status. args are what follows the command's name.
	run func(ctx context.Context, e *environment, args []string) int
}

// commands are in the order in which the usage lists them.
func commands() []command {
	return []command{
		{"load-test", "GROUP-URL", "load a server with publishers and subscribers, and measure what comes through", loadTest},
	}
}

// environment is what a command has to work with.
type environment struct {
	stdout, stderr io.Writer
	global         globalFlags
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program. It returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	e := &environment{stdout: stdout, stderr: stderr}
	set := e.global.flagSet(stderr)
	if err := set.Parse(args); err != nil {
		return parseStatus(err)
	}
	if e.global.version {
		_, _ = fmt.Fprintln(stdout, "galenectl", version())
		return statusDone
	}
	for _, c := range commands() {
		if c.name == set.Arg(0) {
			return c.run(ctx, e, set.Args()[1:])
		}
	}
	if set.NArg() > 0 {
		_, _ = fmt.Fprintf(stderr, "galenectl: unknown command %q\n", set.Arg(0))
	}
	set.Usage()
	return statusFailed
}

// parseStatus is the exit status after flags could not be parsed, which was said already.
func parseStatus(err error) int {
	if errors.Is(err, flag.ErrHelp) {
		return statusDone
	}
	return statusUsage
}

// newFlagSet returns the flags of a command.
func (e *environment) newFlagSet(name string) *flag.FlagSet {
	set := flag.NewFlagSet("galenectl "+name, flag.ContinueOnError)
	set.SetOutput(e.stderr)
	set.Usage = func() {
		for _, c := range commands() {
			if c.name == name {
				_, _ = fmt.Fprintf(e.stderr, "galenectl %s: %s\n\nusage: galenectl [global flags] %s [flags] %s\n\n",
					name, c.summary, name, c.arguments)
			}
		}
		set.PrintDefaults()
	}
	return set
}

// usage prints what is wrong with the command line and how it should be, and returns the exit status.
func (e *environment) usage(set *flag.FlagSet, err error) int {
	_, _ = fmt.Fprintf(e.stderr, "%s: %v\n\n", set.Name(), err)
	set.Usage()
	return statusUsage
}

// fail prints an error and returns the exit status.
func (e *environment) fail(name string, err error) int {
	_, _ = fmt.Fprintf(e.stderr, "galenectl %s: %v\n", name, err)
	return statusFailed
}

// version is the module's version, or the revision that was built, as far as the build tells.
func version() string {
	const unknown = "(devel)"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknown
	}
	if version := info.Main.Version; version != "" && version != unknown {
		return version
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return unknown
}
