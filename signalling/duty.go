package signalling

import "sync/atomic"

// duty is work that is done when there is cause, by one goroutine at a time,
// which exists only as long as there is something to do.
type duty struct {
	// do does what there is to do, and reports false if that was the last time.
	// It must be set before the first call.
	do   func() (more bool)
	done chan struct{} // closed when do has been called for the last time

	state atomic.Uint32
}

// The states of a duty.
//
//	        call           call
//	idle ─────────▶ busy ─────────▶ busyAgain
//	  ▲              │ ▲                │
//	  └──────────────┤ └────────────────┘
//	     do returned │      do returned
//	                 ▼
//	                over
const (
	idle      uint32 = iota
	busy             // do runs
	busyAgain        // do runs, and must run once more
	dutyOver
)

func newDuty() *duty { return &duty{done: make(chan struct{})} }

// call has the work done. It blocks nobody and takes no lock, so that anybody
// may call it, under any lock.
func (d *duty) call() {
	for {
		switch now := d.state.Load(); now {
		case idle:
			if d.state.CompareAndSwap(idle, busy) {
				go d.run()
				return
			}
		case busy:
			if d.state.CompareAndSwap(busy, busyAgain) {
				return
			}
		default:
			return
		}
	}
}

func (d *duty) run() {
	for d.do() {
		if d.state.CompareAndSwap(busy, idle) {
			return
		}
		d.state.Store(busy)
	}
	d.state.Store(dutyOver)
	close(d.done)
}
