package losses

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"galene/internal/testkit"
)

// Of a shared screen that changes twice a second, the last packet of each picture is lost on its
// way to the server.
func TestLostEndOfFrameComesLongBeforeTheNextFrame(t *testing.T) {
	t.Parallel()
	const (
		roundTrip = 100 * time.Millisecond
		interval  = 600 * time.Millisecond
		found     = 40 * time.Millisecond // within which a loss is to be found
		count     = 10
	)
	var losing atomic.Bool
	lose := func(packet []byte) bool {
		if !losing.Load() || len(packet) < rtpHeader || packet[1]&0x80 == 0 {
			return false
		}
		for _, f := range formats {
			if f.repairType != 0 && packet[1]&0x7f == byte(f.payloadType) {
				return true
			}
		}
		return false
	}
	c := cell{legs: publishers, roundTrip: roundTrip}
	s, err := c.open(t, newEngine(t), 1000, special{lose: lose, interval: interval})
	defer s.close()
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(settling)
	s.forget()
	beat := startHeartbeat()
	defer beat.end()
	first := s.frames()
	losing.Store(true)
	time.Sleep(count * interval)
	last := s.frames()
	losing.Store(false)
	time.Sleep(drain)
	stalled := beat.end()
	for i, track := range s.publisher.tracks {
		codec := track.source.Codec()
		if codec == testkit.Opus {
			continue // whose frames are packets
		}
		var took []time.Duration
		in := s.subscriber.track(codec)
		in.mu.Lock()
		for j, sent := range track.times(first[i], last[i]) {
			at, ok := in.at[first[i]+uint32(j)]
			if !ok {
				continue // which is counted below
			}
			took = append(took, at-sent)
		}
		in.mu.Unlock()
		if want := int(last[i] - first[i]); len(took) < want {
			excuse(t, beat, "%v: %d frames came, want %d", codec, len(took), want)
		}
		slices.Sort(took)
		median := took[len(took)/2]
		t.Logf("%v: half of the frames took %v, and all %v at most; %d packets were asked for; the machine stood still for %v",
			codec, median, took[len(took)-1], track.requested.Load(), stalled)
		// There, and the way of a request and its answer.
		if limit := roundTrip/2 + found + roundTrip + stalled; median > limit {
			excuse(t, beat, "%v: half of the frames took %v, want %v at most", codec, median, limit)
		}
	}
}

// excuse fails the test with a message, or skips it if the machine was too busy for what happened to mean
// anything.
func excuse(t *testing.T, beat *heartbeat, format string, arguments ...any) {
	t.Helper()
	if beat.busy() {
		t.Skipf("the machine is too busy: it did nothing for %v; "+format, append([]any{beat.end()}, arguments...)...)
	}
	t.Fatalf(format, arguments...)
}
