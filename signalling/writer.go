package signalling

import (
	"sync"
	"time"
)

// writer sends frames to one client from a bounded queue, so that whoever has
// something to say to the client never waits for it. What was queued together is
// written together. A client that does not take it in time, or whose queue is
// full, is dropped.
//
// Writing takes a goroutine only while there is something to write that may have
// to wait.
type writer struct {
	// Immutable.
	pipe   Pipe
	limits Limits
	lost   func()        // called when nothing will be written any more; blocks nobody
	done   chan struct{} // closed by then
	// panicked reports what a pipe has panicked with.
	panicked func(any)

	ends sync.Once // closes done

	mu     sync.Mutex // guards the fields below
	queue  [][]byte
	count  int         // frames that are not yet written
	bytes  int         // in these
	last   *closeFrame // follows the queue; nil while the session goes on
	active bool        // somebody writes
	dead   bool        // nothing is taken any more
}

const (
	// keptQueue is the longest queue whose memory is kept for the next messages.
	keptQueue = 8
	// littleWrite is how many bytes are written without a goroutine.
	littleWrite = 4 << 10
	// maxWrite is how many bytes are written at once, unless a message is longer.
	maxWrite = 32 << 10
)

// closeFrame is the last thing that is said to a client.
type closeFrame struct {
	code     int
	reason   string
	deadline time.Time // for all that is still to be written
}

func newWriter(p Pipe, l Limits, lost func(), panicked func(any)) *writer {
	return &writer{pipe: p, limits: l, lost: lost, panicked: panicked, done: make(chan struct{})}
}

// send queues frame, which is not changed and may be shared, until flush is
// called. It reports false if the client does not keep up or is gone.
func (w *writer) send(frame []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	ok := !w.dead && w.last == nil &&
		w.count < w.limits.QueueMessages && w.bytes+len(frame) <= w.limits.QueueBytes
	if ok {
		w.queue = append(w.queue, frame)
		w.count++
		w.bytes += len(frame)
	}
	return ok
}

// flush has what was queued written. If that is little, it is done on return:
// there is almost always room for it, and to wait for a client that takes nothing
// for as long as it takes to drop it costs less than to start a goroutine for each
// message.
func (w *writer) flush() {
	w.mu.Lock()
	needed := len(w.queue) > 0 && !w.active && !w.dead
	bytes := w.bytes
	w.active = w.active || needed
	w.mu.Unlock()
	switch {
	case !needed:
	case bytes <= littleWrite:
		w.run()
	default:
		go w.run()
	}
}

// finish has a close frame written after everything that is queued, if that is
// possible in a short time. Only the first call counts. Any goroutine.
func (w *writer) finish(code int, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last != nil || w.dead {
		return
	}
	w.last = &closeFrame{code, reason, time.Now().Add(flushTimeout)}
	if !w.active {
		w.active = true
		go w.run()
	}
}

// drop ends the pipe at once. Any goroutine.
func (w *writer) drop() {
	w.mu.Lock()
	w.dead = true
	w.queue = nil
	active := w.active
	w.mu.Unlock()
	w.pipe.Cut()
	if !active {
		w.end()
	}
}

func (w *writer) end() {
	w.ends.Do(func() {
		close(w.done)
		w.lost()
	})
}

// run writes until nothing is queued, or the client fails to read. Whoever calls
// it has set active. A panic is the end of this client only.
func (w *writer) run() {
	defer func() {
		if r := recover(); r != nil {
			w.drop()
			w.end()
			w.panicked(r)
		}
	}()
	var batch [][]byte
	for {
		var last *closeFrame
		var dead bool
		batch, last, dead = w.take(batch)
		switch {
		case dead:
			w.end()
			return
		case len(batch) > 0:
			if !w.write(batch) {
				w.drop()
				w.end()
				return
			}
		case last != nil:
			w.sayGoodbye(last)
			w.end()
			return
		default:
			return
		}
	}
}

// take swaps the queue for spent, the batch that was written before. If there is
// nothing to do, nobody writes any more.
func (w *writer) take(spent [][]byte) (batch [][]byte, last *closeFrame, dead bool) {
	clear(spent)
	if cap(spent) > keptQueue {
		spent = nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	batch = w.queue
	w.queue = spent[:0]
	if len(batch) == 0 && w.last == nil && !w.dead {
		w.active = false
	}
	return batch, w.last, w.dead
}

// write writes a batch, as much at once as may be.
func (w *writer) write(batch [][]byte) bool {
	for len(batch) > 0 {
		count, bytes := 1, len(batch[0])
		for count < len(batch) && bytes+len(batch[count]) <= maxWrite {
			bytes += len(batch[count])
			count++
		}
		if w.pipe.Write(batch[:count], w.deadline(bytes)) != nil {
			return false
		}
		batch = batch[count:]

		w.mu.Lock()
		w.count -= count
		w.bytes -= bytes
		w.mu.Unlock()
	}
	return true
}

// deadline is when the client must have taken so many bytes.
func (w *writer) deadline(bytes int) time.Time {
	deadline := time.Now().Add(writeTime(bytes))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last != nil && w.last.deadline.Before(deadline) {
		return w.last.deadline
	}
	return deadline
}

// writeTime is how long a client may take for so many bytes.
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
