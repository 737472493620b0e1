package losses

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"galene/internal/netsim"
)

const (
	// duration is how long each cell is measured.
	duration = 20 * time.Second
	// atATime is how many cells run at a time: more than two processors can take make results worse.
	atATime = 4
	// attempts is how often a cell is run at most, if the machine is too busy.
	attempts = 3
)

// chosen returns the cells to run: the essential ones; or of the whole matrix, all, or those whose names
// match the regular expression that is set instead.
func chosen(t *testing.T) (cells []cell, whole bool) {
	t.Helper()
	switch pattern := os.Getenv("GALENE_LOSSES"); pattern {
	case "":
		return essential(), false
	case "all":
		return all(), true
	default:
		match, err := regexp.Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(all(), func(c cell) bool { return !match.MatchString(c.String()) }), true
	}
}

// runAll runs cells, some at a time, and returns the results in order.
func runAll(t *testing.T, cells []cell, duration time.Duration) [][]result {
	t.Helper()
	e := newEngine(t)
	results := make([][]result, len(cells))
	room := make(chan struct{}, atATime)
	var running sync.WaitGroup
	for i, c := range cells {
		room <- struct{}{}
		running.Go(func() {
			defer func() { <-room }()
			for range attempts {
				r, err := c.run(t, e, uint64(i+1), duration)
				if err != nil {
					t.Errorf("%v: %v", c, err)
					return
				}
				results[i] = r
				if !slices.ContainsFunc(r, func(r result) bool { return r.busy }) {
					return
				}
			}
		})
	}
	running.Wait()
	return results
}

// essential are the cells that each test run includes: what is promised of every codec on either leg,
// and one of each kind beside.
func essential() []cell {
	at := func(l legs, loss, burst float64, roundTrip int) cell {
		return cell{
			legs: l, roundTrip: time.Duration(roundTrip) * time.Millisecond,
			conditions: netsim.Conditions{Loss: loss, Burst: burst},
		}
	}
	plain := at(both, 0.05, 0, 100)
	plain.plain = true
	disordered := at(both, 0.01, 0, 50)
	disordered.conditions.Reorder, disordered.conditions.ReorderDelay = 0.05, 15*time.Millisecond
	disordered.conditions.Duplicate, disordered.conditions.Jitter = 0.02, 10*time.Millisecond
	return []cell{
		at(publishers, 0.05, 0, 100), at(subscribers, 0.05, 0, 100),
		at(both, 0.05, 4, 100), at(both, 0.2, 0, 50), plain, disordered,
	}
}

// all are the cells of the whole matrix.
func all() []cell {
	var cells []cell
	for _, burst := range []float64{0, 4} {
		for _, loss := range []float64{0.01, 0.05, 0.1, 0.2} {
			for _, roundTrip := range []int{20, 50, 100, 300} {
				for _, l := range []legs{publishers, subscribers, both} {
					cells = append(cells, cell{
						legs: l, roundTrip: time.Duration(roundTrip) * time.Millisecond,
						conditions: netsim.Conditions{Loss: loss, Burst: burst},
					})
				}
			}
		}
	}
	return append(cells, essential()[4:]...)
}

// header is that of the table of results.
var header = []string{
	"network", "codec", "frames %", "in time %", "longest gap", "recovery p50", "p95",
	"resent up %", "resent down %", "keyframes", "stalled",
}

// printTable writes the results as a table in Markdown.
func printTable(w io.Writer, results [][]result) {
	row := func(cells ...string) { _, _ = fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }
	row(header...)
	row(strings.Split(strings.TrimSuffix(strings.Repeat("---,", len(header)), ","), ",")...)
	for _, cell := range results {
		for _, r := range cell {
			row(r.cell.String(), r.codec.String(),
				fmt.Sprintf("%.2f", r.percent(r.inTime+r.late)), fmt.Sprintf("%.2f", r.percent(r.inTime)),
				milliseconds(r.longest),
				milliseconds(r.recovery(50)), milliseconds(r.recovery(95)),
				fmt.Sprintf("%.1f", r.overheadUp), fmt.Sprintf("%.1f", r.overheadDown),
				fmt.Sprint(r.askedKeyframes), milliseconds(r.stalled))
		}
	}
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

func TestFramesGetThroughBadNetworks(t *testing.T) {
	t.Parallel()
	cells, whole := chosen(t)
	results := runAll(t, cells, duration)
	if whole {
		printTable(os.Stdout, results)
	} else {
		var b strings.Builder
		printTable(&b, results)
		t.Log("\n" + b.String())
	}
	judged := false
	for _, cell := range results {
		for _, r := range cell {
			judged = r.check(t) || judged
		}
	}
	if !judged {
		t.Skip("the machine is too busy for any result to mean anything")
	}
}
