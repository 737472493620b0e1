package losses

import (
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"galene/rtpconn"
)

// newPlayer returns a publisher whose media flows, for subscribers to join, and its server. They end with
// the test.
func newPlayer(t *testing.T) (*publisher, *rtpconn.Engine) {
	t.Helper()
	e := newEngine(t)
	p, err := newPublisher(t, e, leg{repair: true}, time.Now())
	if p != nil {
		t.Cleanup(p.end)
	}
	if err == nil {
		err = wait(p.connected)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.play()
	return p, e
}

// join has a subscriber join, and leave when all its media flows. It returns how long it took to connect, and
// until then.
func (p *publisher) join(t *testing.T, e *rtpconn.Engine, l leg) (connected, flowing time.Duration, err error) {
	t.Helper()
	begun := time.Now()
	s, err := newSubscriber(t, e, l, p.up, begun)
	defer s.end()
	if err != nil {
		return 0, 0, err
	}
	if err := wait(s.connected); err != nil {
		return 0, 0, err
	}
	connected = time.Since(begun)
	for !s.flows() {
		if time.Since(begun) > patience {
			return connected, 0, errTime
		}
		time.Sleep(tick)
	}
	return connected, time.Since(begun), nil
}

func TestLostHandshakesAreRepeatedSoon(t *testing.T) {
	t.Parallel()
	const (
		lost  = 3
		limit = 3 * time.Second // the last of them is repeated after 200, 400 and 800 ms
	)
	p, e := newPlayer(t)
	beat := startHeartbeat()
	defer beat.end()
	hellos := 0
	lose := func(packet []byte) bool { // RFC 6347, sections 4.1, 4.2.2; RFC 7983
		const contentType, handshakeType, serverHello = 0, 13, 2
		if len(packet) <= handshakeType || packet[contentType] < 20 || packet[contentType] > 63 {
			return false
		}
		if packet[handshakeType] == serverHello {
			hellos++
		}
		return hellos <= lost
	}
	connected, flowing, err := p.join(t, e, leg{repair: true, special: special{lose: lose}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("connected after %v, media after %v, %d flights", connected, flowing, hellos)
	if hellos <= lost {
		t.Fatalf("%d flights were seen, want more than %d", hellos, lost)
	}
	if connected > limit+beat.end() {
		excuse(t, beat, "it took %v to connect, want %v at most", connected, limit)
	}
}

// Subscribers join while the network loses packets, those of ICE and DTLS too.
func TestJoiningOverABadNetwork(t *testing.T) {
	t.Parallel()
	losses, rounds, atOnce := []float64{0.2}, 1, 6
	if os.Getenv("GALENE_LOSSES") != "" {
		losses, rounds, atOnce = []float64{0, 0.05, 0.1, 0.2}, 10, 4
	}
	p, e := newPlayer(t)
	for _, loss := range losses {
		beat := startHeartbeat()
		defer beat.end()
		var mu sync.Mutex // guards what follows
		var connecting, waiting []time.Duration
		for round := range rounds {
			var running sync.WaitGroup
			for i := range atOnce {
				running.Go(func() {
					connected, flowing, err := p.join(t, e, leg{
						repair: true, seed: uint64(1000 + round*atOnce + i), roundTrip: 100 * time.Millisecond, loss: loss,
					})
					if err != nil {
						t.Errorf("%.0f %% loss: %v", 100*loss, err)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					connecting, waiting = append(connecting, connected), append(waiting, flowing)
				})
			}
			running.Wait()
		}
		if len(waiting) == 0 {
			continue
		}
		slices.Sort(connecting)
		slices.Sort(waiting)
		n := len(waiting)
		t.Logf("%2.0f %% loss: half, nine of ten and all of %d were connected after %v, %v and %v and had all media after %v, %v and %v",
			100*loss, n, connecting[n/2], connecting[n*9/10], connecting[n-1], waiting[n/2], waiting[n*9/10], waiting[n-1])
		if limit := 10*time.Second + beat.end(); waiting[n-1] > limit {
			excuse(t, beat, "one waited for %v, want %v at most", waiting[n-1], limit)
		}
	}
}
