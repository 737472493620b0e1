package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// How lines on standard error begin that announce something. Between lineStart
// and lineEnd a process measures; the load test prints the same ones.
const (
	announceMeasure = "measure "
	lineStart       = announceMeasure + "start"
	lineEnd         = announceMeasure + "end"
	announcePorts   = "ports "
	announceThread  = "thread "
)

// shape is who sends to whom.
type shape struct {
	publishers  int
	subscribers int  // receives from every publisher; ignored in a meeting
	meeting     bool // every publisher receives from every other one
}

// flow is one publisher's media on their way to one subscriber, which has a
// key of its own.
type flow struct{ publisher, subscriber int }

// flows lists a shape's flows, those of one publisher next to each other.
func (s shape) flows() []flow {
	var flows []flow
	subscribers := s.subscribers
	if s.meeting {
		subscribers = s.publishers
	}
	for p := range s.publishers {
		for r := range subscribers {
			if !s.meeting || p != r {
				flows = append(flows, flow{p, r})
			}
		}
	}
	return flows
}

// limitOptions say what the limit sends, where to, and for how long.
type limitOptions struct {
	shape    shape
	paced    bool
	ports    []int // of the receiver, on 127.0.0.1: one each for the flows in turn
	warmUp   time.Duration
	duration time.Duration
	arena    int // octets that are sealed before they are sent
}

// defaultArena is the space for sealed packets, in octets. More is not faster:
// what is sent should still be in the processor's cache.
const defaultArena = 1 << 17

// limitCounts are what the limit has sent while it measured.
type limitCounts struct {
	Packets  uint64 `json:"packets"`
	Messages uint64 `json:"messages"` // of one or several packets
	Calls    uint64 `json:"calls"`    // of sendmmsg
	Failed   uint64 `json:"failed"`   // packets that the system did not take
	// Segmented tells whether messages of several packets were cut by the
	// system (UDP_SEGMENT); else each packet is a message.
	Segmented bool `json:"segmented"`
}

// errUsage is returned for a command line that cannot be understood; what is
// wrong with it has been printed already.
var errUsage = errors.New("cannot understand the command line")

// limitCommand is the program "bench limit": it sends, prints the lines between
// which it measures to stderr, and its counts to stdout. It stays until
// standard input ends, so that what it has used can be read.
func limitCommand(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	o, err := parseLimitOptions(args, stderr)
	if err != nil {
		return err
	}
	counts, err := sendLimit(o, func(line string) { _, _ = fmt.Fprintln(stderr, line) })
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, stdin)
	return json.NewEncoder(stdout).Encode(counts)
}

func parseLimitOptions(args []string, stderr io.Writer) (limitOptions, error) {
	var o limitOptions
	set := flag.NewFlagSet("bench limit", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.IntVar(&o.shape.publishers, "publishers", 1, "how many send")
	set.IntVar(&o.shape.subscribers, "subscribers", 1, "how many receive from each publisher")
	set.BoolVar(&o.shape.meeting, "meeting", false, "publishers receive from each other, and nobody else does")
	set.BoolVar(&o.paced, "paced", false, "spread each frame as a pacer does")
	set.DurationVar(&o.warmUp, "warm-up", time.Second, "send this long before measuring")
	set.DurationVar(&o.duration, "duration", defaultDuration, "measure this long")
	set.IntVar(&o.arena, "arena", defaultArena, "seal at most this many `octets` before they are sent")
	ports := set.String("ports", "", "receiver's UDP `ports`, separated by commas")
	if set.Parse(args) != nil {
		return o, errUsage
	}
	var err error
	if o.ports, err = parsePorts(*ports); err != nil {
		return o, err
	}
	if len(o.shape.flows()) == 0 {
		return o, errors.New("nobody would receive anything")
	}
	if o.arena < minArena {
		return o, fmt.Errorf("-arena: %d octets are less than the %d of one burst", o.arena, minArena)
	}
	return o, nil
}

// arguments is the command line that parseLimitOptions reads.
func (o limitOptions) arguments() []string {
	return []string{
		"-publishers", strconv.Itoa(o.shape.publishers),
		"-subscribers", strconv.Itoa(o.shape.subscribers),
		"-meeting=" + strconv.FormatBool(o.shape.meeting),
		"-paced=" + strconv.FormatBool(o.paced),
		"-warm-up", o.warmUp.String(),
		"-duration", o.duration.String(),
		"-arena", strconv.Itoa(o.arena),
		"-ports", formatPorts(o.ports),
	}
}

// parsePorts reads ports separated by commas.
func parsePorts(text string) ([]int, error) {
	var ports []int
	for port := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("ports: %w", err)
		}
		ports = append(ports, int(n))
	}
	return ports, nil
}

func formatPorts(ports []int) string {
	var b strings.Builder
	for i, port := range ports {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(port))
	}
	return b.String()
}
