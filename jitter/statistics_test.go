package jitter

import (
	"math"
	"testing"
	"time"

	"galene/rtptime"
)

// start is some instant at which tests begin.
const start = rtptime.Instant(time.Hour)

// frame is the distance of the packets of tests: 40 ms, or 3600 ticks of a clock of 90 kHz.
const frame = 40 * time.Millisecond

// receive lets packet base+i arrive on time.
func receive(s *Statistics, base, i int64) {
	s.Receive(base+i, uint32(i*3600), start.Add(time.Duration(i)*frame))
}

// bases are first unwrapped sequence numbers as rtptime yields them.
var bases = []int64{1 << 16, 1<<16 + 1, 1<<16 + 32767, 1<<16 + 32768, 1<<16 + 65535}

func TestReportCountsLosses(t *testing.T) {
	t.Parallel()
	type interval struct {
		packets    []int64 // that arrive, relative to the first
		fraction   uint8
		cumulative int32
		highest    uint32 // relative to the first
	}
	tests := []struct {
		name      string
		intervals []interval
	}{
		{"nothing lost", []interval{{[]int64{0, 1, 2, 3}, 0, 0, 3}, {[]int64{4, 5}, 0, 0, 5}}},
		{"a quarter lost", []interval{{[]int64{0, 1, 3}, 64, 1, 3}, {[]int64{4, 5}, 0, 1, 5}}},
		{"all but one in a hundred lost", []interval{{[]int64{0}, 0, 0, 0}, {[]int64{100}, 253, 99, 100}}},
		{"reordering is no loss", []interval{{[]int64{0, 3, 1, 2}, 0, 0, 3}}},
		{"what comes in the next interval is lost in one and made good in the sum", []interval{
			{[]int64{0, 1, 3}, 64, 1, 3},
			{[]int64{2, 4}, 0, 0, 4},
		}},
		{"duplicates make it negative", []interval{{[]int64{0, 1, 1, 1}, 0, -2, 1}}},
		{"a silent interval", []interval{{[]int64{0, 2}, 85, 1, 2}, {nil, 0, 1, 2}, {[]int64{3}, 0, 1, 3}}},
		{"what was sent before the first to come", []interval{{[]int64{0, -2, 1}, 64, 1, 1}}},
		{"a widest gap", []interval{{[]int64{0, 3001}, 255, 3000, 3001}}},
		{"a new start is no loss", []interval{{[]int64{0, 1, 60_000, 60_001}, 0, 0, 60_001}, {[]int64{60_003}, 128, 1, 60_003}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, base := range bases {
				s := NewStatistics(90_000)
				received := 0
				for i, want := range tt.intervals {
					for _, packet := range want.packets {
						receive(s, base, packet)
						received++
					}
					r := s.Report(start)
					highest := uint32(uint16(base)) + want.highest
					if r.FractionLost != want.fraction || r.CumulativeLost != want.cumulative || r.HighestSequence != highest {
						t.Errorf("from %d, interval %d: %+v, want %d, %d, %d", base, i, r, want.fraction, want.cumulative, highest)
					}
					if got := s.Loss(); math.Abs(got-float64(want.fraction)/256) > 1./256 {
						t.Errorf("from %d, interval %d: Loss() = %v, want about %d/256", base, i, got, want.fraction)
					}
					if got := s.Packets(); got != uint64(received) {
						t.Errorf("from %d, interval %d: Packets() = %d, want %d", base, i, got, received)
					}
				}
			}
		})
	}
}

func TestReportBeforeAnyPacketIsZero(t *testing.T) {
	t.Parallel()
	s := NewStatistics(90_000)
	s.SenderReport(1<<32, start)
	if got := s.Report(start); got != (Report{}) {
		t.Errorf("Report() = %+v, want zero", got)
	}
	if s.Loss() != 0 || s.Lost() != 0 || s.Jitter() != 0 {
		t.Errorf("loss %v, lost %d, jitter %v, want 0", s.Loss(), s.Lost(), s.Jitter())
	}
}

func TestCumulativeLossIsClampedTo24Bits(t *testing.T) {
	t.Parallel()
	s := NewStatistics(90_000)
	seq := int64(1 << 16)
	for range 3000 { // each loses 3000 packets
		s.Receive(seq, 0, start)
		seq += 3001
	}
	if got := s.Report(start).CumulativeLost; got != 1<<23-1 {
		t.Errorf("CumulativeLost = %d after 9 million losses, want %d", got, 1<<23-1)
	}
	if got := s.Lost(); got != 2999*3000 {
		t.Errorf("Lost() = %d, want %d", got, 2999*3000)
	}
}

func TestJitter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		timestamp uint32                         // of the first packet
		late      func(i int) time.Duration      // delay of packet i
		shift     func(i int) uint32             // added to its timestamp
		want      func(got time.Duration) string // what is wrong with the estimate
	}{
		{
			"packets on time have none", 0,
			func(int) time.Duration { return 0 }, nil, within(0, 0),
		},
		{
			"a constant delay is none", math.MaxUint32 - 5000,
			func(int) time.Duration { return time.Second }, nil, within(0, 0),
		},
		{
			"every other packet late by 8 ms", math.MaxUint32 - 5000,
			func(i int) time.Duration { return time.Duration(i%2) * 8 * time.Millisecond }, nil,
			within(7900*time.Microsecond, 8*time.Millisecond),
		},
		{
			"a timestamp that starts anew is none", 0,
			func(int) time.Duration { return 0 },
			func(i int) uint32 { return uint32(i/100) * 1_000_000_000 },
			within(0, 0),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := NewStatistics(90_000)
			for i := range 300 {
				timestamp := tt.timestamp + uint32(i*3600)
				if tt.shift != nil {
					timestamp += tt.shift(i)
				}
				s.Receive(1<<16+int64(i), timestamp, start.Add(time.Duration(i)*frame+tt.late(i)))
			}
			if wrong := tt.want(s.Jitter()); wrong != "" {
				t.Error(wrong)
			}
			ticks := s.Report(start).Jitter
			if d := rtptime.TicksDuration(int64(ticks), 90_000) - s.Jitter(); d > 0 || d < -12*time.Microsecond {
				t.Errorf("reported %d ticks, but Jitter() = %v", ticks, s.Jitter())
			}
		})
	}
}

// within returns a check that a jitter lies in a range.
func within(low, high time.Duration) func(time.Duration) string {
	return func(got time.Duration) string {
		if got < low || got > high {
			return "Jitter() = " + got.String() + ", want " + low.String() + " to " + high.String()
		}
		return ""
	}
}

func TestReportRefersToTheLastSenderReport(t *testing.T) {
	t.Parallel()
	s := NewStatistics(90_000)
	receive(s, 1<<16, 0)
	if r := s.Report(start); r.LastSenderReport != 0 || r.Delay != 0 {
		t.Errorf("without sender report: %+v", r)
	}
	s.SenderReport(0x0000_1234_5678_0000, start)
	for after, want := range map[time.Duration]uint32{
		-time.Second:            0,
		0:                       0,
		500 * time.Millisecond:  1 << 15,
		10 * time.Second:        10 << 16,
		10_000 * time.Hour:      math.MaxUint32,
		15*time.Second + 1<<16:  15<<16 + 4,
		250 * time.Microsecond:  16,
		65535 * time.Second:     65535 << 16,
		1000 * time.Microsecond: 65,
	} {
		if r := s.Report(start.Add(after)); r.LastSenderReport != 0x12345678 || r.Delay != want {
			t.Errorf("after %v: %#x, %d, want 0x12345678, %d", after, r.LastSenderReport, r.Delay, want)
		}
	}
}

func TestReceiveDoesNotAllocate(t *testing.T) {
	s := NewStatistics(90_000)
	i := int64(0)
	got := testing.AllocsPerRun(1000, func() {
		i++
		receive(s, 1<<16, i)
		s.Report(start)
	})
	if got != 0 {
		t.Errorf("%v allocations per packet, want 0", got)
	}
}

func BenchmarkReceive(b *testing.B) {
	s := NewStatistics(90_000)
	b.ReportAllocs()
	i := int64(0)
	for b.Loop() {
		i++
		receive(s, 1<<16, i)
	}
}
