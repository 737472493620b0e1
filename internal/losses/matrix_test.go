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

// plan is which cells are run, and how.
type plan struct {
	cells    []cell
	duration time.Duration // for which each is measured
	atATime  int           // more than two processors can take make results worse
	attempts int           // at each cell at most, if the machine is too busy
}

// chosen returns the plan: the essential cells; or of the whole matrix, all, or those whose names match the
// regular expression that is set instead.
func chosen(t *testing.T) (p plan, whole bool) {
	t.Helper()
	pattern := os.Getenv("GALENE_LOSSES")
	if pattern == "" {
		cells := essential()
		if raceDetected {
			cells = cells[:2]
		}
		return plan{cells, 15 * time.Second, len(cells), 1}, false
	}
	cells := all()
	if pattern != "all" {
		match, err := regexp.Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		cells = slices.DeleteFunc(cells, func(c cell) bool { return !match.MatchString(c.String()) })
	}
	return plan{cells, 20 * time.Second, 4, 2}, true
}

// run runs the cells, writes a table of the results as they come, and returns them.
func (p plan) run(t *testing.T, table io.Writer) [][]result {
	t.Helper()
	e := newEngine(t)
	results := make([][]result, len(p.cells))
	room := make(chan struct{}, p.atATime)
	var running sync.WaitGroup
	var writing sync.Mutex // held by who writes to table
	printRow(table, header...)
	printRow(table, strings.Split(strings.TrimSuffix(strings.Repeat("---,", len(header)), ","), ",")...)
	for i, c := range p.cells {
		room <- struct{}{}
		running.Go(func() {
			defer func() { <-room }()
			defer func() {
				writing.Lock()
				defer writing.Unlock()
				printResults(table, results[i])
			}()
			for range p.attempts {
				r, err := c.run(t, e, uint64(i+1), p.duration)
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

// printRow writes a row of a table in Markdown.
func printRow(w io.Writer, cells ...string) {
	_, _ = fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
}

// printResults writes those of a cell.
func printResults(w io.Writer, results []result) {
	for _, r := range results {
		printRow(w, r.cell.String(), r.codec.String(),
			fmt.Sprintf("%.2f", r.percent(r.inTime+r.late)), fmt.Sprintf("%.2f", r.percent(r.inTime)),
			milliseconds(r.longest), milliseconds(r.recovery(50)), milliseconds(r.recovery(95)),
			fmt.Sprintf("%.1f", r.overheadUp), fmt.Sprintf("%.1f", r.overheadDown),
			fmt.Sprint(r.askedKeyframes), milliseconds(r.stalled))
	}
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

func TestFramesGetThroughBadNetworks(t *testing.T) {
	t.Parallel()
	plan, whole := chosen(t)
	var kept strings.Builder
	var table io.Writer = &kept
	if whole {
		table = os.Stdout
	}
	results := plan.run(t, table)
	t.Log("\n" + kept.String())
	excused, right := 0, 0
	for _, cell := range results {
		for _, r := range cell {
			wrong := r.check()
			switch {
			case len(wrong) == 0:
				right++
			case r.busy:
				excused++
				t.Logf("%s (the machine was busy)", strings.Join(wrong, "\n"))
			default:
				t.Error(strings.Join(wrong, "\n"))
			}
		}
	}
	if right == 0 && excused > 0 {
		t.Skip("the machine is too busy for any result to mean anything")
	}
}
