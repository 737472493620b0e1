package loadtest

import (
	"context"
	"fmt"
	"time"
)

// uncheckedShare is which part of the packets to be checked may be missing from what Pion has decrypted, as a divisor: queues
// overflow on a busy machine.
const uncheckedShare = 50

// measurement is what happens between two instants.
type measurement struct {
	run        *run
	start, end time.Time
	cpu        time.Duration // at start, then used
	sent       uint64        // at start, then in between
}

// measure measures for as long as the scenario says, or until ctx ends.
func (m *measurement) measure(ctx context.Context) {
	r := m.run
	m.sync("measure start")
	m.start, m.cpu, m.sent = time.Now(), cpuTime(), r.player.sent()
	for _, s := range r.received() {
		s.begin()
	}
	r.chat.measuring.Store(true)

	sleep(ctx, r.scenario.Duration)

	m.sync("measure end")
	m.end, m.cpu, m.sent = time.Now(), cpuTime()-m.cpu, r.player.sent()-m.sent
	r.chat.measuring.Store(false)
	for _, s := range r.received() {
		s.end()
	}
}

func (m *measurement) sync(line string) {
	if m.run.options.Sync != nil {
		_, _ = fmt.Fprintln(m.run.options.Sync, line)
	}
}

// begin starts counting.
func (s *subscription) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measuring = true
	for _, r := range s.sources {
		r.begin()
	}
}

// end stops counting.
func (s *subscription) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measuring = false
	for _, r := range s.sources {
		r.end()
	}
}

// result puts together what was measured.
func (m *measurement) result() *Result {
	r := m.run
	result := &Result{
		Scenario: r.scenario, Clients: int(r.joined.Load()), Publishers: int(r.connected.Load()),
		DownConnections: int(r.withMedia.Load()),
	}
	result.Join.Joined = quantiles(&r.joinTime)
	r.sumFirstMedia(&result.Join)
	if !m.end.IsZero() {
		m.sum(result)
	}
	result.Packets.Corrupt += r.corrupt.Load()
	result.Failures = r.failures.list()
	return result
}

// sum sums up all subscriptions, and the chat.
func (m *measurement) sum(result *Result) {
	r := m.run
	result.Seconds = round(m.end.Sub(m.start).Seconds())
	result.CPUSeconds = round(m.cpu.Seconds())
	result.Start, result.End = m.start.UnixNano(), m.end.UnixNano()
	p := &result.Packets
	p.Sent = m.sent
	var t tally
	for _, s := range r.received() {
		s.count(p, &t)
	}
	p.Lost = p.Expected - min(p.Received, p.Expected)
	if p.Expected > 0 {
		result.Loss = float64(p.Lost) / float64(p.Expected)
	}
	result.Delay = Delay{
		P50: r.delay.quantile(0.5), P95: r.delay.quantile(0.95), P99: r.delay.quantile(0.99), Max: r.delay.max(),
		Samples: r.delay.count(),
	}
	m.judge(p, &t)
	m.sumChat(result)
}

// tally is what is counted besides the packets.
type tally struct {
	passed, checked uint64
	withheld        int64 // packets that the publisher has numbered and the server has not
	silent          int   // subscriptions
}

// count adds what was counted to p and t.
func (s *subscription) count(p *Packets, t *tally) {
	s.mu.Lock()
	defer s.mu.Unlock()
	silent := true
	for _, r := range s.sources {
		p.Expected += r.span.expected()
		p.Received += r.span.received
		p.Recovered += r.span.recovered
		p.Duplicates += r.span.duplicate
		silent = silent && r.span.received == 0
	}
	t.passed += s.passed
	t.checked += s.checked
	for _, n := range s.numbering {
		t.withheld += max(n.indices-n.steps, 0)
	}
	if silent && s.first.Load() != 0 {
		t.silent++
	}
}

// judge takes note of what looks wrong in the numbers.
func (m *measurement) judge(p *Packets, t *tally) {
	f := &m.run.failures
	if t.silent > 0 {
		f.add("%d streams have brought nothing while measuring", t.silent)
	}
	if t.withheld > 0 {
		f.add("the server has left out at least %d packets and closed the numbering", t.withheld)
	}
	missing := t.passed - min(t.checked, t.passed)
	if missing > t.passed/uncheckedShare+1 {
		f.add("%d of %d packets could not be decrypted", missing, t.passed)
		p.Corrupt += missing
	}
}

// sumChat sums up the chat.
func (m *measurement) sumChat(result *Result) {
	c := m.run.chat
	result.Chat = Chat{Deliveries: c.deliveries.Load(), P50: c.delay.quantile(0.5), P99: c.delay.quantile(0.99)}
	others := 0
	if speaker := m.run.speaker(); speaker != nil {
		for _, other := range m.run.clients {
			if other != speaker && other.room.name == speaker.room.name && other.joined.Load() {
				others++
			}
		}
	}
	if want := c.sent.Load() * uint64(others); result.Chat.Deliveries < want {
		m.run.failures.add("%d of %d chat messages were not delivered", want-result.Chat.Deliveries, want)
	}
}

// sumFirstMedia computes how long clients have waited for media.
func (r *run) sumFirstMedia(j *Join) {
	var first histogram // of clients
	firsts := make(map[*client]int64)
	last := int64(0)
	for _, s := range r.received() {
		at := s.first.Load()
		if at == 0 {
			continue
		}
		last = max(last, at)
		if f, ok := firsts[s.client]; !ok || at < f {
			firsts[s.client] = at
		}
	}
	for c, at := range firsts {
		first.add(durationBetween(c.connecting.Load(), at))
	}
	j.FirstMedia = quantiles(&first)
	if down := r.scenario.downConnections(); down == 0 || r.withMedia.Load() < int64(down) {
		return
	}
	began := last
	for _, c := range r.clients {
		if at := c.connecting.Load(); c.receives && at != 0 {
			began = min(began, at)
		}
	}
	j.AllMedia = milliseconds(durationBetween(began, last))
}
