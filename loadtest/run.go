package loadtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
)

const (
	// atATime is how many clients join at the same time if not all do.
	atATime = 20
	// stallTimeout is how long to wait for the next client or stream before it is given up.
	stallTimeout = 15 * time.Second
	// pollInterval is how often that is looked at. No time is measured by it.
	pollInterval = 5 * time.Millisecond
	// settleTime is how long packets that are under way may take when measuring ends.
	settleTime = 500 * time.Millisecond
)

// Options say where a run reports to. The zero value is valid.
type Options struct {
	// Progress is where a line per second goes; nil for nowhere.
	Progress io.Writer
	// Terminal says that Progress is one, so that the line can be overwritten.
	Terminal bool
	// Sync is told, in a line each, at what instants measuring starts and ends; nil for nobody.
	Sync io.Writer
}

// run is one load test. Its methods may be called from any goroutine.
type run struct {
	// Immutable.
	scenario   Scenario
	options    Options
	start      time.Time // of the run's clock
	poller     *poller
	peers      *peers
	pattern    pattern
	player     *player
	chat       *chat
	publishers map[string]int // their numbers, by client id
	clients    []*client      // publishers first, idle ones last

	failures failures
	delay    histogram // of packets
	joinTime histogram

	joined    atomic.Int64 // clients
	ended     atomic.Int64 // clients that are gone
	connected atomic.Int64 // publishers
	withMedia atomic.Int64 // streams that have brought media
	corrupt   atomic.Uint64

	nextFeedback int64 // owned by work: when receivers are to be looked at

	mu            sync.Mutex      // guards the fields below
	subscriptions []*subscription // all that there ever were; appended to only
}

// Run loads a server as s says and returns what it has measured. When it returns nothing of it is left running.
//
// It returns an error, and no result, if s is not valid or its groups cannot be found. If ctx ends, Run returns what it has
// measured until then. [Result.Err] tells whether the server did what it should.
func Run(ctx context.Context, s Scenario, o Options) (*Result, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	rooms, err := discover(ctx, &s)
	if err != nil {
		return nil, err
	}
	r, err := newRun(s, o, rooms)
	if err != nil {
		return nil, err
	}
	return r.execute(ctx), nil
}

func newRun(s Scenario, o Options, rooms []room) (*run, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	r := &run{
		scenario: s, options: o, start: time.Now(),
		pattern: newPattern(), player: new(player), publishers: make(map[string]int),
	}
	if r.poller, err = newPoller(r.now, localAddresses(rooms[0].endpoint)); err != nil {
		return nil, err
	}
	if r.peers, err = newPeers(*certificate, r.poller); err != nil {
		r.poller.close()
		return nil, err
	}
	r.chat = newChat(r)
	r.addClients(rooms)
	return r, nil
}

// addClients makes all clients: those that publish first, idle ones last.
func (r *run) addClients(rooms []room) {
	add := func(room room, publisher int, receives bool) {
		c := &client{
			run: r, id: newID(), room: room, publisher: publisher, receives: receives,
			subscriptions: make(map[string]*subscription),
		}
		if publisher >= 0 {
			r.publishers[c.id] = publisher
		}
		r.clients = append(r.clients, c)
	}
	for i := range r.scenario.Publishers {
		for g, room := range rooms {
			add(room, i*len(rooms)+g, r.scenario.Meeting)
		}
	}
	for range r.scenario.Subscribers {
		for _, room := range rooms {
			add(room, -1, true)
		}
	}
	for range r.scenario.Idle {
		add(rooms[0], -1, false)
	}
}

// now is the time on the run's clock, which is never 0, in nanoseconds.
func (r *run) now() int64 { return int64(time.Since(r.start)) + 1 }

// durationBetween is the time between two readings of the run's clock.
func durationBetween(from, to int64) time.Duration { return time.Duration(to - from) }

// receive takes note of a new subscription.
func (r *run) receive(s *subscription) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.subscriptions = append(r.subscriptions, s)
}

// received returns all subscriptions so far; they must not be changed.
func (r *run) received() []*subscription {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.subscriptions
}

// execute runs everything, and ends it.
func (r *run) execute(ctx context.Context) *Result {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	polled, stopPolling := context.WithCancel(context.WithoutCancel(ctx))
	var running, polling sync.WaitGroup
	polling.Go(func() { r.poller.poll(polled, r.work) })
	if r.options.Progress != nil {
		running.Go(func() { r.progress(background) })
	}
	m := &measurement{run: r}
	if r.gather(ctx, background, &running) && sleep(ctx, r.scenario.WarmUp) {
		m.measure(ctx)
		sleep(background, settleTime)
	} else if ctx.Err() != nil {
		r.failures.add("interrupted before anything was measured")
	}
	result := m.result()
	cancel()
	running.Wait()
	stopPolling()
	polling.Wait()
	r.poller.close()
	return result
}

// gather makes all clients join and waits until all that is to be received has media. It reports whether there is
// anything to be measured.
func (r *run) gather(ctx, background context.Context, running *sync.WaitGroup) bool {
	s := &r.scenario
	publishers := s.Groups * s.Publishers
	slots := make(chan struct{}, atATime)
	if s.JoinAtOnce {
		slots = make(chan struct{}, len(r.clients))
	}
	begin := func(clients []*client) {
		running.Go(func() { r.admit(background, slots, clients, running) })
	}

	begin(r.clients[:publishers])
	if !r.await(ctx, func() (done, most int64) { return r.connected.Load(), int64(publishers) }) {
		return false
	}
	begin(r.clients[publishers:])
	if !r.await(ctx, func() (done, most int64) { return r.joined.Load(), int64(len(r.clients)) }) {
		return false
	}
	down := int64(s.downConnections())
	if !r.await(ctx, func() (done, most int64) { return r.withMedia.Load(), down }) {
		return false
	}
	if missing := down - r.withMedia.Load(); missing > 0 {
		r.failures.add("%d of %d streams have brought no media", missing, down)
	}
	r.poller.ease()
	if s.Chat > 0 {
		if c := r.speaker(); c != nil {
			running.Go(func() { r.chat.talk(background, c) })
		}
	}
	return true
}

// admit starts clients as slots become free.
func (r *run) admit(ctx context.Context, slots chan struct{}, clients []*client, running *sync.WaitGroup) {
	for _, c := range clients {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		c.admitted = sync.OnceFunc(func() { <-slots })
		running.Go(func() { c.serve(ctx) })
	}
}

// await waits until something has been done as often as it can be, or there is no more progress. It reports whether to
// go on.
func (r *run) await(ctx context.Context, progress func() (done, most int64)) bool {
	changed, last := time.Now(), int64(-1)
	for {
		done, most := progress()
		switch {
		case done >= most:
			return true
		case r.ended.Load() == int64(len(r.clients)):
			return false
		case done != last:
			changed, last = time.Now(), done
		case time.Since(changed) > stallTimeout, done+r.ended.Load() >= most && time.Since(changed) > time.Second:
			return done > 0
		}
		if !sleep(ctx, pollInterval) {
			return false
		}
	}
}

// speaker is the member of the first group that chats, nil if there is none.
func (r *run) speaker() *client {
	name := r.clients[0].room.name
	for _, c := range r.clients {
		if c.room.name == name && c.joined.Load() {
			return c
		}
	}
	return nil
}

// sleep waits, and reports whether ctx has not ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// Err tells what the server has not done that it should have; nil if nothing.
func (r *Result) Err() error {
	var errs []error
	if all := r.Scenario.clients(); r.Clients < all {
		errs = append(errs, fmt.Errorf("%d of %d clients could not join", all-r.Clients, all))
	}
	if r.Scenario.downConnections() > 0 && r.Packets.Received == 0 {
		errs = append(errs, errors.New("no media at all"))
	}
	if n := r.Packets.Corrupt; n > 0 {
		errs = append(errs, fmt.Errorf("%d packets were corrupt", n))
	}
	return errors.Join(errs...)
}
