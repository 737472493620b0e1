package losses

import (
	"fmt"
	"time"

	"galene/internal/testkit"
)

// promise is what is promised of a cell: how much of the frames is decoded, in per cent, and how long
// there may be none.
type promise struct {
	loss      float64       // up to which it holds
	roundTrip time.Duration // up to which it holds
	frames    float64
	longest   time.Duration
}

// promises are from the best network to the worst; the first that holds for a cell is checked. Farther
// away, packets cannot be asked for often enough before it is too late.
var promises = []promise{
	{0.05, 100 * time.Millisecond, 99.9, 2 * time.Second},
	{0.1, 100 * time.Millisecond, 99, 3 * time.Second},
	{0.01, 300 * time.Millisecond, 97, 3 * time.Second},
	{0.05, 300 * time.Millisecond, 80, 5 * time.Second},
	{0.1, 300 * time.Millisecond, 50, 7 * time.Second},
	// No freeze is for good.
	{0.2, 50 * time.Millisecond, 60, 7 * time.Second},
	{0.2, 100 * time.Millisecond, 40, 7 * time.Second},
	{0.2, 300 * time.Millisecond, 10, 10 * time.Second},
}

const (
	// mostOverhead is how much may be sent again, in terms of what is lost or reordered.
	mostOverhead = 2.5
	// freeOverhead is how much of the media may be besides, in per cent: what a busy machine loses
	// or delays.
	freeOverhead = 3
)

// promised returns what is promised of a cell.
func (c cell) promised() promise {
	for _, p := range promises {
		if c.conditions.Loss <= p.loss && c.roundTrip <= p.roundTrip {
			return p
		}
	}
	return promise{longest: time.Hour}
}

// check compares a result with what is promised, and returns what is wrong with it.
func (r *result) check() (wrong []string) {
	complain := func(format string, arguments ...any) {
		wrong = append(wrong, fmt.Sprintf("%v, %v: ", r.cell, r.codec)+fmt.Sprintf(format, arguments...))
	}
	if r.damaged != 0 {
		complain("%d packets were damaged", r.damaged)
	}
	p := r.cell.promised()
	// A single one of so few says nothing.
	if lost := r.sent - r.inTime - r.late; lost > 1 && r.percent(lost) > 100-p.frames {
		complain("%d of %d frames were not decoded, want %.1f %%", lost, r.sent, p.frames)
	}
	if r.longest > p.longest && r.codec != testkit.Opus {
		complain("no frame for %v, want %v at most", r.longest, p.longest)
	}
	c := r.cell.conditions
	limit := 100*mostOverhead*(c.Loss+c.Reorder) + freeOverhead
	for leg, got := range map[legs]float64{publishers: r.overheadUp, subscribers: r.overheadDown} {
		if r.cell.legs&leg != 0 && got > limit {
			complain("%.1f %% was resent on the %v's leg, want %.1f %% at most", got, leg, limit)
		}
	}
	return wrong
}
