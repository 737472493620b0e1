package signalling

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// startWriter runs a writer to a memory pipe until the test ends.
func startWriter(l Limits) (*writer, *memoryPipe) {
	p := newMemoryPipe()
	w := newWriter(p, l.withDefaults(), func() {}, func(any) {})
	return w, p
}

func TestWriterKeepsOrderAndSaysGoodbyeLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, p := startWriter(Limits{})
		for i := range 5 {
			if !w.send([]byte{byte('0' + i)}) {
				t.Fatalf("send(%d) = false, want true", i)
			}
		}
		w.finish(1000, "bye")
		if w.send([]byte("late")) {
			t.Error("send after finish = true, want false")
		}
		<-w.done
		var got strings.Builder
		for {
			frame, ok := p.received()
			if !ok {
				break
			}
			got.Write(frame)
		}
		code, reason, _ := p.end()
		if got.String() != "01234" || code != 1000 || reason != "bye" {
			t.Errorf("got %q, %d %q, want 01234, 1000 bye", got.String(), code, reason)
		}
		p.Cut()
	})
}

func TestWriterRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	for _, l := range []Limits{{QueueMessages: 3}, {QueueBytes: 30}} {
		t.Run(fmt.Sprintf("%+v", l), func(t *testing.T) {
			t.Parallel()
			w := newWriter(newMemoryPipe(), l.withDefaults(), func() {}, func(any) {}) // nobody writes
			for i := range 3 {
				if !w.send(make([]byte, 10)) {
					t.Fatalf("send(%d) = false, want true", i)
				}
			}
			if w.send(make([]byte, 10)) {
				t.Error("send to a full queue = true, want false")
			}
		})
	}
}

func TestWriterDropsAClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, p := startWriter(Limits{})
		close(p.stuck)
		start := time.Now()
		w.send([]byte("never read"))
		w.flush()
		<-w.done
		if took := time.Since(start); took != writeTimeout {
			t.Errorf("dropped after %v, want %v", took, writeTimeout)
		}
		if code, _, over := p.end(); !over || code != 0 {
			t.Errorf("end = %d, %v, want no close frame", code, over)
		}
		if w.send([]byte("more")) {
			t.Error("send to a dropped client = true, want false")
		}
	})
}

// faultyPipe panics when it is written to.
type faultyPipe struct{ *memoryPipe }

func (faultyPipe) Write([][]byte, time.Time) error { panic("asked for by a test") }

func TestPanicInWritingEndsOneClientOnly(t *testing.T) {
	t.Parallel()
	withBench(t, open, func(b *bench) {
		b.panics = true
		a := b.joined("a", "test", "anna", "x")
		served := false
		faulty := faultyPipe{newMemoryPipe()}
		b.serving.Go(func() {
			b.server.Serve(b.ctx, faulty, "")
			served = true
		})
		faulty.in <- []byte(`{"type":"handshake","version":["2"],"id":"f"}`)
		synctest.Wait()
		if !served {
			b.t.Error("the session goes on")
		}
		a.send(`{"type":"ping"}`)
		a.expect(`{"type":"pong"}`)
	})
}

func TestPanicInWritingEndsTheWriter(t *testing.T) {
	t.Parallel()
	for _, length := range []int{1, 2 * littleWrite} { // written in place, and by a goroutine
		var panicked any
		synctest.Test(t, func(*testing.T) {
			w := newWriter(faultyPipe{newMemoryPipe()}, Limits{}.withDefaults(), func() {}, func(r any) { panicked = r })
			w.send(make([]byte, length))
			w.flush()
			<-w.done
			synctest.Wait()
		})
		if panicked == nil {
			t.Errorf("a write of %d bytes: the panic was not reported", length)
		}
	}
}

func TestShortReasonIsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, reason string
		want         int // length
	}{
		{"short", "kicked out", 10},
		{"as long as may be", strings.Repeat("x", 123), 123},
		{"longer", strings.Repeat("x", 124), 123},
		{"in the middle of a character", strings.Repeat("x", 121) + "€€", 121},
		{"just behind a character", strings.Repeat("x", 120) + "€€", 123},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := shortReason(tt.reason)
			if len(got) != tt.want || !strings.HasPrefix(tt.reason, got) {
				t.Errorf("shortReason(%q) = %q, of %d bytes, want %d", tt.reason, got, len(got), tt.want)
			}
		})
	}
}

func TestLongMessagesMayTakeLonger(t *testing.T) {
	t.Parallel()
	if got := writeTime(1000); got != writeTimeout {
		t.Errorf("a short message may take %v, want %v", got, writeTimeout)
	}
	if got := writeTime(1 << 20); got < 2*time.Second || got > 10*time.Second {
		t.Errorf("a message of a mebibyte may take %v, want some seconds", got)
	}
}
