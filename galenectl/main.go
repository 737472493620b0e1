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
	"strings"
	"syscall"

	"galene/buildinfo"
)

// Exit statuses.
const (
	statusDone   = 0
	statusFailed = 1 // the command could not do what it should, or was not told what
	statusUsage  = 2 // there is no such flag, or it cannot have that value
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
		{"initial-setup", "", "make the first administrator: the server's config.json, and galenectl's configuration", initialSetup},
		{"hash-password", "", "print a password as it is stored", hashPassword},
		{"set-password", "", "set a user's password", setPassword},
		{"delete-password", "", "remove a user's password, so that nobody gets in by that name", deletePassword},
		{"list-groups", "[PATTERN…]", "list the groups that have a definition", listGroups},
		{"show-group", "", "print a group's definition, without users and keys", showGroup},
		{"create-group", "", "make a group", createGroup},
		{"update-group", "", "change a group's definition", updateGroup},
		{"delete-group", "", "delete a group's definition", deleteGroup},
		{"list-users", "[PATTERN…]", "list a group's users", listUsers},
		{"create-user", "", "make a user, who gets in once there is a password", createUser},
		{"update-user", "", "change what a user may do", updateUser},
		{"delete-user", "", "delete a user", deleteUser},
		{"list-tokens", "", "list the tokens of a group or of the server", listTokens},
		{"create-token", "", "make a token and print it", createToken},
		{"update-token", "", "change what a token allows, or until when", updateToken},
		{"revoke-token", "", "make a token expire", revokeToken},
		{"delete-token", "", "delete a token", deleteToken},
		{"load-test", "GROUP-URL", "load a server with publishers and subscribers, and measure what comes through", loadTest},
	}
}

// environment is what a command has to work with.
type environment struct {
	stdin          *os.File
	stdout, stderr io.Writer
	global         globalFlags

	inputTaken bool // standard input has been read
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program. It returns the exit status.
func run(ctx context.Context, args []string, stdin *os.File, stdout, stderr io.Writer) int {
	e := &environment{stdin: stdin, stdout: stdout, stderr: stderr}
	set := e.global.flagSet(stderr)
	if err := set.Parse(args); err != nil {
		return parseStatus(err)
	}
	if e.global.version {
		_, _ = fmt.Fprintln(stdout, "galenectl", buildinfo.Version())
		return statusDone
	}
	words := set.Args()
	if len(words) > 0 && words[0] == "help" {
		if len(words) == 1 {
			set.Usage()
			return statusDone
		}
		words = []string{words[1], "-h"}
	}
	for _, c := range commands() {
		if len(words) > 0 && c.name == words[0] {
			return c.run(ctx, e, words[1:])
		}
	}
	if len(words) > 0 {
		_, _ = fmt.Fprintf(stderr, "galenectl: unknown command %q\n", words[0])
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
				_, _ = fmt.Fprintf(e.stderr, "galenectl %s: %s\n\nusage: galenectl [global flags] %s\n\n",
					name, c.summary, strings.TrimSpace(name+" [flags] "+c.arguments))
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
	return statusFailed
}

// fail prints an error and returns the exit status.
func (e *environment) fail(name string, err error) int {
	_, _ = fmt.Fprintf(e.stderr, "%s: %v\n", name, err)
	return statusFailed
}

// do parses the flags of a command that takes at most so many arguments, any number if that is negative, does the work, and returns the
// exit status.
func (e *environment) do(set *flag.FlagSet, args []string, most int, work func() error) int {
	if err := set.Parse(args); err != nil {
		return parseStatus(err)
	}
	if most >= 0 && set.NArg() > most {
		return e.usage(set, fmt.Errorf("there is no use for %q", set.Arg(most)))
	}
	err := work()
	if _, ok := errors.AsType[usageError](err); ok {
		return e.usage(set, err)
	}
	if err != nil {
		return e.fail(set.Name(), err)
	}
	return statusDone
}
