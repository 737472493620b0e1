package packetmap

import (
	"math/rand/v2"
	"testing"
	"time"
)

// starts are where sequence numbers are most likely to go wrong.
var starts = []uint16{0, 1, 32767, 32768, 65535}

// wantForward fails the test unless Forward(ingest) returns want.
func wantForward(t *testing.T, m *Map, ingest int64, want uint16) {
	t.Helper()
	if got, ok := m.Forward(ingest, 0); !ok || got != want {
		t.Errorf("Forward(%d) = %d, %v, want %d, true", ingest, got, ok, want)
	}
}

// wantRefused fails the test if Forward(ingest) returns a number.
func wantRefused(t *testing.T, m *Map, ingest int64) {
	t.Helper()
	if got, ok := m.Forward(ingest, 0); ok {
		t.Errorf("Forward(%d) = %d, want none", ingest, got)
	}
}

// wantEntry fails the test unless Lookup(out) returns want.
func wantEntry(t *testing.T, m *Map, out uint16, want Entry) {
	t.Helper()
	if got, ok := m.Lookup(out); !ok || got != want {
		t.Errorf("Lookup(%d) = %+v, %v, want %+v, true", out, got, ok, want)
	}
}

// wantNoEntry fails the test if Lookup(out) finds anything.
func wantNoEntry(t *testing.T, m *Map, out uint16) {
	t.Helper()
	if got, ok := m.Lookup(out); ok {
		t.Errorf("Lookup(%d) = %+v, want none", out, got)
	}
}

// fromEachStart runs scenario with each pair of a first outgoing and a first ingest number.
func fromEachStart(t *testing.T, scenario func(t *testing.T, m *Map, out uint16, in int64)) {
	t.Helper()
	for _, out := range starts {
		for _, in := range starts {
			scenario(t, New(out, ringSize), out, int64(in)+1<<16)
		}
	}
}

func TestForwardIsContiguousWhenNothingIsLost(t *testing.T) {
	t.Parallel()
	fromEachStart(t, func(t *testing.T, m *Map, out uint16, in int64) {
		t.Helper()
		random := rand.New(rand.NewPCG(uint64(out), uint64(in)))
		next := [2]int64{in, in + 12345}
		source := 0
		if _, ok := m.Last(); ok {
			t.Error("a new map has a last number")
		}
		for range 3000 {
			switch random.IntN(20) {
			case 0:
				source = 1 - source
				next[source] += random.Int64N(100)
				m.Switch(uint8(source), next[source], 7)
				fallthrough
			case 1, 2, 3, 4:
				if !m.Drop(next[source]) {
					t.Fatalf("Drop(%d) left a hole", next[source])
				}
			default:
				wantForward(t, m, next[source], out)
				if last, ok := m.Last(); !ok || last != out {
					t.Fatalf("Last() = %d, %v after %d", last, ok, out)
				}
				out++
			}
			next[source]++
		}
	})
}

func TestLatePacketsGetTheNumberTheirGapLeft(t *testing.T) {
	t.Parallel()
	fromEachStart(t, func(t *testing.T, m *Map, out uint16, in int64) {
		t.Helper()
		wantForward(t, m, in, out)
		wantForward(t, m, in+3, out+3)
		wantForward(t, m, in+1, out+1)
		wantForward(t, m, in+3, out+3)
		wantForward(t, m, in+1, out+1)
		if last, _ := m.Last(); last != out+3 {
			t.Errorf("Last() = %d, want %d", last, out+3)
		}
		wantNoEntry(t, m, out+2)
		wantForward(t, m, in+2, out+2)
		wantEntry(t, m, out+2, Entry{Ingest: in + 2})
		wantRefused(t, m, in-1)
	})
}

func TestDropClosesTheNumbering(t *testing.T) {
	t.Parallel()
	fromEachStart(t, func(t *testing.T, m *Map, out uint16, in int64) {
		t.Helper()
		wantForward(t, m, in, out)
		if !m.Drop(in+1) || !m.Drop(in+2) {
			t.Error("Drop of the next packet left a hole")
		}
		wantForward(t, m, in+3, out+1)
		if !m.Drop(in + 6) { // with two missing before it
			t.Error("Drop ahead left a hole of its own")
		}
		wantForward(t, m, in+7, out+4)
		wantForward(t, m, in+5, out+3)
		wantRefused(t, m, in+6)
		wantRefused(t, m, in+1)
		if !m.Drop(in+6) || !m.Drop(in+5) {
			t.Error("Drop of a packet dropped or sent before found a hole")
		}
		wantEntry(t, m, out+3, Entry{Ingest: in + 5})
	})
}

func TestDropOfALatePacketLeavesItsHole(t *testing.T) {
	t.Parallel()
	fromEachStart(t, func(t *testing.T, m *Map, out uint16, in int64) {
		t.Helper()
		wantForward(t, m, in, out)
		wantForward(t, m, in+3, out+3)
		if m.Drop(in+1) || m.Drop(in+2) {
			t.Error("Drop of a late packet saw no hole")
		}
		wantForward(t, m, in+1, out+1) // the caller may still send it
		if got, ok := m.Pad(in + 2); !ok || got != out+2 {
			t.Errorf("Pad = %d, %v, want %d", got, ok, out+2)
		}
		wantRefused(t, m, in+2) // the number is used up
		wantNoEntry(t, m, out+2)
		for _, ingest := range []int64{in - 1, in, in + 1, in + 2, in + 4} {
			if got, ok := m.Pad(ingest); ok {
				t.Errorf("Pad(first%+d) = %d without a hole", ingest-in, got)
			}
		}
		wantForward(t, m, in+4, out+4)
	})
}

func TestSwitchContinuesTheNumbering(t *testing.T) {
	t.Parallel()
	fromEachStart(t, func(t *testing.T, m *Map, out uint16, in int64) {
		t.Helper()
		wantForward(t, m, in, out)
		wantForward(t, m, in+2, out+2)
		m.Switch(2, in-500, 1_000_000)
		wantRefused(t, m, in-501)
		wantForward(t, m, in-499, out+4)
		wantForward(t, m, in-500, out+3)
		m.Switch(0, in+90, 5)
		wantForward(t, m, in+90, out+5)
		wantRefused(t, m, in+1)
		wantEntry(t, m, out, Entry{Ingest: in})
		wantNoEntry(t, m, out+1)
		wantEntry(t, m, out+2, Entry{Ingest: in + 2})
		wantEntry(t, m, out+3, Entry{Ingest: in - 500, Source: 2, TimestampOffset: 1_000_000})
		wantEntry(t, m, out+4, Entry{Ingest: in - 499, Source: 2, TimestampOffset: 1_000_000})
		wantEntry(t, m, out+5, Entry{Ingest: in + 90, TimestampOffset: 5})
		wantNoEntry(t, m, out+6)
	})
}

func TestSwitchBeforeAnythingWasSent(t *testing.T) {
	t.Parallel()
	m := New(65535, ringSize)
	m.Switch(1, 70_000, 9)
	wantRefused(t, m, 69_999)
	wantForward(t, m, 70_001, 0)
	wantForward(t, m, 70_000, 65535)
	wantEntry(t, m, 65535, Entry{Ingest: 70_000, Source: 1, TimestampOffset: 9})
}

func TestWhatIsOlderThanTheRingIsForgotten(t *testing.T) {
	t.Parallel()
	fromEachStart(t, func(t *testing.T, m *Map, out uint16, in int64) {
		t.Helper()
		for i := range int64(ringSize) {
			if i != 1 {
				wantForward(t, m, in+i, out+uint16(i))
			}
		}
		wantEntry(t, m, out, Entry{Ingest: in})
		wantForward(t, m, in, out)
		wantForward(t, m, in+ringSize, out+ringSize)
		wantNoEntry(t, m, out)
		wantRefused(t, m, in)
		wantForward(t, m, in+1, out+1)
	})
}

func TestAJumpAheadLeavesOneHole(t *testing.T) {
	t.Parallel()
	fromEachStart(t, func(t *testing.T, m *Map, out uint16, in int64) {
		t.Helper()
		wantForward(t, m, in, out)
		wantForward(t, m, in+ringSize, out+ringSize) // as far as a gap goes
		wantForward(t, m, in+1, out+1)
		out += ringSize
		in += ringSize
		wantForward(t, m, in+ringSize+1, out+2)
		wantRefused(t, m, in+ringSize)
		wantRefused(t, m, in)
		wantNoEntry(t, m, out+1)
		wantEntry(t, m, out, Entry{Ingest: in})
		wantForward(t, m, in+ringSize+2, out+3)
	})
}

func TestResendIsBounded(t *testing.T) {
	t.Parallel()
	m := New(10, ringSize)
	m.Forward(100, 0)
	const spacing = 20 * time.Millisecond
	steps := []struct {
		after time.Duration
		want  bool
	}{
		{0, true},
		{spacing - 1, false},
		{spacing, true},
		{spacing + spacing/2, false},
		{2 * spacing, true},
		{3 * spacing, true},
		{4 * spacing, true},
		{5 * spacing, true},
		{6 * spacing, true},
		{7 * spacing, true},
		{time.Hour, false},
	}
	for _, step := range steps {
		entry, ok := m.Resend(10, int64(step.after), spacing)
		if ok != step.want || ok && entry.Ingest != 100 {
			t.Errorf("Resend after %v = %+v, %v, want %v", step.after, entry, ok, step.want)
		}
	}
	wantEntry(t, m, 10, Entry{Ingest: 100})
	if _, ok := m.Resend(11, 0, spacing); ok {
		t.Error("Resend of a packet that was never sent succeeded")
	}
}

func TestForwardDoesNotAllocate(t *testing.T) {
	m := New(0, ringSize)
	ingest := int64(1 << 16)
	got := testing.AllocsPerRun(1000, func() {
		ingest += 2
		out, _ := m.Forward(ingest, 0)
		m.Forward(ingest-1, 0)
		m.Drop(ingest + 1)
		m.Lookup(out)
		m.Switch(uint8(ingest&1), ingest+1, 0)
	})
	if got != 0 {
		t.Errorf("%v allocations per packet, want 0", got)
	}
}

func BenchmarkForward(b *testing.B) {
	m := New(0, ringSize)
	b.ReportAllocs()
	ingest := int64(1 << 16)
	for b.Loop() {
		ingest++
		m.Forward(ingest, 0)
	}
}

func BenchmarkLookup(b *testing.B) {
	m := New(0, ringSize)
	for ingest := range int64(ringSize) {
		m.Forward(ingest, 0)
	}
	b.ReportAllocs()
	out := uint16(0)
	for b.Loop() {
		out = (out + 1) & (ringSize - 1)
		m.Lookup(out)
	}
}

func TestNothingIsLeftForWhatIsClosed(t *testing.T) {
	t.Parallel()
	for _, out := range starts {
		for _, first := range starts {
			in := int64(first) + 1<<16
			m := New(out, ringSize)
			m.Close(in) // of no effect before the first packet
			wantForward(t, m, in, out)
			m.Close(in + 5)
			wantForward(t, m, in+5, out+1)
			wantRefused(t, m, in+3)
			if !m.Drop(in + 2) {
				t.Errorf("packet %d has left a hole", in+2)
			}
			m.Close(in + 4) // it is behind
			wantForward(t, m, in+7, out+3)
			wantForward(t, m, in+6, out+2)
			m.Close(in + 7 + 2*ringSize)
			wantForward(t, m, in+7+2*ringSize, out+4)
			wantRefused(t, m, in+8)
			wantRefused(t, m, in+6+2*ringSize)
		}
	}
}

func TestNotesAreKept(t *testing.T) {
	t.Parallel()
	m := New(7, ringSize)
	m.Forward(100, 1<<63+1)
	m.Forward(100, 5) // again: as it was sent the first time
	m.Switch(1, 200, 9)
	m.Forward(200, 6)
	for out, want := range map[uint16]Entry{
		7: {Ingest: 100, Note: 1<<63 + 1},
		8: {Ingest: 200, Source: 1, TimestampOffset: 9, Note: 6},
	} {
		if got, ok := m.Lookup(out); !ok || got != want {
			t.Errorf("Lookup(%d) = %+v, %v, want %+v", out, got, ok, want)
		}
	}
}
