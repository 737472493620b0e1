package mailbox

import (
	"slices"
	"sync"
	"testing"
)

func TestTakeReturnsItemsInOrderOfPosting(t *testing.T) {
	t.Parallel()
	m := New[int](10)
	for i := range 5 {
		if !m.Post(i) {
			t.Fatalf("Post(%d) = false, want true", i)
		}
	}
	<-m.Wake()
	got, overflow := m.Take([]int{-1})
	if want := []int{-1, 0, 1, 2, 3, 4}; !slices.Equal(got, want) || overflow {
		t.Errorf("Take() = %v, %v, want %v, false", got, overflow, want)
	}
	if got, _ := m.Take(nil); len(got) != 0 {
		t.Errorf("second Take() = %v, want nothing", got)
	}
}

func TestFullMailboxRefusesAndRemembersIt(t *testing.T) {
	t.Parallel()
	m := New[int](2)
	m.Post(1)
	m.Post(2)
	if m.Post(3) {
		t.Error("Post to a full mailbox = true, want false")
	}
	got, overflow := m.Take(nil)
	if want := []int{1, 2}; !slices.Equal(got, want) || !overflow {
		t.Errorf("Take() = %v, %v, want %v, true", got, overflow, want)
	}
	if !m.Post(4) {
		t.Error("Post after Take = false, want true")
	}
}

func TestClosedMailboxForgets(t *testing.T) {
	t.Parallel()
	m := New[int](2)
	m.Post(1)
	m.Close()
	if m.Post(2) {
		t.Error("Post after Close = true, want false")
	}
	if got, overflow := m.Take(nil); len(got) != 0 || overflow {
		t.Errorf("Take() after Close = %v, %v, want nothing", got, overflow)
	}
}

func TestConcurrentPostsKeepEachProducersOrder(t *testing.T) {
	t.Parallel()
	const producers, each = 8, 500
	m := New[[2]int](producers * each)
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for i := range each {
				m.Post([2]int{p, i})
			}
		})
	}
	next := make([]int, producers)
	for taken := 0; taken < producers*each; {
		<-m.Wake()
		items, overflow := m.Take(nil)
		if overflow {
			t.Fatal("overflow although the mailbox holds everything")
		}
		for _, it := range items {
			if it[1] != next[it[0]] {
				t.Fatalf("producer %d: got item %d, want %d", it[0], it[1], next[it[0]])
			}
			next[it[0]]++
		}
		taken += len(items)
	}
	wg.Wait()
}

func TestMailboxCallsAfterEachPost(t *testing.T) {
	t.Parallel()
	calls := 0
	m := NewCalling[int](2, func() { calls++ })
	for i := range 3 { // there is room for two
		m.Post(i)
	}
	if calls != 3 {
		t.Errorf("%d calls, want 3: who is told of a loss must be told", calls)
	}
	if got, overflow := m.Take(nil); !slices.Equal(got, []int{0, 1}) || !overflow {
		t.Errorf("Take() = %v, %v, want [0 1], true", got, overflow)
	}
}

func TestEmptyMailboxKeepsLittleMemory(t *testing.T) {
	t.Parallel()
	m := New[int](1000)
	for i := range 1000 {
		m.Post(i)
	}
	if got, _ := m.Take(nil); len(got) != 1000 || cap(m.items) > kept {
		t.Errorf("took %d items and kept memory for %d, want 1000 and at most %d", len(got), cap(m.items), kept)
	}
}
