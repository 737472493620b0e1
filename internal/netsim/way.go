package netsim

import (
	"container/heap"
	"sync"
	"time"
)

// way carries the datagrams of one direction. Its goroutine delivers them when they
// arrive.
type way struct {
	deliver func(datagram) // called from the goroutine

	mu     sync.Mutex // guards the fields below
	path   *Path
	flying flight
	sent   uint64
	wake   chan struct{} // has room for one
}

func newWay(path *Path, deliver func(datagram)) *way {
	return &way{deliver: deliver, path: path, wake: make(chan struct{}, 1)}
}

// send lets a datagram travel, which begins at now.
func (w *way) send(now time.Duration, d datagram) {
	w.mu.Lock()
	arrivals, n := w.path.Pass(now, len(d.payload))
	first := false
	for _, at := range arrivals[:n] {
		w.sent++
		first = first || len(w.flying) == 0 || at < w.flying[0].at
		heap.Push(&w.flying, flyer{at: at, order: w.sent, datagram: d})
	}
	w.mu.Unlock()
	if first {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// run delivers datagrams until closed is. Times count from begun.
func (w *way) run(begun time.Time, closed <-chan struct{}) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := time.Hour
		for _, d := range w.arrived(time.Since(begun), &wait) {
			w.deliver(d)
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-w.wake:
		case <-closed:
			return
		}
	}
}

// arrived takes what has arrived at now, in order. wait becomes the time until more does.
func (w *way) arrived(now time.Duration, wait *time.Duration) (list []datagram) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.flying) > 0 && w.flying[0].at <= now {
		if f, ok := heap.Pop(&w.flying).(flyer); ok {
			list = append(list, f.datagram)
		}
	}
	if len(w.flying) > 0 {
		*wait = w.flying[0].at - now
	}
	return list
}

// flyer is a datagram on its way.
type flyer struct {
	at    time.Duration
	order uint64 // in which they were sent
	datagram
}

// flight is a heap of datagrams by their arrival.
type flight []flyer

func (f flight) Len() int { return len(f) }

func (f flight) Less(i, j int) bool {
	return f[i].at < f[j].at || f[i].at == f[j].at && f[i].order < f[j].order
}

func (f flight) Swap(i, j int) { f[i], f[j] = f[j], f[i] }

// Push implements [heap.Interface].
func (f *flight) Push(x any) {
	if item, ok := x.(flyer); ok {
		*f = append(*f, item)
	}
}

// Pop implements [heap.Interface].
func (f *flight) Pop() any {
	last := len(*f) - 1
	item := (*f)[last]
	(*f)[last] = flyer{}
	*f = (*f)[:last]
	return item
}
