package packetcache

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"galene/rtptime"
)

const packetSize = 1500

// start is some instant at which tests begin.
const start = rtptime.Instant(time.Hour)

// meta is the metadata of tests: the packet's sequence number again.
type meta struct{ seq int64 }

// put commits a packet of n octets that repeats its sequence number.
func put(c *Cache[meta], seq int64, n int, keyframe bool, now rtptime.Instant) bool {
	fill(c.Buffer()[:n], seq)
	data, ok := c.Commit(seq, n, keyframe, now, meta{seq})
	return ok && len(data) == n && filled(data, seq)
}

func fill(data []byte, seq int64) {
	for i := 0; i+8 <= len(data); i += 8 {
		binary.BigEndian.PutUint64(data[i:], uint64(seq))
	}
}

// filled says whether data is what fill makes of seq.
func filled(data []byte, seq int64) bool {
	for i := 0; i+8 <= len(data); i += 8 {
		if binary.BigEndian.Uint64(data[i:]) != uint64(seq) {
			return false
		}
	}
	return true
}

// checkHolds fails the test unless c has packet seq if and only if it should.
func checkHolds(t *testing.T, c *Cache[meta], seq int64, want bool) {
	t.Helper()
	var dst [packetSize]byte
	n, m, ok := c.Get(seq, dst[:])
	if ok != want || c.Has(seq) != want {
		t.Errorf("Get(%d) = %v, Has = %v, want %v", seq, ok, c.Has(seq), want)
	} else if ok && (m.seq != seq || !filled(dst[:n], seq)) {
		t.Errorf("Get(%d) returned another packet, with metadata %v", seq, m)
	}
}

func TestNewRoundsUpToAPowerOfTwo(t *testing.T) {
	t.Parallel()
	for packets, want := range map[int]int{-1: 1, 0: 1, 1: 1, 2: 2, 3: 4, 24: 32, 128: 128, 129: 256, math.MaxInt: maxPackets} {
		if got := ringLength(packets); got != want {
			t.Errorf("ringLength(%d) = %d, want %d", packets, got, want)
		}
	}
	if got := New[meta](24, packetSize).Len(); got != 32 {
		t.Errorf("New(24).Len() = %d, want 32", got)
	}
}

func TestGetReturnsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	for _, first := range []int64{0, 1, 32767, 32768, 65535} {
		c := New[meta](16, packetSize)
		if _, ok := c.Head(); ok {
			t.Errorf("an empty cache has a head")
		}
		checkHolds(t, c, first, false)
		order := []int64{0, 1, 3, 2, 10, 4, 16, 17, 5}
		for _, i := range order {
			if !put(c, first+i, 100, false, start) {
				t.Errorf("start %d: Commit(+%d) failed", first, i)
			}
		}
		if head, ok := c.Head(); head != first+17 || !ok {
			t.Errorf("start %d: Head() = %d, %v, want %d", first, head, ok, first+17)
		}
		for i, want := range map[int64]bool{
			-1: false, 0: false, 1: false, 2: true, 3: true, 4: true, 5: true, 6: false, 10: true,
			15: false, 16: true, 17: true, 18: false, 18 + 16: false,
		} {
			checkHolds(t, c, first+i, want)
		}
	}
}

func TestCommitRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		seq  int64
		n    int
		want bool
	}{
		{"a duplicate of the head", 100, 10, false},
		{"a duplicate", 90, 10, false},
		{"what is a ring behind", 84, 10, false},
		{"what is far behind", 3, 10, false},
		{"a negative length", 101, -1, false},
		{"a length beyond the buffer", 101, packetSize + 1, false},
		{"not the oldest that fits", 85, 10, true},
		{"not an empty packet", 101, 0, true},
		{"not a full one", 101, packetSize, true},
		{"not a jump ahead", 1 << 40, 10, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := New[meta](16, packetSize)
			put(c, 90, 20, false, start)
			put(c, 100, 20, false, start)
			spare := &c.Buffer()[0]
			if _, ok := c.Commit(tt.seq, tt.n, false, start, meta{}); ok != tt.want {
				t.Errorf("Commit(%d, %d) = %v, want %v", tt.seq, tt.n, ok, tt.want)
			}
			if kept := spare == &c.Buffer()[0]; kept == tt.want {
				t.Errorf("after Commit = %v, spare buffer kept: %v", tt.want, kept)
			}
		})
	}
}

func TestGetNeedsRoom(t *testing.T) {
	t.Parallel()
	c := New[meta](16, packetSize)
	put(c, 7, 80, false, start)
	if n, _, ok := c.Get(7, make([]byte, 79)); ok || n != 80 {
		t.Errorf("Get into 79 octets = %d, %v, want 80, false", n, ok)
	}
	if n, _, ok := c.Get(7, make([]byte, 80)); !ok || n != 80 {
		t.Errorf("Get into 80 octets = %d, %v, want 80, true", n, ok)
	}
}

func TestCommittedDataStaysUntilItsSlotIsReused(t *testing.T) {
	t.Parallel()
	c := New[meta](8, packetSize)
	fill(c.Buffer()[:64], 1)
	data, _ := c.Commit(1, 64, false, start, meta{1})
	c.Resize(32)
	c.Resize(8)
	for seq := int64(2); seq <= 8; seq++ {
		put(c, seq, 64, false, start)
		if !filled(data, 1) {
			t.Fatalf("packet 1 was overwritten by packet %d", seq)
		}
	}
}

func TestResizeKeepsTheMostRecent(t *testing.T) {
	t.Parallel()
	for _, first := range []int64{0, 1, 32767, 32768, 65535} {
		c := New[meta](16, packetSize)
		for i := range int64(20) {
			put(c, first+i, 50, false, start)
		}
		for _, step := range []struct{ packets, oldest int64 }{{64, 4}, {33, 4}, {8, 12}, {8, 12}, {32, 12}} {
			c.Resize(int(step.packets))
			for i := range int64(20) {
				checkHolds(t, c, first+i, i >= step.oldest)
			}
		}
		if head, _ := c.Head(); head != first+19 {
			t.Errorf("start %d: Head() = %d after Resize, want %d", first, head, first+19)
		}
		for i := int64(20); i < 50; i++ {
			if !put(c, first+i, 50, false, start) {
				t.Errorf("start %d: Commit(+%d) failed after Resize", first, i)
			}
		}
	}
}

// TestRandomOrderAgainstAModel compares a cache with a map from which what is too old is removed.
func TestRandomOrderAgainstAModel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	c := New[meta](32, packetSize)
	model := map[int64]bool{}
	head, length := int64(-1), int64(32)
	prune := func() {
		for seq := range model {
			if seq <= head-length {
				delete(model, seq)
			}
		}
	}
	next := int64(65000)
	for range 20_000 {
		switch random.IntN(100) {
		case 0:
			length = 8 << random.IntN(4)
			c.Resize(int(length))
			prune()
		case 1:
			next += random.Int64N(200)
		}
		next++
		seq := next - random.Int64N(20)*random.Int64N(5)
		want := !model[seq] && (head < 0 || seq > head-length)
		if got := put(c, seq, 16, false, start); got != want {
			t.Fatalf("Commit(%d) = %v with head %d and length %d, want %v", seq, got, head, length, want)
		}
		if want {
			model[seq] = true
			head = max(head, seq)
		}
		prune()
		for probe := head - 70; probe <= head+2; probe += 1 + random.Int64N(9) {
			if c.Has(probe) != model[probe] {
				t.Fatalf("Has(%d) = %v, want %v", probe, c.Has(probe), model[probe])
			}
		}
	}
}

// TestReadersSeeWholePackets lets readers copy while the writer overwrites and resizes.
func TestReadersSeeWholePackets(t *testing.T) {
	t.Parallel()
	c := New[meta](32, packetSize)
	put(c, 0, 800, true, start)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			dst := make([]byte, packetSize)
			for i := int64(0); ; i++ {
				select {
				case <-done:
					return
				default:
				}
				head, _ := c.Head()
				seq := head - i%40
				if n, m, ok := c.Get(seq, dst); ok && (m.seq != seq || !filled(dst[:n], seq)) {
					t.Errorf("Get(%d) returned another or a torn packet", seq)
					return
				}
				if first, last, ok := c.GroupOfPictures(start); ok && (first > last || last < head) {
					t.Errorf("GroupOfPictures() = %d, %d with head %d", first, last, head)
					return
				}
				c.Has(seq)
				c.Len()
			}
		})
	}
	for seq := int64(1); seq < 20_000; seq++ {
		put(c, seq, 800, seq%25 == 0, start)
		if seq%1000 == 0 {
			c.Resize(16 << (seq / 1000 % 3))
		}
	}
	close(done)
	readers.Wait()
}

func TestCommitAndGetDoNotAllocate(t *testing.T) {
	c := New[meta](256, packetSize)
	dst := make([]byte, packetSize)
	seq := int64(0)
	got := testing.AllocsPerRun(1000, func() {
		seq++
		c.Buffer()
		c.Commit(seq, 1200, seq%100 == 0, start, meta{seq})
		if _, _, ok := c.Get(seq, dst); !ok {
			t.Fatalf("Get(%d) failed", seq)
		}
		c.GroupOfPictures(start)
	})
	if got != 0 {
		t.Errorf("%v allocations per packet, want 0", got)
	}
}

func TestCapacity(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		rate      float64
		roundTrip time.Duration
		want      int
	}{
		{"nothing measured", 0, 0, 64},
		{"not a number", math.NaN(), 0, 64},
		{"audio", 50, 100 * time.Millisecond, 64},
		{"a second of video", 130, 50 * time.Millisecond, 256},
		{"three long round trips", 300, time.Second, 1024},
		{"never more than the bound", 1e9, time.Minute, 4096},
		{"infinitely many", math.Inf(1), 0, 4096},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Capacity(tt.rate, tt.roundTrip); got != tt.want {
				t.Errorf("Capacity(%v, %v) = %d, want %d", tt.rate, tt.roundTrip, got, tt.want)
			}
		})
	}
}

func BenchmarkCommit(b *testing.B) {
	c := New[meta](512, packetSize)
	b.ReportAllocs()
	b.SetBytes(1200)
	seq := int64(0)
	for b.Loop() {
		seq++
		c.Commit(seq, 1200, false, start, meta{seq})
	}
}

func BenchmarkGet(b *testing.B) {
	c := New[meta](512, packetSize)
	put(c, 1, 1200, false, start)
	dst := make([]byte, packetSize)
	b.ReportAllocs()
	b.SetBytes(1200)
	for b.Loop() {
		c.Get(1, dst)
	}
}

// BenchmarkGetUnderWriter measures parallel readers while a writer commits as fast as it can.
func BenchmarkGetUnderWriter(b *testing.B) {
	c := New[meta](512, packetSize)
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for seq := int64(1); ; seq++ {
			select {
			case <-stop:
				return
			default:
				c.Commit(seq, 1200, false, start, meta{seq})
			}
		}
	})
	b.ReportAllocs()
	b.SetBytes(1200)
	b.RunParallel(func(p *testing.PB) {
		dst := make([]byte, packetSize)
		for p.Next() {
			head, _ := c.Head()
			c.Get(head-10, dst)
		}
	})
	close(stop)
	writer.Wait()
}

func TestResizeToTheSameLengthDoesNothing(t *testing.T) {
	t.Parallel()
	c := New[meta](16, packetSize)
	put(c, 3, 40, false, start)
	before, _ := c.Commit(4, 40, false, start, meta{4})
	c.Resize(9)
	if after := c.slot(4).data[:40]; &before[0] != &after[0] || !bytes.Equal(before, after) {
		t.Error("Resize(9) moved the packets of a ring of 16")
	}
}
