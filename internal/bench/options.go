package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
)

// What is measured unless the command line says otherwise.
const (
	defaultRounds   = 5
	defaultDuration = 10 * time.Second
	defaultWarmUp   = 3 * time.Second
	shortRounds     = 1
	shortDuration   = 3 * time.Second
	shortWarmUp     = time.Second

	maxRounds   = 100
	maxDuration = time.Hour
)

// options are what the command line says.
type options struct {
	rounds    int
	duration  time.Duration // of each measurement
	warmUp    time.Duration // before it
	scenarios []scenario
	others    []subject // servers to measure beside ours
	loadTest  string    // galenectl to use instead of building it
	json      string    // file for all figures; none if empty
	write     string    // file whose results are replaced; none if empty
	gro       bool      // the load test takes segmented messages uncut
}

// subject is a server that is measured.
type subject struct {
	name   string
	binary string   // its path; the server of this module, once built, if empty
	args   []string // besides those for its address and directories
}

// ours is the name of the server that this module is.
const ours = "galene"

// parseOptions reads the command line. It returns [flag.ErrHelp] if help was
// asked for, and errUsage, after having said what is wrong on stderr.
func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	var short bool
	var names string
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.BoolVar(&short, "short", false, "a quick look: one round of 3 s, which proves nothing")
	set.IntVar(&o.rounds, "rounds", defaultRounds, "medians are taken over this `number` of rounds")
	set.DurationVar(&o.duration, "duration", defaultDuration, "measure each scenario this long in each round")
	set.DurationVar(&o.warmUp, "warm-up", defaultWarmUp, "let media flow this long before measuring")
	set.StringVar(&names, "scenario", "", "measure only these `scenarios`, separated by commas: "+scenarioNames())
	set.Func("server", "measure another server of the same protocol too: its `path`, followed by flags of its own with commas in between; may be repeated",
		func(value string) error { return o.addServer(value) })
	set.StringVar(&o.loadTest, "galenectl", "", "use the galenectl at this `path` for load instead of building it")
	set.StringVar(&o.json, "json", "", "write all figures to `file`")
	set.StringVar(&o.write, "write", "", "replace the results in `file`, such as BENCHMARKS.md")
	set.BoolVar(&o.gro, "gro", true, "let the limit's receiver take segmented messages uncut (UDP_GRO)")
	if err := set.Parse(args); errors.Is(err, flag.ErrHelp) {
		return o, flag.ErrHelp
	} else if err != nil {
		return o, errUsage
	}
	given := make(map[string]bool)
	set.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if short {
		o.shorten(given)
	}
	err := o.complete(names, set.Args())
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "bench:", err)
		return o, errUsage
	}
	return o, nil
}

// shorten applies -short to what was not given.
func (o *options) shorten(given map[string]bool) {
	if !given["rounds"] {
		o.rounds = shortRounds
	}
	if !given["duration"] {
		o.duration = shortDuration
	}
	if !given["warm-up"] {
		o.warmUp = shortWarmUp
	}
}

// complete finds the scenarios and checks the rest.
func (o *options) complete(names string, rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case o.rounds < 1 || o.rounds > maxRounds:
		return fmt.Errorf("-rounds is %d, not between 1 and %d", o.rounds, maxRounds)
	case o.duration < time.Second || o.duration > maxDuration:
		return fmt.Errorf("-duration is %v, not between 1s and %v", o.duration, maxDuration)
	case o.warmUp < 0 || o.warmUp > maxDuration:
		return fmt.Errorf("-warm-up is %v, not between 0s and %v", o.warmUp, maxDuration)
	case names == "":
		o.scenarios = scenarios()
		return nil
	}
	for name := range strings.SplitSeq(names, ",") {
		s := findScenario(name)
		if s == nil {
			return fmt.Errorf("there is no scenario %q, only %s", name, scenarioNames())
		}
		o.scenarios = append(o.scenarios, *s)
	}
	return nil
}

// addServer adds a server to be measured: "path" or "path,-flag,value". Blanks
// may stand for commas behind the first one.
func (o *options) addServer(value string) error {
	path, flags, _ := strings.Cut(value, ",")
	if path == "" {
		return errors.New("the path is missing")
	}
	name := filepath.Base(path)
	if name == ours || name == limitSubject {
		name = path
	}
	s := subject{name: name, binary: path, args: strings.FieldsFunc(flags, separates)}
	if len(s.args) > 0 {
		s.name += " " + strings.Join(s.args, " ")
	}
	for _, other := range o.others {
		if other.name == s.name {
			return fmt.Errorf("%s is given twice", s.name)
		}
	}
	o.others = append(o.others, s)
	return nil
}

func separates(r rune) bool { return r == ',' || r == ' ' }

func scenarioNames() string {
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}
