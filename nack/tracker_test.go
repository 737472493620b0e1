package nack

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// ms is a millisecond on the trackers' clock.
const ms = int64(time.Millisecond)

// rtt is the round-trip time of tests.
const rtt = 40 * time.Millisecond

// bases are unwrapped sequence numbers to start from.
var bases = []int64{1 << 16, 1<<16 + 1, 1<<16 + 32767, 1<<16 + 32768, 1<<16 + 65535}

// wantDue fails the test unless exactly these packets, counted from base, are due.
func wantDue(t *testing.T, tr *Tracker, now, base int64, want ...int64) {
	t.Helper()
	got := tr.Due(now, rtt, nil)
	for i := range got {
		got[i] -= base
	}
	if !slices.Equal(got, want) {
		t.Errorf("Due(%d ms) = %v, want %v", now/ms, got, want)
	}
}

// wantNext fails the test unless the next request is at that time; -1 means that there is none.
func wantNext(t *testing.T, tr *Tracker, want int64) {
	t.Helper()
	if at, ok := tr.Next(); ok != (want >= 0) || ok && at != want {
		t.Errorf("Next() = %d, %v, want %d", at, ok, want)
	}
}

// fromEachBase runs scenario with a default tracker and each base.
func fromEachBase(t *testing.T, scenario func(t *testing.T, tr *Tracker, base int64)) {
	t.Helper()
	for _, base := range bases {
		scenario(t, New(Config{}), base)
	}
}

func TestNothingIsDueWithoutLoss(t *testing.T) {
	t.Parallel()
	fromEachBase(t, func(t *testing.T, tr *Tracker, base int64) {
		t.Helper()
		for i := range int64(100) {
			if gap, fatal := tr.Received(base+i, i*ms); gap != 0 || fatal {
				t.Errorf("Received(+%d) = %d, %v", i, gap, fatal)
			}
			wantDue(t, tr, i*ms, base)
			wantNext(t, tr, -1)
		}
	})
}

func TestFirstRequestWaitsForReordering(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		newer  []int64 // when packets after the one that showed the gap arrive, in ms
		asked  int64   // when it must be asked for, in ms
		missed int64   // when that packet arrived, in ms
	}{
		{"two newer packets at once", []int64{0}, 10, 0},
		{"a second newer packet within the delay", []int64{7}, 10, 0},
		{"a second newer packet after the delay", []int64{15}, 15, 0},
		{"the tail of a burst", nil, 30, 0},
		{"a second newer packet after the tail's delay", []int64{50}, 30, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fromEachBase(t, func(t *testing.T, tr *Tracker, base int64) {
				t.Helper()
				tr.Received(base, 0)
				if gap, fatal := tr.Received(base+2, 0); gap != 1 || fatal {
					t.Errorf("Received(+2) = %d, %v, want 1, false", gap, fatal)
				}
				seq := base + 3
				for now := int64(0); now < 40; now++ {
					if slices.Contains(tt.newer, now) {
						tr.Received(seq, now*ms)
						seq++
					}
					if now == tt.asked {
						wantDue(t, tr, now*ms, base, 1)
						return
					}
					wantDue(t, tr, now*ms, base)
				}
			})
		})
	}
}

func TestReorderedPacketsAreNotAskedFor(t *testing.T) {
	t.Parallel()
	fromEachBase(t, func(t *testing.T, tr *Tracker, base int64) {
		t.Helper()
		for i, seq := range []int64{0, 2, 3, 1, 7, 6, 5, 4, 8} {
			now := int64(i) * 3 * ms
			tr.Received(base+seq, now)
			wantDue(t, tr, now, base)
		}
		if tr.Missing() != 0 {
			t.Errorf("%d packets missing, want 0", tr.Missing())
		}
	})
}

func TestRetriesGrowUntilGivenUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		config Config
		rtt    time.Duration
		want   []time.Duration // when each request is made, after the first
	}{
		{
			"by a quarter of the round trip each",
			Config{MaxAge: time.Minute},
			64 * time.Millisecond,
			[]time.Duration{0, 64e6, 144e6, 244e6, 369e6, 525.25e6, 720.5625e6, 964.703125e6},
		},
		{
			"at most for a second",
			Config{},
			200 * time.Millisecond,
			[]time.Duration{0, 200e6, 450e6, 762.5e6},
		},
		{
			"not within 20 ms",
			Config{MaxTries: 4},
			time.Millisecond,
			[]time.Duration{0, 20e6, 40e6, 60e6},
		},
		{
			"by a tenth of a second if the round trip is not known",
			Config{MaxTries: 3},
			0,
			[]time.Duration{0, 100e6, 225e6},
		},
		{
			"twice within 200 ms for audio",
			Config{MaxTries: 2, MaxAge: 200 * time.Millisecond},
			50 * time.Millisecond,
			[]time.Duration{0, 50e6},
		},
		{
			"once if a round trip takes too long",
			Config{MaxAge: 200 * time.Millisecond},
			10 * time.Second,
			[]time.Duration{0},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tr := New(tt.config)
			tr.Received(100, 0)
			tr.Received(102, 0)
			tr.Received(103, 0)
			first := int64(10 * time.Millisecond)
			for _, want := range tt.want {
				at, ok := tr.Next()
				if !ok || at != first+int64(want) {
					t.Fatalf("Next() = %v, %v, want %v", time.Duration(at-first), ok, want)
				}
				if early := tr.Due(at-1, tt.rtt, nil); len(early) != 0 {
					t.Fatalf("asked for %v before %v", early, want)
				}
				if due := tr.Due(at, tt.rtt, nil); !slices.Equal(due, []int64{101}) {
					t.Fatalf("Due(%v) = %v, want [101]", want, due)
				}
				if again := tr.Due(at, tt.rtt, nil); len(again) != 0 {
					t.Fatalf("asked twice for %v at %v", again, want)
				}
			}
			wantNext(t, tr, -1)
			if tr.Missing() != 1 {
				t.Errorf("%d missing while the last request is under way, want 1", tr.Missing())
			}
			if due := tr.Due(int64(10*time.Minute), tt.rtt, nil); len(due) != 0 || tr.Missing() != 0 {
				t.Errorf("long after: due %v, %d missing, want none", due, tr.Missing())
			}
		})
	}
}

func TestDueAsksForAllHolesInOrder(t *testing.T) {
	t.Parallel()
	fromEachBase(t, func(t *testing.T, tr *Tracker, base int64) {
		t.Helper()
		for _, seq := range []int64{0, 3, 4, 9, 10} {
			tr.Received(base+seq, 0)
		}
		tr.Received(base+7, 5*ms)
		wantNext(t, tr, 10*ms)
		wantDue(t, tr, 10*ms, base, 1, 2, 5, 6, 8)
		tr.Received(base+5, 20*ms)
		if tr.Missing() != 4 {
			t.Errorf("%d missing, want 4", tr.Missing())
		}
		wantDue(t, tr, 50*ms, base, 1, 2, 6, 8)
	})
}

func TestTooManyHolesAreFatal(t *testing.T) {
	t.Parallel()
	fromEachBase(t, func(t *testing.T, tr *Tracker, base int64) {
		t.Helper()
		tr.Received(base, 0)
		if gap, fatal := tr.Received(base+301, 0); gap != 300 || fatal {
			t.Errorf("300 holes: %d, %v", gap, fatal)
		}
		if gap, fatal := tr.Received(base+502, 0); gap != 200 || fatal || tr.Missing() != 500 {
			t.Errorf("500 holes: %d, %v, %d missing", gap, fatal, tr.Missing())
		}
		if gap, fatal := tr.Received(base+504, 0); gap != 1 || !fatal || tr.Missing() != 0 {
			t.Errorf("501 holes: %d, %v, %d missing", gap, fatal, tr.Missing())
		}
		wantDue(t, tr, 20*ms, base)
		tr.Want(base+503, 20*ms) // from before the keyframe that will be requested
		if tr.Missing() != 0 {
			t.Error("Want revived what was given up")
		}
		if gap, fatal := tr.Received(base+60_000, 0); gap != 60_000-505 || !fatal || tr.Missing() != 0 {
			t.Errorf("a jump: %d, %v, %d missing", gap, fatal, tr.Missing())
		}
		if gap, fatal := tr.Received(base+60_002, 0); gap != 1 || fatal {
			t.Errorf("after a jump: %d, %v", gap, fatal)
		}
	})
}

func TestLongSilenceIsNotAskedFor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		silence int64
		lost    int64
		fatal   bool
	}{
		{"a network that failed for two seconds", 2000 * ms, 180, true},
		{"a long burst, lost as a whole", 300 * ms, 180, false},
		{"one of a sender that has little to say", 5000 * ms, 1, false},
		{"a short burst of it", 5000 * ms, 64, false},
		{"a second, and one more packet than that", 1000 * ms, 65, true},
		{"not quite a second", 999 * ms, 65, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tr := New(Config{})
			tr.Received(1000, 0)
			tr.Received(1001, 10*ms)
			now := 10*ms + tt.silence
			if gap, fatal := tr.Received(1002+tt.lost, now); gap != int(tt.lost) || fatal != tt.fatal {
				t.Errorf("a gap of %d, fatal: %v; want %d, %v", gap, fatal, tt.lost, tt.fatal)
			}
			want := int(tt.lost)
			if tt.fatal {
				want = 0
			}
			if asked := tr.Due(now+100*ms, 0, nil); len(asked) != want {
				t.Errorf("%d packets are asked for, want %d", len(asked), want)
			}
		})
	}
}

func TestForgetStopsAsking(t *testing.T) {
	t.Parallel()
	fromEachBase(t, func(t *testing.T, tr *Tracker, base int64) {
		t.Helper()
		tr.Received(base, 0)
		tr.Received(base+10, 0)
		tr.Received(base+11, 0)
		tr.Forget(base + 8)
		tr.Forget(base + 2) // never goes back
		tr.Want(base+7, 0)
		wantDue(t, tr, 10*ms, base, 8, 9)
		tr.Forget(base + 20)
		tr.Received(base+22, 20*ms)
		tr.Received(base+23, 20*ms)
		wantDue(t, tr, 30*ms, base, 20, 21)
	})
}

func TestWant(t *testing.T) {
	t.Parallel()
	fromEachBase(t, func(t *testing.T, tr *Tracker, base int64) {
		t.Helper()
		tr.Want(base, 0)
		for i := range int64(2000) {
			tr.Received(base+i, 0)
		}
		tr.Want(base+2000, 0)      // nobody can have seen it
		tr.Want(base+1999, 0)      // it has arrived
		tr.Want(base+1999-1025, 0) // too old
		if tr.Missing() != 0 {
			t.Errorf("implausible wants made %d holes", tr.Missing())
		}
		wantNext(t, tr, -1)
		tr.Want(base+1500, 5*ms)
		tr.Want(base+1400, 5*ms)
		tr.Want(base+1500, 6*ms)
		wantNext(t, tr, 5*ms)
		wantDue(t, tr, 6*ms, base, 1400, 1500)
		tr.Want(base+1500, 7*ms) // does not hurry what is asked for already
		wantDue(t, tr, 45*ms, base)
		wantDue(t, tr, 46*ms, base, 1400, 1500)
		tr.Received(base+1500, 50*ms)
		if tr.Missing() != 1 {
			t.Errorf("%d missing, want 1", tr.Missing())
		}
	})
}

func TestWantRefreshesAHole(t *testing.T) {
	t.Parallel()
	fromEachBase(t, func(t *testing.T, tr *Tracker, base int64) {
		t.Helper()
		tr.Received(base, 0)
		tr.Received(base+2, 0)
		tr.Want(base+1, 2*ms)
		wantDue(t, tr, 2*ms, base, 1) // if a subscriber has noticed, it is not just late
		tr.Want(base+1, 900*ms)
		wantDue(t, tr, 1100*ms, base, 1)
		requests := 0
		for now := 1100 * ms; now < 60_000*ms; now += ms {
			tr.Want(base+1, now)
			requests += len(tr.Due(now, time.Second, nil))
			if tr.Missing() == 0 {
				break
			}
		}
		if requests > 60 {
			t.Errorf("a subscriber caused %d requests in a minute", requests)
		}
	})
}

func TestSubscribersCannotDriveTheTrackerToItsLimit(t *testing.T) {
	t.Parallel()
	tr := New(Config{})
	for i := range int64(2000) {
		tr.Received(1<<16+i, 0)
	}
	for i := range int64(2000) {
		tr.Want(1<<16+i, 0)
	}
	if tr.Missing() != 125 {
		t.Errorf("%d packets wanted at once, want 125", tr.Missing())
	}
	if gap, fatal := tr.Received(1<<16+2000+499, 0); gap != 499 || fatal {
		t.Errorf("a gap of 499 after that: %d, %v", gap, fatal)
	}
	tr.Due(0, rtt, nil)
	tr.Due(10_000*ms, rtt, nil)
	tr.Want(1<<16+2000+498, 10_000*ms)
	if tr.created != 1 || tr.Missing() != 1 {
		t.Errorf("%d created, %d missing after all expired, want 1", tr.created, tr.Missing())
	}
}

// TestLossyNetwork sends packets and retransmissions through a network that loses some of both and
// reorders, and checks that what can be had is had, soon, and without asking much more than needed.
func TestLossyNetwork(t *testing.T) {
	t.Parallel()
	for _, loss := range []int{1, 5, 20} {
		random := rand.New(rand.NewPCG(uint64(loss), 1))
		tr := New(Config{})
		arrivals := map[int64][]int64{} // by millisecond
		received := map[int64]bool{}
		lost := 0
		send := func(seq, at int64) {
			if random.IntN(100) < loss {
				lost++
				return
			}
			at += 20 + random.Int64N(6)
			arrivals[at] = append(arrivals[at], seq)
		}
		requests := 0
		const packets = 20_000
		for now := int64(0); now < packets*2+2000; now++ {
			if now%2 == 0 && now < packets*2 {
				if seq := 1<<16 + now/2; seq == 1<<16 || seq == 1<<16+packets-1 {
					arrivals[now+26] = append(arrivals[now+26], seq)
				} else {
					send(seq, now)
				}
			}
			for _, seq := range arrivals[now] {
				tr.Received(seq, now*ms)
				received[seq] = true
			}
			for _, seq := range tr.Due(now*ms, 46*time.Millisecond, nil) {
				if received[seq] {
					t.Fatalf("asked for %d, which had arrived", seq)
				}
				requests++
				send(seq, now+20)
			}
		}
		// After eight tries at a loss of 1 in 5, one packet in 400,000 is gone.
		if missing := packets - len(received); missing > 1 {
			t.Errorf("loss %d %%: %d packets never came", loss, missing)
		}
		if requests < lost-10 || requests > lost*11/10+10 {
			t.Errorf("loss %d %%: %d requests for %d losses", loss, requests, lost)
		}
		if tr.Missing() != 0 {
			t.Errorf("loss %d %%: %d packets still missing", loss, tr.Missing())
		}
	}
}

func TestPerPacketFunctionsDoNotAllocate(t *testing.T) {
	tr := New(Config{})
	seq, now := int64(1<<16), int64(0)
	due := make([]int64, 0, 500)
	pairs := make([]Pair, 0, 500)
	packet := func() {
		seq += 3
		now += 5 * ms
		tr.Received(seq, now)
		tr.Received(seq-1, now)
		tr.Want(seq-60, now)
		tr.Next()
		due = tr.Due(now, rtt, due[:0])
		pairs = Pairs(pairs[:0], due)
	}
	for range 1000 {
		packet() // until there is room for all holes
	}
	if got := testing.AllocsPerRun(1000, packet); got != 0 {
		t.Errorf("%v allocations per packet, want 0", got)
	}
}

func BenchmarkReceived(b *testing.B) {
	tr := New(Config{})
	b.ReportAllocs()
	seq := int64(1 << 16)
	for b.Loop() {
		seq++
		tr.Received(seq, seq*ms)
	}
}

// BenchmarkReceivedWithLoss loses a packet in twenty for good.
func BenchmarkReceivedWithLoss(b *testing.B) {
	tr := New(Config{})
	due := make([]int64, 0, 500)
	b.ReportAllocs()
	seq := int64(1 << 16)
	for b.Loop() {
		seq++
		if seq%20 != 0 {
			tr.Received(seq, seq*ms)
		}
		due = tr.Due(seq*ms, rtt, due[:0])
	}
}

func TestEndOfFrameIsAskedForInTime(t *testing.T) {
	t.Parallel()
	fromEachBase(t, func(t *testing.T, tr *Tracker, base int64) {
		t.Helper()
		tr.Received(base, 0)
		tr.Continues(0)
		tr.Received(base+1, 2*ms)
		wantNext(t, tr, -1) // the frame is complete
		tr.Received(base+2, 33*ms)
		tr.Continues(33 * ms)
		wantNext(t, tr, 63*ms)
		wantDue(t, tr, 62*ms, base)
		wantDue(t, tr, 63*ms, base, 3)
		wantNext(t, tr, -1)
		wantDue(t, tr, 500*ms, base) // once: it may be that there is no more

		// The next frame shows that there was. It counts as asked for.
		tr.Received(base+4, 66*ms)
		wantNext(t, tr, 63*ms+int64(rtt))
		wantDue(t, tr, 102*ms, base)
		wantDue(t, tr, 103*ms, base, 3)
		if gap, _ := tr.Received(base+3, 104*ms); gap != 0 || tr.Missing() != 0 {
			t.Errorf("%d packets missing after all have come", tr.Missing())
		}
	})
}

func TestAnswerToTheRequestForAFramesEndEndsIt(t *testing.T) {
	t.Parallel()
	fromEachBase(t, func(t *testing.T, tr *Tracker, base int64) {
		t.Helper()
		tr.Received(base, 0)
		tr.Continues(0)
		wantDue(t, tr, 30*ms, base, 1)
		tr.Received(base+1, 70*ms) // a round trip later
		tr.Received(base+2, 100*ms)
		tr.Continues(100 * ms)
		wantNext(t, tr, 130*ms)
	})
}

func TestSlowSendersAreLeftAlone(t *testing.T) {
	t.Parallel()
	fromEachBase(t, func(t *testing.T, tr *Tracker, base int64) {
		t.Helper()
		tr.Received(base, 0)
		tr.Continues(0)
		wantDue(t, tr, 30*ms, base, 1)
		asked := 0
		now := int64(0)
		for seq := base + 1; seq < base+20; seq++ {
			now += 45 * ms // sooner after the request than any answer could be
			asked += len(tr.Due(now, rtt, nil))
			if gap, _ := tr.Received(seq, now); gap != 0 {
				t.Fatalf("packet %d shows a gap of %d", seq-base, gap)
			}
			tr.Continues(now)
		}
		if asked != 0 {
			t.Errorf("packets that come by themselves are asked for %d times", asked)
		}
		now += falseAlarm.Nanoseconds()
		tr.Received(base+20, now)
		tr.Continues(now)
		wantNext(t, tr, now+30*ms)
	})
}

func TestPacketsGivenUpAreCountedOnce(t *testing.T) {
	t.Parallel()
	fromEachBase(t, func(t *testing.T, tr *Tracker, base int64) {
		t.Helper()
		tr.Received(base, 0)
		tr.Received(base+4, 0) // 1, 2 and 3 are missing
		tr.Received(base+2, 5*ms)
		tr.Want(base-7, 0) // which only a subscriber misses
		for now := int64(0); now < 990; now += 10 {
			tr.Due(now*ms, rtt, nil)
			if n := tr.GivenUp(); n != 0 && now < 500 {
				t.Fatalf("%d packets given up after %d ms", n, now)
			} else if n != 0 && n != 2 {
				t.Fatalf("%d packets given up, want 2", n)
			} else if n == 2 {
				return
			}
		}
		tr.Due(1000*ms, rtt, nil)
		if n := tr.GivenUp(); n != 2 {
			t.Errorf("%d packets given up, want 2", n)
		}
		if n := tr.GivenUp(); n != 0 {
			t.Errorf("%d packets given up, which were counted before", n)
		}
	})
}

func TestPacketsThatAreForgottenAreNotGivenUp(t *testing.T) {
	t.Parallel()
	fromEachBase(t, func(t *testing.T, tr *Tracker, base int64) {
		t.Helper()
		tr.Received(base, 0)
		tr.Received(base+4, 0)
		tr.Due(10*ms, rtt, nil)
		tr.Forget(base + 4)
		tr.Due(2000*ms, rtt, nil)
		if n := tr.GivenUp(); n != 0 {
			t.Errorf("%d packets given up that a keyframe has made useless", n)
		}
	})
}

func TestMoreIsMissingThanThereIsRoomFor(t *testing.T) {
	t.Parallel()
	fromEachBase(t, func(t *testing.T, tr *Tracker, base int64) {
		t.Helper()
		tr.Received(base, 0)
		tr.SetRoom(128)
		if gap, fatal := tr.Received(base+97, 0); gap != 96 || fatal {
			t.Errorf("a gap of %d is fatal: %v, want one of 96 that is not", gap, fatal)
		}
		if _, fatal := tr.Received(base+99, 0); !fatal || tr.Missing() != 0 {
			t.Errorf("one more is fatal: %v, and %d packets are missing; want true and none", fatal, tr.Missing())
		}
		tr.SetRoom(4096)
		if gap, fatal := tr.Received(base+600, 0); gap != 500 || fatal {
			t.Errorf("a gap of %d is fatal: %v, want one of 500 that is not", gap, fatal)
		}
	})
}
