package packetcache

import (
	"math/rand/v2"
	"testing"
	"time"
)

// packet is one step of a scenario for the group of pictures.
type packet struct {
	seq      int64
	keyframe bool
	after    time.Duration // since the start of the scenario
}

func TestGroupOfPictures(t *testing.T) {
	t.Parallel()
	const key = true
	tests := []struct {
		name    string
		packets []packet
		after   time.Duration // when the group is asked for
		first   int64         // -1 if there must be none
		last    int64
	}{
		{"no keyframe yet", []packet{{0, false, 0}, {1, false, 0}}, 0, -1, 0},
		{"a keyframe alone", []packet{{5, key, 0}}, 0, 5, 5},
		{"up to the head", []packet{{5, key, 0}, {6, false, 0}, {7, false, 0}}, 0, 5, 7},
		{"just young enough", []packet{{5, key, 0}}, 1500 * time.Millisecond, 5, 5},
		{"too old", []packet{{5, key, 0}, {6, false, time.Second}}, 1501 * time.Millisecond, -1, 0},
		{"only the last keyframe counts", []packet{{5, key, 0}, {6, false, 0}, {7, key, 0}, {8, false, 0}}, 0, 7, 8},
		{"a missing packet", []packet{{5, key, 0}, {7, false, 0}}, 0, -1, 0},
		{"a missing packet that came late", []packet{{5, key, 0}, {7, false, 0}, {6, false, 0}}, 0, 5, 7},
		{"a late packet before the keyframe", []packet{{3, false, 0}, {5, key, 0}, {7, false, 0}, {4, false, 0}}, 0, -1, 0},
		{"the keyframe start again", []packet{{5, key, 0}, {7, false, 0}, {5, key, 0}}, 0, -1, 0},
		{"a duplicate within the group", []packet{{5, key, 0}, {7, false, 0}, {7, false, 0}}, 0, -1, 0},
		{"a late older keyframe", []packet{{5, key, 0}, {6, false, 0}, {3, key, 0}}, 0, 5, 6},
		{"a keyframe start that came late", []packet{{4, false, 0}, {6, false, 0}, {7, false, 0}, {5, key, 0}}, 0, 5, 7},
		{"a late keyframe start after which one is missing", []packet{{4, false, 0}, {7, false, 0}, {5, key, 0}}, 0, -1, 0},
		{"a late keyframe start counts from its arrival", []packet{{6, false, 0}, {5, key, time.Second}}, 2 * time.Second, 5, 6},
		{"a jump ahead", []packet{{5, key, 0}, {1 << 20, false, 0}}, 0, -1, 0},
		{"a keyframe after a jump", []packet{{5, key, 0}, {1 << 20, key, 0}}, 0, 1 << 20, 1 << 20},
	}
	for _, tt := range tests {
		for _, base := range []int64{0, 1, 32767, 32768, 65535} {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				c := New[meta](16, packetSize)
				for _, p := range tt.packets {
					put(c, base+p.seq, 10, p.keyframe, start.Add(p.after))
				}
				first, last, ok := c.GroupOfPictures(start.Add(tt.after))
				if ok != (tt.first >= 0) || ok && (first != base+tt.first || last != base+tt.last) {
					t.Errorf("from %d: GroupOfPictures() = %d, %d, %v, want %d, %d", base, first, last, ok, base+tt.first, base+tt.last)
				}
			})
		}
	}
}

func TestGroupOfPicturesLeavesRoomForWhatArrivesMeanwhile(t *testing.T) {
	t.Parallel()
	c := New[meta](16, packetSize)
	for seq := range int64(8) {
		put(c, seq, 10, seq == 0, start)
	}
	if first, last, ok := c.GroupOfPictures(start); !ok || first != 0 || last != 7 {
		t.Errorf("a group of half the ring: %d, %d, %v", first, last, ok)
	}
	put(c, 8, 10, false, start)
	if _, _, ok := c.GroupOfPictures(start); ok {
		t.Error("a group is offered that will be overwritten before it is sent")
	}
	c.Resize(32)
	if _, _, ok := c.GroupOfPictures(start); !ok {
		t.Error("a group is not offered although the ring has grown")
	}
	for seq := range int64(32) {
		put(c, 9+seq, 10, false, start)
	}
	c.Resize(256)
	if _, _, ok := c.GroupOfPictures(start); ok {
		t.Error("a group that lost its first packet is offered again after growing")
	}
}

func TestGroupOfPicturesAcrossResize(t *testing.T) {
	t.Parallel()
	c := New[meta](32, packetSize)
	for seq := range int64(12) {
		put(c, seq, 10, seq == 5, start)
	}
	c.Resize(64)
	c.Resize(16)
	if first, last, ok := c.GroupOfPictures(start); !ok || first != 5 || last != 11 {
		t.Errorf("a group that fits after shrinking: %d, %d, %v", first, last, ok)
	}
	c.Resize(4)
	c.Resize(64)
	if _, _, ok := c.GroupOfPictures(start); ok {
		t.Error("a group that was cut by shrinking is offered")
	}
}

func TestGroupOfPicturesIsBoundedInSize(t *testing.T) {
	t.Parallel()
	c := New[meta](2048, packetSize)
	seq := int64(0)
	for size := 1024; size <= maxGroupSize; size += 1024 {
		put(c, seq, 1024, seq == 0, start)
		seq++
	}
	if _, _, ok := c.GroupOfPictures(start); !ok {
		t.Error("a group of a mebibyte is not offered")
	}
	put(c, seq, 1, false, start)
	if _, _, ok := c.GroupOfPictures(start); ok {
		t.Error("a group of more than a mebibyte is offered")
	}
}

// TestGroupOfPicturesIsAlwaysWhole checks, for random arrivals, that every packet of a group
// that is offered is there, and that a group is offered whenever it is whole.
func TestGroupOfPicturesIsAlwaysWhole(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 3))
		c := New[meta](64, packetSize)
		isKey := func(seq int64) bool { return seq*2654435761%97 < 4 }
		lastKey, next, offered := int64(-1), int64(65500), 0
		for range 5000 {
			seq := next - random.Int64N(8)
			if random.IntN(50) == 0 {
				seq = next - random.Int64N(80)
			}
			if random.IntN(200) != 0 {
				next++
			}
			if put(c, seq, 10, isKey(seq), start) && isKey(seq) {
				lastKey = max(lastKey, seq)
			}
			if random.IntN(500) == 0 {
				c.Resize(16 << random.IntN(4))
			}
			head, _ := c.Head()
			want := lastKey >= 0 && 2*(head-lastKey+1) <= int64(c.Len())
			for i := lastKey; i <= head && want; i++ {
				want = c.Has(i)
			}
			first, last, ok := c.GroupOfPictures(start.Add(time.Second))
			if ok {
				offered++
			}
			if ok != want || ok && (first != lastKey || last != head) {
				t.Fatalf("seed %d: GroupOfPictures() = %d, %d, %v, want %d, %d, %v", seed, first, last, ok, lastKey, head, want)
			}
		}
		if offered == 0 {
			t.Errorf("seed %d: no group was ever whole", seed)
		}
	}
}
