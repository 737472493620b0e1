package loadtest

import (
	"slices"
	"testing"
	"time"
)

// starts are the sequence numbers from which every scenario is played.
var starts = []uint16{0, 1, 32767, 32768, 65535}

// packets makes a reception take packets at these distances from a start, a millisecond apart.
func (r *reception) packets(start uint16, now *int64, distances ...int) (fresh []bool) {
	for _, d := range distances {
		*now += int64(time.Millisecond)
		fresh = append(fresh, r.receive(start+uint16(d), uint32(d)*3000, 1000, *now))
	}
	return fresh
}

func upTo(from, until int) []int {
	var list []int
	for i := from; i < until; i++ {
		list = append(list, i)
	}
	return list
}

func TestPacketsAreCounted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                                      string
		before                                    []int // measuring
		during, after                             []int
		expected, received, duplicates, recovered uint64
	}{
		{"in order", upTo(0, 5), upTo(5, 105), nil, 100, 100, 0, 0},
		{"from the first packet on", nil, upTo(0, 50), nil, 50, 50, 0, 0},
		{"some are lost", upTo(0, 1), []int{1, 2, 5, 6}, nil, 6, 4, 0, 0},
		{"out of order", upTo(0, 1), []int{2, 1, 4, 3}, nil, 4, 4, 0, 0},
		{"twice", upTo(0, 1), []int{1, 1, 2, 1}, nil, 2, 2, 2, 0},
		{"late, from before", []int{0, 2}, []int{1, 3}, nil, 1, 1, 0, 0},
		{"late, after the end", upTo(0, 1), []int{1, 3}, []int{2, 4, 5}, 3, 3, 0, 0},
		{"nothing", upTo(0, 5), nil, nil, 0, 0, 0, 0},
		{"never anything", nil, nil, nil, 0, 0, 0, 0},
		{"begins after the end", nil, nil, upTo(0, 9), 0, 0, 0, 0},
		{"more than a window, then late", upTo(0, 1), append([]int{1}, append(upTo(3, 3000), 2)...), nil, 2999, 2998, 1, 0},
		{"a gap wider than the window", upTo(0, 1), []int{1, 5000, 4999, 4999}, nil, 5000, 3, 1, 0},
	}
	for _, tt := range tests {
		for _, start := range starts {
			r := newReception(1, true, true)
			now := int64(1)
			r.packets(start, &now, tt.before...)
			r.begin()
			r.packets(start, &now, tt.during...)
			r.end()
			r.packets(start, &now, tt.after...)
			s := r.span
			if s.expected() != tt.expected || s.received != tt.received || s.duplicate != tt.duplicates || s.recovered != tt.recovered {
				t.Errorf("%s, from %d: expected %d received %d duplicates %d recovered %d, want %d %d %d %d", tt.name, start,
					s.expected(), s.received, s.duplicate, s.recovered, tt.expected, tt.received, tt.duplicates, tt.recovered)
			}
		}
	}
}

func TestWhatIsAskedForAndComesIsRecovered(t *testing.T) {
	t.Parallel()
	for _, start := range starts {
		r := newReception(1, true, true)
		now := int64(1)
		r.packets(start, &now, 0)
		r.begin()
		r.packets(start, &now, 1, 4, 5, 6)
		now += int64(50 * time.Millisecond)
		due := r.due(now, nil)
		if len(due) != 2 || uint16(due[0]) != start+2 || uint16(due[1]) != start+3 {
			t.Fatalf("from %d: asked for %v, want the packets 2 and 3 after the start", start, due)
		}
		r.packets(start, &now, 3)
		r.end()
		r.packets(start, &now, 2, 2) // in time all the same, once
		if s := r.span; s.recovered != 2 || s.received != 6 || s.expected() != 6 || s.duplicate != 1 {
			t.Errorf("from %d: %+v, expected %d; want 2 recovered of 6, 1 duplicate", start, s, s.expected())
		}
	}
}

func TestAudioIsNotAskedFor(t *testing.T) {
	t.Parallel()
	r := newReception(1, false, true)
	now := int64(1)
	r.packets(0, &now, 0, 5)
	if due := r.due(now+int64(time.Second/2), nil); len(due) != 0 {
		t.Errorf("asked for %v", due)
	}
}

func TestReceiveTellsWhatIsNew(t *testing.T) {
	t.Parallel()
	for _, start := range starts {
		r := newReception(1, true, true)
		now := int64(1)
		got := r.packets(start, &now, 0, 2, 1, 1, 2, 3)
		if want := []bool{true, true, true, false, false, true}; !slices.Equal(got, want) {
			t.Errorf("from %d: %v, want %v", start, got, want)
		}
	}
}

func TestReportsTellTheLoss(t *testing.T) {
	t.Parallel()
	for _, start := range starts {
		r := newReception(1, true, true)
		now := int64(1)
		r.packets(start, &now, 0, 1, 2, 3)
		if fraction, total := r.loss(); fraction != 0 || total != 0 {
			t.Errorf("from %d: loss %d/256, %d in all, want none", start, fraction, total)
		}
		r.packets(start, &now, 5, 7)
		if fraction, total := r.loss(); fraction != 128 || total != 2 {
			t.Errorf("from %d: loss %d/256, %d in all, want 128, 2", start, fraction, total)
		}
		r.packets(start, &now, 4, 6) // more than were expected since
		if fraction, total := r.loss(); fraction != 0 || total != 0 {
			t.Errorf("from %d: loss %d/256, %d in all after all came, want none", start, fraction, total)
		}
	}
}

func TestJitterIsThatOfArrival(t *testing.T) {
	t.Parallel()
	steady, shaky := newReception(1, true, false), newReception(2, true, false)
	const frame = int64(time.Second) / 30
	for i := range int64(300) {
		timestamp := uint32(1<<32-100_000) + uint32(i*3000) // it wraps
		steady.receive(uint16(i), timestamp, 1000, 1+i*frame)
		shaky.receive(uint16(i), timestamp, 1000, 1+i*frame+i%2*int64(5*time.Millisecond))
	}
	if steady.jitter > 10 {
		t.Errorf("jitter of steady packets = %v, want about 0", steady.jitter)
	}
	if shaky.jitter < 400 || shaky.jitter > 500 {
		t.Errorf("jitter of packets that are 5 ms off every other time = %v, want about 450", shaky.jitter)
	}
}

func TestReceivingDoesNotAllocate(t *testing.T) { // not parallel: it counts
	r := newReception(1, true, true)
	sequence, now := uint16(0), int64(1)
	got := testing.AllocsPerRun(1000, func() {
		sequence++
		now += 1000
		r.receive(sequence, uint32(sequence), 1000, now)
	})
	if got != 0 {
		t.Errorf("%v allocations for a packet, want 0", got)
	}
}

// Whatever order packets come in, no more are received than expected, and none twice.
func FuzzReception(f *testing.F) {
	f.Add(uint16(65530), []byte{1, 1, 1, 200, 3, 0, 255, 128})
	f.Fuzz(func(t *testing.T, start uint16, steps []byte) {
		r := newReception(1, true, true)
		r.begin()
		seen := make(map[uint16]bool)
		sequence := start
		for i, step := range steps[:min(len(steps), 250)] { // without wrapping
			sequence += uint16(int8(step))
			fresh := r.receive(sequence, 0, 100, int64(i)*1e6+1)
			if fresh && seen[sequence] {
				t.Fatalf("packet %d of %d was received twice", sequence, i)
			}
			seen[sequence] = seen[sequence] || fresh
		}
		r.end()
		if s := r.span; s.received > s.expected() || s.received+s.duplicate > uint64(len(steps)) {
			t.Fatalf("received %d and %d duplicates of %d expected in %d", s.received, s.duplicate, s.expected(), len(steps))
		}
	})
}
