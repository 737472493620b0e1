package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
)

// drainOptions say what is received, and how.
type drainOptions struct {
	ports  int // how many
	flows  int // for their keys
	verify int // one packet in so many is verified; none if 0
	// gro takes segmented messages uncut (UDP_GRO), as the load test does: then
	// neither side pays for the cutting, which many network devices do.
	gro bool
}

// drainCounts are what has been received until the end.
type drainCounts struct {
	Received uint64 `json:"received"`
	Verified uint64 `json:"verified"`
	Corrupt  uint64 `json:"corrupt"` // among those that were to be verified
}

// defaultVerify is what the load test verifies unless told otherwise.
const defaultVerify = 32

// drainCommand is the program "bench drain": it announces its ports on stderr,
// receives until standard input ends, and prints its counts to stdout.
func drainCommand(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	var o drainOptions
	set := flag.NewFlagSet("bench drain", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.IntVar(&o.ports, "ports", 1, "how many UDP ports")
	set.IntVar(&o.flows, "flows", 1, "how many flows come")
	set.IntVar(&o.verify, "verify", defaultVerify, "verify one packet in so many; 0: none")
	set.BoolVar(&o.gro, "gro", false, "let the system leave segmented messages uncut")
	if set.Parse(args) != nil {
		return errUsage
	}
	if o.ports < 1 || o.flows < 1 || o.verify < 0 {
		return errors.New("numbers of ports and flows are positive")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with the process at the latest
		_, _ = io.Copy(io.Discard, stdin)
		cancel()
	}()
	counts, err := drain(ctx, o, func(ports []int) {
		_, _ = fmt.Fprintln(stderr, announcePorts+formatPorts(ports))
	})
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(counts)
}

// arguments is the command line that drainCommand reads.
func (o drainOptions) arguments() []string {
	return []string{
		"-ports", strconv.Itoa(o.ports), "-flows", strconv.Itoa(o.flows), "-verify", strconv.Itoa(o.verify),
		"-gro=" + strconv.FormatBool(o.gro),
	}
}
