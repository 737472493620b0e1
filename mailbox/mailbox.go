// Package mailbox holds the queue through which goroutines send news to the
// one goroutine that owns some state.
//
// A mailbox takes from many and gives to one. Posting never blocks and calls
// nothing, so it may be done under any lock. It is bounded: what arrives
// when it is full is lost and remembered as an overflow, and the owner decides
// what that means (a session ends its client).
package mailbox

import "sync"

// Mailbox is a bounded queue of T for one consumer. Post, Close and Wake may be
// called from any goroutine, Take from the consumer's only.
type Mailbox[T any] struct {
	limit int
	wake  chan struct{}
	call  func() // instead of wake, unless nil

	mu       sync.Mutex // guards the fields below
	items    []T
	overflow bool
	closed   bool
}

// kept is how many items an empty mailbox keeps memory for: most mailboxes are
// silent most of the time.
const kept = 16

// New returns an empty mailbox that holds up to limit items, at least one.
func New[T any](limit int) *Mailbox[T] {
	return &Mailbox[T]{limit: max(limit, 1), wake: make(chan struct{}, 1)}
}

// NewCalling returns an empty mailbox that calls call after each post instead of
// making Wake ready. It is called by whoever posts, under whatever locks that one
// holds, and so must neither block nor take locks.
func NewCalling[T any](limit int, call func()) *Mailbox[T] {
	return &Mailbox[T]{limit: max(limit, 1), call: call}
}

// Post appends item and wakes the consumer. It reports whether the item was
// taken: a full or closed mailbox takes nothing.
func (m *Mailbox[T]) Post(item T) bool {
	m.mu.Lock()
	taken := !m.closed && len(m.items) < m.limit
	if taken {
		m.items = append(m.items, item)
	} else if !m.closed {
		m.overflow = true
	}
	m.mu.Unlock()

	if m.call != nil {
		m.call()
		return taken
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return taken
}

// Wake returns the channel that receives after items were posted. One receive
// may stand for several posts, and a receive may find nothing to take.
func (m *Mailbox[T]) Wake() <-chan struct{} { return m.wake }

// Take moves all waiting items to the end of buf, in the order in which they
// were posted, and reports whether any was lost since the mailbox was made.
func (m *Mailbox[T]) Take(buf []T) (items []T, overflow bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	buf = append(buf, m.items...)
	clear(m.items)
	m.items = m.items[:0]
	if cap(m.items) > kept {
		m.items = nil
	}
	return buf, m.overflow
}

// Close makes the mailbox refuse and forget everything from now on.
func (m *Mailbox[T]) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.items = nil
}
