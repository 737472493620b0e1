package estimator

import (
	"slices"
	"testing"
)

func TestCeiling(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		allowed []uint64
		layered bool
		want    uint64
	}{
		{"no subscribers", nil, false, 100_000},
		{"no subscribers of layers", nil, true, 100_000},
		{"one subscriber", []uint64{512_000}, false, 512_000},
		{"a slow one counts for the least", []uint64{9600}, false, 300_000},
		{"the slowest of a few", []uint64{2_000_000, 400_000, 500_000, 3_000_000}, false, 400_000},
		{"the lower quartile of many", []uint64{900_000, 10_000, 800_000, 700_000, 600_000}, false, 600_000},
		{"a quarter is left behind", []uint64{1, 2, 800_000, 900_000, 900_000, 900_000, 900_000, 900_000, 900_000}, false, 800_000},
		{"not more than that", []uint64{1, 2, 3, 900_000, 900_000, 900_000, 900_000, 900_000, 900_000}, false, 300_000},
		{"the fastest of layers", []uint64{2_000_000, 10_000, 500_000}, true, 2_000_000},
		{"nobody can take layers", []uint64{9600, 100}, true, 204_800},
		{"a recorder alone", []uint64{Unlimited}, false, Unlimited},
		{"a recorder besides", []uint64{Unlimited, 400_000}, false, 400_000},
		{"a recorder of layers besides", []uint64{Unlimited, 400_000}, true, Unlimited},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Ceiling(slices.Clone(tt.allowed), tt.layered); got != tt.want {
				t.Errorf("Ceiling(%v, %v) = %d, want %d", tt.allowed, tt.layered, got, tt.want)
			}
		})
	}
}
