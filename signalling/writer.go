package signalling

import (
	"sync"
	"time"
)

// writer sends frames to one client from a bounded queue, so that whoever has
// something to say to the client never waits for it. A client that does not
// take a frame in time, or whose queue is full, is dropped.
type writer struct {
	// Immutable.
	pipe   Pipe
	limits Limits
	wake   chan struct{} // to run: the queue or last has changed
	done   chan struct{} // closed when run has returned

	mu    sync.Mutex // guards the fields below
	queue [][]byte
	count int         // frames that are not yet written
	bytes int         // in these
	last  *closeFrame // follows the queue; nil while the session goes on
	dead  bool        // nothing is taken any more
}

// keptQueue is the longest queue whose memory is kept for the next messages.
const keptQueue = 256

// closeFrame is the last thing that is said to a client.
type closeFrame struct {
	code     int
	reason   string
	deadline time.Time // for all that is still to be written
}

func newWriter(p Pipe, l Limits) *writer {
	return &writer{pipe: p, limits: l, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// send queues frame, which is not changed and may be shared. It reports false
// if the client does not keep up or is gone. Any goroutine.
func (w *writer) send(frame []byte) bool {
	w.mu.Lock()
	ok := !w.dead && w.last == nil &&
		w.count < w.limits.QueueMessages && w.bytes+len(frame) <= w.limits.QueueBytes
	if ok {
		w.queue = append(w.queue, frame)
		w.count++
		w.bytes += len(frame)
	}
	w.mu.Unlock()
	w.nudge()
	return ok
}

// finish makes run end with a close frame after everything that is queued, if
// that is possible in a short time. Only the first call counts. Any goroutine.
func (w *writer) finish(code int, reason string) {
	w.mu.Lock()
	if w.last == nil {
		w.last = &closeFrame{code, reason, time.Now().Add(flushTimeout)}
	}
	w.mu.Unlock()
	w.nudge()
}

// drop ends the pipe at once, and with it run. Any goroutine.
func (w *writer) drop() {
	w.mu.Lock()
	w.dead = true
	w.mu.Unlock()
	w.pipe.Cut()
	w.nudge()
}

func (w *writer) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run writes until finish or drop is called or the client fails to read.
func (w *writer) run() {
	defer close(w.done)
	var batch [][]byte
	for {
		var last *closeFrame
		var dead bool
		batch, last, dead = w.take(batch)
		switch {
		case dead:
			return
		case len(batch) > 0:
			if !w.write(batch) {
				w.drop()
				return
			}
		case last != nil:
			w.sayGoodbye(last)
			return
		default:
			<-w.wake
		}
	}
}

// take swaps the queue for spent, the batch that was written before.
func (w *writer) take(spent [][]byte) (batch [][]byte, last *closeFrame, dead bool) {
	clear(spent)
	if cap(spent) > keptQueue {
		spent = nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	batch = w.queue
	w.queue = spent[:0]
	return batch, w.last, w.dead
}

func (w *writer) write(batch [][]byte) bool {
	for _, frame := range batch {
		deadline := time.Now().Add(writeTime(len(frame)))
		w.mu.Lock()
		if w.last != nil && w.last.deadline.Before(deadline) {
			deadline = w.last.deadline
		}
		w.mu.Unlock()

		if w.pipe.Write(frame, deadline) != nil {
			return false
		}

		w.mu.Lock()
		w.count--
		w.bytes -= len(frame)
		w.mu.Unlock()
	}
	return true
}

// writeTime is how long a client may take for a message of so many bytes.
func writeTime(bytes int) time.Duration {
	return max(writeTimeout, time.Duration(bytes)*time.Second/slowestClient)
}

func (w *writer) sayGoodbye(last *closeFrame) {
	w.mu.Lock()
	w.dead = true
	w.mu.Unlock()
	if w.pipe.Close(last.code, last.reason, time.Now().Add(lingerTimeout)) != nil {
		w.pipe.Cut()
	}
}
