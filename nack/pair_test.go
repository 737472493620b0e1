package nack

import (
	"slices"
	"testing"
)

func TestPairs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		seqs []int64
		want []Pair
	}{
		{"none", nil, nil},
		{"one", []int64{70_000}, []Pair{{4464, 0}}},
		{"neighbours", []int64{70_000, 70_001, 70_002}, []Pair{{4464, 0b11}}},
		{"the last bit", []int64{100, 116}, []Pair{{100, 0x8000}}},
		{"beyond the last bit", []int64{100, 117}, []Pair{{100, 0}, {117, 0}}},
		{"seventeen in a row and one", []int64{5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22}, []Pair{{5, 0xffff}, {22, 0}}},
		{"across the wrap", []int64{65535, 65536, 65538}, []Pair{{65535, 0b101}}},
		{"the same twice", []int64{9, 9, 10, 10}, []Pair{{9, 1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Pairs(nil, tt.seqs); !slices.Equal(got, tt.want) {
				t.Errorf("Pairs(%v) = %v, want %v", tt.seqs, got, tt.want)
			}
			kept := Pair{1, 2}
			if got := Pairs([]Pair{kept}, tt.seqs); got[0] != kept || len(got) != len(tt.want)+1 {
				t.Errorf("Pairs did not append: %v", got)
			}
		})
	}
}

// Pairs name exactly the sequence numbers they were made of, each once.
func FuzzPairs(f *testing.F) {
	f.Add(int64(65530), []byte{1, 1, 3, 16, 17, 0})
	f.Fuzz(func(t *testing.T, first int64, steps []byte) {
		first &= 1<<40 - 1
		seqs := []int64{first}
		for _, step := range steps {
			if last := seqs[len(seqs)-1] + int64(step); last < first+1<<16 {
				seqs = append(seqs, last)
			}
		}
		var named []uint16
		for _, pair := range Pairs(nil, seqs) {
			named = append(named, pair.ID)
			for i := range uint16(16) {
				if pair.Mask&(1<<i) != 0 {
					named = append(named, pair.ID+1+i)
				}
			}
		}
		var want []uint16
		for _, seq := range slices.Compact(seqs) {
			want = append(want, uint16(seq))
		}
		if !slices.Equal(named, want) {
			t.Fatalf("Pairs(%v) names %v", seqs, named)
		}
	})
}
