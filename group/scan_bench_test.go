package group

import (
	"fmt"
	"testing"
)

// manyDefinitions is a house with n definitions, every tenth of them public, in
// directories of a hundred.
func manyDefinitions(tb testing.TB, n int) *house {
	tb.Helper()
	definitions := make(map[string]string, n)
	for i := range n {
		definitions[fmt.Sprintf("dir%d/room%d", i/100, i)] = fmt.Sprintf(`{"public":%t,"displayName":"Room %d",%s`,
			i%10 == 0, i, ops[1:])
	}
	return newHouse(tb, definitions)
}

func TestThousandDefinitionsAreFound(t *testing.T) {
	t.Parallel()
	h := manyDefinitions(t, 1000)
	h.scan()
	names, err := h.Names()
	if len(names) != 1000 || err != nil || len(h.PublicStatuses()) != 100 || len(h.all()) != 100 {
		t.Errorf("%d definitions, %v, %d public groups, %d groups in memory, want 1000, 100, 100",
			len(names), err, len(h.PublicStatuses()), len(h.all()))
	}
}

// What it takes to start with a thousand definitions.
func BenchmarkFirstScanOfThousand(b *testing.B) {
	h := manyDefinitions(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		h.Registry = NewRegistry(Options{Directory: h.dir})
		h.scan()
	}
}

// What it takes to find out that none of a thousand definitions has changed.
func BenchmarkScanOfThousandUnchanged(b *testing.B) {
	h := manyDefinitions(b, 1000)
	h.scan()
	b.ReportAllocs()
	for b.Loop() {
		h.scan()
	}
}

// What it costs to ask for a group that is not in memory.
func BenchmarkDescription(b *testing.B) {
	h := newHouse(b, map[string]string{"room": ops})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Description("room"); err != nil {
			b.Fatal(err)
		}
	}
}
