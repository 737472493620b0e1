package losses

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"galene/internal/netsim"
	"galene/internal/testkit"
	"galene/rtpconn"
	"galene/udpmux"
)

// legs are whose network is bad.
type legs uint8

const (
	publishers legs = 1 << iota
	subscribers
	both = publishers | subscribers
)

func (l legs) String() string {
	return map[legs]string{publishers: "publisher", subscribers: "subscriber", both: "both"}[l]
}

// cell is one case: a publisher and a subscriber, whose networks do what the conditions say, each way.
// The conditions' delay is left to roundTrip.
type cell struct {
	legs       legs
	conditions netsim.Conditions
	roundTrip  time.Duration // of each of the legs
	plain      bool          // without RTX
	// outage is how long nothing gets through, in the middle of the time.
	outage time.Duration
}

// String says what the cell is.
func (c cell) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%g %%", c.conditions.Loss*100)
	if c.conditions.Burst > 1 {
		fmt.Fprintf(&b, " in bursts of %g", c.conditions.Burst)
	}
	fmt.Fprintf(&b, ", %d ms, %v", c.roundTrip.Milliseconds(), c.legs)
	if c.conditions.Jitter > 0 {
		fmt.Fprintf(&b, ", jitter %d ms", c.conditions.Jitter.Milliseconds())
	}
	if c.conditions.Reorder > 0 {
		fmt.Fprintf(&b, ", %g %% reordered", c.conditions.Reorder*100)
	}
	if c.conditions.Duplicate > 0 {
		fmt.Fprintf(&b, ", %g %% twice", c.conditions.Duplicate*100)
	}
	if c.plain {
		b.WriteString(", no RTX")
	}
	if c.outage > 0 {
		fmt.Fprintf(&b, ", nothing for %v", c.outage)
	}
	return b.String()
}

const (
	// patience is how long it may take until media flows.
	patience = 60 * time.Second
	// settling is how long media flows before losses begin: both sides have then learnt
	// the round trip.
	settling = 2500 * time.Millisecond
	// playout is how late a frame may be decoded, beyond what the network delays it.
	playout = time.Second
	// drain is how long late packets are awaited at the end.
	drain = playout + 500*time.Millisecond
)

// result is what came of one track.
type result struct {
	outcome

	cell  cell
	codec testkit.Codec
	// overhead is what is sent again on each leg, in per cent of the media.
	overheadUp, overheadDown float64
	// what the server asked the publisher for
	askedPackets, askedKeyframes int64
	media, resentUp, resentDown  int // packets
	// stalled is for how long the machine did nothing at most, and busy whether that, or how often it did
	// nothing, makes the result worthless.
	stalled time.Duration
	busy    bool
}

// newEngine returns a server on the loopback interface.
func newEngine(t *testing.T) *rtpconn.Engine {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	mux, err := udpmux.Listen(udpmux.Options{Loopback: true, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mux.Close() })
	e, err := rtpconn.NewEngine(rtpconn.Options{Mux: mux, Loopback: true, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// stage is a cell whose media flows.
type stage struct {
	cell       cell
	publisher  *publisher
	subscriber *subscriber
}

// errTime is returned when something takes too long.
var errTime = errors.New("not in time")

// open connects a cell and waits until media flows. The caller closes the stage, even if there
// is an error.
func (c cell) open(t *testing.T, e *rtpconn.Engine, seed uint64, special special) (*stage, error) {
	t.Helper()
	s := &stage{cell: c}
	begun := time.Now()
	up := leg{repair: !c.plain, seed: seed, special: special}
	down := leg{repair: !c.plain, seed: seed + 1<<32}
	if c.legs&publishers != 0 {
		up.roundTrip = c.roundTrip
	}
	if c.legs&subscribers != 0 {
		down.roundTrip = c.roundTrip
	}
	var err error
	if s.publisher, err = newPublisher(t, e, up, begun); err != nil {
		return s, fmt.Errorf("publisher: %w", err)
	}
	if err := wait(s.publisher.connected); err != nil {
		return s, fmt.Errorf("publisher's connection: %w", err)
	}
	s.publisher.play()
	if s.subscriber, err = newSubscriber(t, e, down, s.publisher.up, begun); err != nil {
		return s, fmt.Errorf("subscriber: %w", err)
	}
	if err := wait(s.subscriber.connected); err != nil {
		return s, fmt.Errorf("subscriber's connection: %w", err)
	}
	for !s.subscriber.flows() {
		if time.Since(begun) > 2*patience {
			return s, fmt.Errorf("media flows: %w", errTime)
		}
		time.Sleep(tick)
	}
	return s, nil
}

// wait waits for done, with patience.
func wait(done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-time.After(patience):
		return errTime
	}
}

// close closes both connections.
func (s *stage) close() {
	s.subscriber.end()
	s.publisher.end()
}

// impair makes the networks of the cell's legs do as the conditions say.
func (s *stage) impair(c netsim.Conditions) {
	c.Delay = s.cell.roundTrip / 2
	if s.cell.legs&publishers != 0 {
		s.publisher.impair(c)
	}
	if s.cell.legs&subscribers != 0 {
		s.subscriber.impair(c)
	}
}

// run runs a cell and measures for a time.
func (c cell) run(t *testing.T, e *rtpconn.Engine, seed uint64, duration time.Duration) ([]result, error) {
	t.Helper()
	s, err := c.open(t, e, seed, special{})
	defer s.close()
	if err != nil {
		return nil, err
	}
	beat := startHeartbeat() // what a stall loses now may be missing later
	defer beat.end()
	time.Sleep(settling)
	s.impair(c.conditions)
	s.forget()
	first := s.frames()
	if c.outage > 0 {
		time.Sleep((duration - c.outage) / 2)
		s.impair(netsim.Conditions{Loss: 1})
		time.Sleep(c.outage)
		s.impair(c.conditions)
		time.Sleep((duration - c.outage) / 2)
	} else {
		time.Sleep(duration)
	}
	last := s.frames()
	s.impair(netsim.Conditions{})
	time.Sleep(drain + 2*c.roundTrip)
	results := make([]result, 0, len(last))
	for i, track := range s.publisher.tracks {
		r := s.result(track, first[i], last[i])
		r.stalled, r.busy = beat.end(), beat.busy()
		results = append(results, r)
	}
	return results, nil
}

// heartbeat finds out for how long the machine has no time for us.
type heartbeat struct {
	stop  sync.Once
	ended chan struct{}
	done  chan struct{} // closed when worst is set
	worst time.Duration
	late  time.Duration // in all, beyond what is tolerated
	took  time.Duration // in all
}

const (
	// heartbeatInterval is how often it looks.
	heartbeatInterval = 5 * time.Millisecond
	// mostStalled is for how long the machine may do nothing.
	mostStalled = 150 * time.Millisecond
	// mostLate is which part of the time it may be late, by more than is tolerated.
	mostLate  = 0.2
	tolerated = 10 * time.Millisecond
)

// startHeartbeat returns one that runs until it is ended.
func startHeartbeat() *heartbeat {
	h := &heartbeat{ended: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(h.done)
		for {
			before := time.Now()
			select {
			case <-time.After(heartbeatInterval):
				took := time.Since(before)
				h.took += took
				h.late += max(0, took-heartbeatInterval-tolerated)
				h.worst = max(h.worst, took-heartbeatInterval)
			case <-h.ended:
				return
			}
		}
	}()
	return h
}

// end ends it and returns the longest stall. It may be called again.
func (h *heartbeat) end() time.Duration {
	h.stop.Do(func() { close(h.ended) })
	<-h.done
	return h.worst
}

// forget begins all books anew.
func (s *stage) forget() {
	s.publisher.meter.forget()
	s.subscriber.meter.forget()
	for _, track := range s.publisher.tracks {
		track.requested.Store(0)
		track.keyframes.Store(0)
		s.subscriber.track(track.source.Codec()).forget()
	}
}

// frames returns how many frames of each track have been sent.
func (s *stage) frames() (counts []uint32) {
	for _, track := range s.publisher.tracks {
		counts = append(counts, track.frames())
	}
	return counts
}

// result says what came of a track's frames, from first to before last.
func (s *stage) result(track *outTrack, first, last uint32) result {
	c := s.cell
	in := s.subscriber.track(track.source.Codec())
	deadline := playout
	for _, leg := range []legs{publishers, subscribers} {
		if c.legs&leg != 0 {
			deadline += c.roundTrip/2 + c.conditions.Jitter
		}
	}
	ssrc, repair := track.sources()
	r := result{
		outcome: in.outcome(first, track.times(first, last), deadline),
		cell:    c, codec: track.source.Codec(),
		overheadUp:     s.publisher.meter.overhead(ssrc, repair),
		overheadDown:   s.subscriber.meter.overhead(in.ssrc, in.repair),
		askedPackets:   track.requested.Load(),
		askedKeyframes: track.keyframes.Load(),
	}
	r.media, r.resentUp = s.publisher.meter.packets(ssrc, repair)
	_, r.resentDown = s.subscriber.meter.packets(in.ssrc, in.repair)
	return r
}

// busy tells whether the machine had too little time for us. It is called after end.
func (h *heartbeat) busy() bool {
	return h.worst > mostStalled || h.late.Seconds() > mostLate*h.took.Seconds()
}
