package srtp

import (
	"testing"

	"pgregory.net/rapid"
)

// estimateByAppendixA is the pseudo-code of RFC 3711, appendix A.
func estimateByAppendixA(roc uint32, sl, seq uint16) uint64 {
	v := roc
	if sl < 32768 {
		if int(seq)-int(sl) > 32768 {
			v = roc - 1
		}
	} else {
		if int(sl)-32768 > int(seq) {
			v = roc + 1
		}
	}
	return uint64(v)<<16 | uint64(seq)
}

// nearest tries the three turns that may be meant; at the same distance, that of highest is.
func nearest(highest uint64, seq uint16) uint64 {
	at := func(turn uint64) uint64 { return turn<<16 | uint64(seq) }
	distance := func(index uint64) uint64 { return max(index, highest) - min(index, highest) }
	turn := highest >> 16
	best := at(turn)
	if turn > 0 && distance(at(turn-1)) < distance(best) {
		best = at(turn - 1)
	}
	if distance(at(turn+1)) < distance(best) {
		best = at(turn + 1)
	}
	return best
}

func TestEstimateIndexIsThatOfTheRFC(t *testing.T) {
	t.Parallel()
	lasts := []uint16{0, 1, 2, 100, 20000, 32766, 32767, 32768, 32769, 50000, 65533, 65534, 65535}
	for _, roc := range []uint32{0, 1, 2, 1000, 1<<32 - 2, 1<<32 - 1} {
		for _, last := range lasts {
			highest := uint64(roc)<<16 | uint64(last)
			for s := range 1 << 16 {
				seq := uint16(s)
				got := EstimateIndex(highest, seq)
				want := estimateByAppendixA(roc, last, seq)
				if roc == 0 && want>>16 == 1<<32-1 {
					want = uint64(seq) // there is nothing before index 0
				}
				if got != want {
					t.Fatalf("EstimateIndex(%#x, %d) = %#x, want %#x", highest, seq, got, want)
				}
				if brute := nearest(highest, seq); got != brute&indexMask {
					t.Fatalf("EstimateIndex(%#x, %d) = %#x, the nearest is %#x", highest, seq, got, brute)
				}
			}
		}
	}
}

func TestReplayIsItsModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var r Replay
		accepted := make(map[uint64]bool)
		var highest uint64
		fresh := func(index uint64) bool {
			return len(accepted) == 0 || index > highest || highest-index < 1024 && !accepted[index]
		}
		near := rapid.Uint64Range(0, 2600)
		for range rapid.IntRange(1, 200).Draw(t, "packets") {
			var index uint64
			switch rapid.IntRange(0, 20).Draw(t, "kind") {
			case 0:
				index = rapid.Uint64Range(0, indexMask).Draw(t, "anywhere")
			case 1, 2, 3, 4, 5, 6, 7, 8:
				index = min(highest+rapid.Uint64Range(0, 70).Draw(t, "ahead"), indexMask)
			default:
				// around the window, mostly behind its end
				index = highest + 1100
				index -= min(near.Draw(t, "behind"), index)
				index = min(index, indexMask)
			}
			if got, want := r.Fresh(index), fresh(index); got != want {
				t.Fatalf("index %d fresh: %v, want %v; highest %d", index, got, want, highest)
			}
			if !rapid.Bool().Draw(t, "authentic") {
				continue
			}
			r.Accept(index)
			if len(accepted) == 0 || index > highest {
				highest = index
			}
			accepted[index] = true
			if r.Fresh(index) {
				t.Fatalf("index %d is fresh after it was accepted", index)
			}
			if got, ok := r.Highest(); !ok || got != highest {
				t.Fatalf("highest %d, %v, want %d", got, ok, highest)
			}
		}
		for back := range min(highest+1, 1100) {
			if got, want := r.Fresh(highest-back), fresh(highest-back); got != want {
				t.Fatalf("at the end index %d fresh: %v, want %v; highest %d", highest-back, got, want, highest)
			}
		}
	})
}

func TestAnEmptyReplayListHasNoHighest(t *testing.T) {
	t.Parallel()
	var r Replay
	if highest, ok := r.Highest(); ok {
		t.Errorf("highest %d of an empty list", highest)
	}
	if !r.Fresh(0) || !r.Fresh(indexMask) {
		t.Error("an empty list refuses a packet")
	}
}
