package transportcc

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"

	"galene/rtptime"
)

// epoch is when tests begin.
const epoch = rtptime.Instant(time.Hour)

// reported is what messages say: when each packet came, in microseconds modulo the
// reference time's range, -1 if it did not.
type reported map[uint16]int64

// read adds what a message says, which has been on the wire.
func (r reported) read(tb testing.TB, m *rtcp.TransportLayerCC) {
	tb.Helper()
	raw, err := m.Marshal()
	if err != nil {
		tb.Fatalf("marshalling %v: %v", m, err)
	}
	if len(raw) > 1200 {
		tb.Errorf("a message of %d octets", len(raw))
	}
	var wire rtcp.TransportLayerCC
	if err := wire.Unmarshal(raw); err != nil {
		tb.Fatalf("unmarshalling %v: %v", m, err)
	}
	number, at, delta, count := wire.BaseSequenceNumber, int64(wire.ReferenceTime)*64000, 0, 0
	take := func(symbol uint16) {
		if count == int(wire.PacketStatusCount) {
			return // fills the chunk
		}
		count++
		if symbol == rtcp.TypeTCCPacketNotReceived {
			if _, known := r[number]; !known {
				r[number] = -1
			}
		} else {
			at += wire.RecvDeltas[delta].Delta
			delta++
			r[number] = at
		}
		number++
	}
	for _, chunk := range wire.PacketChunks {
		switch c := chunk.(type) {
		case *rtcp.RunLengthChunk:
			for range c.RunLength {
				take(c.PacketStatusSymbol)
			}
		case *rtcp.StatusVectorChunk:
			for _, symbol := range c.SymbolList {
				take(symbol)
			}
		}
	}
	if count != int(wire.PacketStatusCount) || delta != len(wire.RecvDeltas) {
		tb.Errorf("%d statuses and %d times in %v", count, delta, m)
	}
}

// near compares times, which are rounded to a quarter of a millisecond.
func near(a, b int64) bool {
	if a < 0 || b < 0 {
		return a == b
	}
	d := (a - b) % (referenceMask * 64000)
	return d >= -260 && d <= 260
}

// The oracle is Pion's recorder: both must say the same.
func TestFeedbackSaysWhatCameAndWhen(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, start := range []uint16{0, 1, 32767, 32768, 65535} {
		for _, loss := range []int{0, 5, 50, 95} {
			ours, oracle := New(1), twcc.NewRecorder(1)
			got, want, truth := make(reported), make(reported), make(reported)
			now, held, holding := epoch, uint16(0), false
			record := func(number uint16) {
				ours.Record(number, now)
				oracle.Record(2, number, int64(now)/1000)
				if truth[number] == 0 {
					truth[number] = int64(now) / 1000
				}
			}
			for n := range 3000 {
				now = now.Add(time.Duration(random.IntN(3_000_000)))
				if n%500 == 499 {
					now = now.Add(9 * time.Second) // too far for one message
				}
				number := start + uint16(n)
				switch {
				case random.IntN(100) < loss:
				case !holding && random.IntN(20) == 0:
					held, holding = number, true
				default:
					record(number)
				}
				if holding && random.IntN(5) == 0 {
					record(held) // out of order
					record(held) // and twice
					holding = false
				}
				if n%60 == 59 {
					for _, m := range ours.Feedback(2) {
						if m.SenderSSRC != 1 || m.MediaSSRC != 2 {
							t.Fatalf("feedback from %d about %d, want 1 and 2", m.SenderSSRC, m.MediaSSRC)
						}
						got.read(t, m)
					}
					for _, m := range oracle.BuildFeedbackPacket() {
						if m, ok := m.(*rtcp.TransportLayerCC); ok {
							want.read(t, m)
						}
					}
				}
			}
			if loss < 95 && len(got) < 2800 {
				t.Errorf("start %d, loss %d: only %d packets were reported", start, loss, len(got))
			}
			for number, at := range want {
				if g, ok := got[number]; !ok || !near(g, at) {
					t.Errorf("start %d, loss %d: packet %d came at %d, want %d", start, loss, number, g, at)
				}
			}
			for number, at := range got {
				if at >= 0 && !near(at, truth[number]%((referenceMask+1)*64000)) {
					t.Errorf("start %d, loss %d: packet %d came at %d, in truth %d", start, loss, number, at, truth[number])
				}
			}
		}
	}
}

func TestNothingIsReportedTwiceWithoutNeed(t *testing.T) {
	t.Parallel()
	r := New(1)
	if got := r.Feedback(2); got != nil {
		t.Errorf("feedback before the first packet: %v", got)
	}
	for n := range uint16(10) {
		r.Record(n, epoch)
	}
	if r.Pending() != 10 || len(r.Feedback(2)) != 1 || r.Pending() != 0 {
		t.Errorf("the first packets are not reported once")
	}
	r.Record(9, epoch)
	r.Record(5, epoch)
	if got := r.Feedback(2); got != nil || r.Pending() != 0 {
		t.Errorf("feedback about packets that came again: %v", got)
	}
	r.Record(12, epoch)
	got := r.Feedback(2)
	if len(got) != 1 || got[0].BaseSequenceNumber != 10 || got[0].PacketStatusCount != 3 || got[0].FbPktCount != 1 {
		t.Errorf("feedback about packet 12 is %v", got)
	}
}

func TestJumpsAndBurstsAreBounded(t *testing.T) {
	t.Parallel()
	for _, start := range []uint16{0, 1, 32767, 32768, 65535} {
		r := New(1)
		r.Record(start, epoch)
		r.Record(start+30000, epoch) // more than is remembered
		got := make(reported)
		messages := r.Feedback(2)
		for _, m := range messages {
			got.read(t, m)
		}
		if len(messages) != 1 || got[start+30000] < 0 || got[start+30000] == 0 {
			t.Errorf("start %d: after a jump %d messages, %v", start, len(messages), got)
		}
		r.Record(start+30000-maxLate, epoch)
		if n := r.Pending(); n != 0 {
			t.Errorf("start %d: a packet that is too late is reported", start)
		}
		for n := range uint16(3 * window) {
			r.Record(start+30001+n, epoch)
		}
		if n := r.Pending(); n != window {
			t.Errorf("start %d: %d packets pending, want %d", start, n, window)
		}
		messages = r.Feedback(2)
		if want := (window + maxStatuses - 1) / maxStatuses; len(messages) != want {
			t.Errorf("start %d: %d messages, want %d", start, len(messages), want)
		}
	}
}

func TestRecordingDoesNotAllocate(t *testing.T) {
	r := New(1)
	number, now := uint16(0), epoch
	if allocs := testing.AllocsPerRun(1000, func() {
		number += 2
		now = now.Add(time.Millisecond)
		r.Record(number, now)
	}); allocs != 0 {
		t.Errorf("%v allocations per packet, want none", allocs)
	}
}

// Property: whatever numbers come at whatever times, feedback can be marshalled,
// says what came as it came, and is bounded.
func FuzzFeedbackIsTrue(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 2, 0, 0, 9, 1})
	f.Add([]byte{255, 255, 3, 0, 0, 3, 127, 0, 200})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := New(1)
		now := epoch
		came := make(map[uint16][]int64)
		for len(data) >= 3 {
			number := uint16(data[0])<<8 | uint16(data[1])
			now = now.Add(time.Duration(data[2]) * time.Duration(data[2]) * time.Millisecond)
			r.Record(number, now)
			came[number] = append(came[number], int64(now)/1000)
			if data[2]%7 == 0 {
				messages := r.Feedback(2)
				if len(messages) > window {
					t.Fatalf("%d messages", len(messages))
				}
				for _, m := range messages {
					got := make(reported)
					got.read(t, m)
					for n, at := range got {
						ok := at < 0
						for _, truth := range came[n] {
							ok = ok || near(at, truth%((referenceMask+1)*64000))
						}
						if !ok {
							t.Fatalf("packet %d came at %d, in truth at %v", n, at, came[n])
						}
					}
				}
			}
			data = data[3:]
		}
	})
}
