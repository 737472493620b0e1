package udpmux

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func newQueue() *queue {
	q := new(queue)
	q.init()
	return q
}

func TestFullQueueDropsItsOldest(t *testing.T) {
	t.Parallel()
	q := newQueue()
	for i := range maxQueue + 2 {
		dropped := q.push(&datagram{n: i})
		if i < maxQueue && dropped != nil {
			t.Fatalf("push %d dropped datagram %d, want none", i, dropped.n)
		}
		if i >= maxQueue && (dropped == nil || dropped.n != i-maxQueue) {
			t.Fatalf("push %d dropped %v, want datagram %d", i, dropped, i-maxQueue)
		}
	}
	for want := 2; want < maxQueue+2; want++ {
		d, err := q.pop()
		if err != nil || d.n != want {
			t.Fatalf("pop() = %v, %v, want datagram %d", d, err, want)
		}
	}
}

func TestClosedQueueGivesBackItsDatagramsAndTakesNoMore(t *testing.T) {
	t.Parallel()
	q := newQueue()
	q.push(&datagram{n: 1})
	q.push(&datagram{n: 2})
	rest := q.close()
	if rest == nil || rest.n != 1 || rest.next == nil || rest.next.n != 2 || rest.next.next != nil {
		t.Errorf("close() = %v, want datagrams 1 and 2", rest)
	}
	if d := new(datagram); q.push(d) != d {
		t.Error("push to a closed queue kept the datagram")
	}
	if _, err := q.pop(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("pop() error = %v, want net.ErrClosed", err)
	}
	if q.close() != nil {
		t.Error("second close() returned datagrams")
	}
}

func TestPopWaitsUntilTheDeadline(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		deadlines []time.Duration // set one after the other; 0 for none
		want      time.Duration   // when pop fails; 0 if only closing ends it
	}{
		{"ahead", []time.Duration{time.Second}, time.Second},
		{"extended", []time.Duration{time.Second, time.Minute}, time.Minute},
		{"shortened", []time.Duration{time.Minute, time.Second}, time.Second},
		{"withdrawn", []time.Duration{time.Second, 0}, 0},
		{"withdrawn after it passed", []time.Duration{-time.Second, 0}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := newQueue()
				start := time.Now()
				time.AfterFunc(time.Hour, func() { q.close() })
				for _, d := range tt.deadlines {
					var at time.Time
					if d != 0 {
						at = start.Add(d)
					}
					q.setDeadline(at)
				}
				_, err := q.pop()
				got, want, wantErr := time.Since(start), tt.want, os.ErrDeadlineExceeded
				if want == 0 {
					want, wantErr = time.Hour, net.ErrClosed
				}
				if got != want || !errors.Is(err, wantErr) {
					t.Errorf("pop() failed after %v with %v, want %v, %v", got, err, want, wantErr)
				}
				q.close()
			})
		})
	}
}

func TestDeadlineInThePastEndsAWaitingPop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		result := make(chan error, 1)
		go func() {
			_, err := q.pop()
			result <- err
		}()
		synctest.Wait()
		q.setDeadline(time.Now())
		if err := <-result; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("pop() error = %v, want os.ErrDeadlineExceeded", err)
		}
	})
}
