package rtpconn

import (
	"sync"
	"time"

	"galene/rtptime"
	"galene/transportcc"
)

// transportInterval is the time between two messages that tell a publisher when its
// packets arrived.
const transportInterval = 100 * time.Millisecond

// transportFeedback tells a publisher when its packets arrived, for its congestion
// control. Those who receive record; the feedback goroutine reports.
type transportFeedback struct {
	mu       sync.Mutex // guards the fields below
	recorder *transportcc.Recorder
	media    uint32          // in whose name to report: the track whose packet came last
	due      rtptime.Instant // when to report; 0 if there is nothing
}

// negotiate says whether the publisher understands reports, in the name of sender.
func (f *transportFeedback) negotiate(understood bool, sender uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !understood:
		f.recorder, f.due = nil, 0
	case f.recorder == nil:
		f.recorder = transportcc.New(sender)
	}
}

// record takes note of a packet that arrived at now, if it has a number. It reports
// whether the feedback goroutine is to be woken, so that it looks for when to
// report. Reports name a track, if one is known: some publishers do not
// look at what names the source of their retransmissions. It does not allocate.
func (f *transportFeedback) record(number int32, ssrc uint32, isTrack bool, now rtptime.Instant) (wake bool) {
	if number < 0 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.recorder == nil {
		return false
	}
	f.recorder.Record(uint16(number), now)
	if isTrack || f.media == 0 {
		f.media = ssrc
	}
	if f.due != 0 || f.recorder.Pending() == 0 {
		return false
	}
	f.due = now.Add(transportInterval)
	return true
}

// reportTransport sends what is due of the feedback on the transport, and returns
// when to call it again at the latest.
func (u *Up) reportTransport(now rtptime.Instant) (next rtptime.Instant) {
	f := &u.transport
	f.mu.Lock()
	if f.due == 0 || now < f.due {
		defer f.mu.Unlock()
		if f.due == 0 {
			return now.Add(reportInterval)
		}
		return f.due
	}
	messages := f.recorder.Feedback(f.media)
	f.due = 0 // until the next packet
	f.mu.Unlock()
	for _, m := range messages {
		u.send(m) // each as long as a datagram should be
	}
	return now.Add(reportInterval)
}

// noteTransport records a packet for the feedback on the transport; isTrack tells
// that its source is known for that of a track.
func (u *Up) noteTransport(number int32, ssrc uint32, isTrack bool, now rtptime.Instant) {
	if u.transport.record(number, ssrc, isTrack, now) {
		u.poke()
	}
}
