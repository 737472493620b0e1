package udpmux

import (
	"net"
	"os"
	"sync"
	"time"
)

// maxQueue is how many datagrams wait for one candidate, at most: about a
// tenth of a second of a 50 Mbit/s stream.
const maxQueue = 512

// queue holds what came for one candidate until it is read. One reader
// goroutine pushes; any may do the rest.
type queue struct {
	mu         sync.Mutex // guards the fields below
	ready      sync.Cond  // signalled on every change that pop waits for
	head, tail *datagram  // linked by next; owned by the queue
	length     int
	closed     bool
	expired    bool        // the read deadline has passed
	timer      *time.Timer // expires the reads; nil without a deadline ahead
}

func (q *queue) init() { q.ready.L = &q.mu }

// push appends d. It returns a datagram that has to go instead, nil if none:
// the oldest of a full queue, d itself if the queue is closed.
func (q *queue) push(d *datagram) (dropped *datagram) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return d
	}
	if q.length == maxQueue {
		dropped = q.take()
	}
	d.next = nil
	if q.tail == nil {
		q.head = d
	} else {
		q.tail.next = d
	}
	q.tail = d
	q.length++
	q.ready.Signal()
	return dropped
}

// pop takes the oldest datagram, for which it waits. It fails with
// [net.ErrClosed] or [os.ErrDeadlineExceeded].
func (q *queue) pop() (*datagram, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		switch {
		case q.closed:
			return nil, net.ErrClosed
		case q.expired:
			return nil, os.ErrDeadlineExceeded
		case q.head != nil:
			return q.take(), nil
		}
		q.ready.Wait()
	}
}

// take removes the head, which must exist; the caller holds q.mu.
func (q *queue) take() *datagram {
	d := q.head
	q.head = d.next
	if q.head == nil {
		q.tail = nil
	}
	d.next = nil
	q.length--
	return d
}

// setDeadline ends present and future pops at t; the zero time never does.
func (q *queue) setDeadline(t time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	q.expired = false
	if q.closed || t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		q.expired = true
		q.ready.Broadcast()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(left, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.timer == timer { // not replaced while this waited for the lock
			q.expired = true
			q.ready.Broadcast()
		}
	})
	q.timer = timer
}

// close ends all pops and gives back what was waiting.
func (q *queue) close() (rest *datagram) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	q.closed = true
	rest = q.head
	q.head, q.tail, q.length = nil, nil, 0
	q.ready.Broadcast()
	return rest
}
