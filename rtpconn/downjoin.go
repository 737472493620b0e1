package rtpconn

import (
	"time"

	"galene/codecs"
	"galene/conn"
	"galene/rtptime"
	"galene/udpsocket"
)

// joinState is how far a down track is in joining its source.
//
//	          connected, keyframe in the cache         head reached
//	Idle ─────────────────────────────────▶ CatchingUp ────────────▶ Live
//	 │                                          │                     ▲
//	 │ connected, none                          │ packets overwritten │
//	 │                                          ▼                     │
//	 ├──────────────────────────────────────▶ Waiting ─── keyframe ───┤
//	 └───────────────── connected, audio ─────────────────────────────┘
//
// While catching up, a goroutine of the connection sends what the cache holds,
// from the latest keyframe on and at twice the pace at which it came; what the
// reader delivers is left for it to find in the cache. Both hold the track's
// lock when they decide, and a packet is in the cache before it is delivered, so
// none is sent twice or left out at the change to Live.
type joinState uint8

const (
	idle joinState = iota
	waiting
	catchingUp
	live
)

// catchUpPace is how much faster than it came a newcomer is sent what it has
// missed.
const catchUpPace = 2

// catchUpStep is how much sooner than at that pace a packet may be sent, so that those
// that came together leave together.
const catchUpStep = 5 * time.Millisecond

// maxCatchUpPause bounds one pause of catching up. Packets that were resent to
// us came later than their number suggests.
const maxCatchUpPause = 50 * time.Millisecond

// admit decides whether a packet of the present feed is sent now.
func (d *downTrack) admit(f *feed, p *conn.Packet) bool {
	switch d.state {
	case live:
		return p.Sequence > d.caughtUp || d.takeMissed(p.Sequence)
	case catchingUp:
		return p.Sequence < d.next && d.takeMissed(p.Sequence)
	case waiting:
		if !d.starts(f, p) {
			return false
		}
		d.state = live
		d.caughtUp = p.Sequence - 1
		d.beginSource(f.track, p.Sequence, d.offset)
		return true
	default:
		return false
	}
}

// takeMissed tells whether a late packet was missing when it was its turn, and
// crosses it off.
func (d *downTrack) takeMissed(sequence int64) bool {
	for i, missed := range d.missed[:d.missedSize] {
		if missed == sequence {
			d.missedSize--
			d.missed[i] = d.missed[d.missedSize]
			return true
		}
	}
	return false
}

// prime asks the publisher for a keyframe, unless the track could start without
// one or has started.
func (d *downTrack) prime() {
	d.mu.Lock()
	track, wanted := d.current.track, d.state == idle && d.isVideo() && !d.closed
	d.mu.Unlock()
	if !wanted {
		return
	}
	if _, _, ok := track.GroupOfPictures(); !ok {
		d.requestKeyframe(track, rtptime.Now())
	}
}

// attach lets media flow, once the track is bound and the connection stands.
// Calling it again does nothing.
func (d *downTrack) attach() {
	d.mu.Lock()
	f := d.current
	if d.state != idle || d.closed || !d.bound {
		d.mu.Unlock()
		return
	}
	if d.format.Kind == codecs.Audio {
		d.state = waiting // for any packet
	} else {
		d.join(f)
	}
	catchUp, ask := d.state == catchingUp, d.state == waiting && d.isVideo()
	d.mu.Unlock()

	if f.track.AddSink(f) != nil {
		return // the track has ended
	}
	if ask {
		d.requestKeyframe(f.track, rtptime.Now())
	}
	if catchUp {
		d.down.start("catching up", func() { d.catchUp(f) })
	}
}

// join chooses where to start: with the cached group of pictures, or with the
// next keyframe. The caller holds the lock.
func (d *downTrack) join(f *feed) {
	first, _, ok := f.track.GroupOfPictures()
	if !ok {
		d.state = waiting
		return
	}
	d.state, d.next, d.missedSize = catchingUp, first, 0
	d.beginSource(f.track, first, d.offset)
}

// replay sends a newcomer what it has missed. It belongs to one goroutine.
type replay struct {
	track *downTrack
	from  *feed

	buffer [maxPacket]byte
	packet conn.Packet
	begun  rtptime.Instant
	first  rtptime.Instant // arrival of the first packet; 0 before it
	waited int64           // the packet that has had its pause
}

// catchUp sends what is cached until it has reached the head, or the track has
// another source.
func (d *downTrack) catchUp(f *feed) {
	r := &replay{track: d, from: f, begun: rtptime.Now(), waited: -1}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		out := d.down.engine.batch()
		pause, more := r.burst(rtptime.Now(), out)
		d.down.engine.release(out)
		if !more {
			return
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-d.down.ctx.Done():
			return
		}
	}
}

// burst puts what is due at now into out, which may be nil. It returns how long to wait, out
// having been sent, for what follows; more is false if nothing does.
func (r *replay) burst(now rtptime.Instant, out *udpsocket.Batch) (pause time.Duration, more bool) {
	for begun := false; ; begun = true {
		sequence, ok := r.track.catchUpNext(r.from, !begun)
		if !ok {
			return 0, begun
		}
		cached := r.from.track.Cached(sequence, r.buffer[:], &r.packet)
		if cached && r.waited != sequence {
			if pause := r.untilDue(now); pause > catchUpStep {
				r.waited = sequence
				return pause, true
			}
		}
		if !r.track.catchUpWith(r.from, sequence, cached, r.buffer[:], &r.packet, out) {
			r.from.track.RequestKeyframe()
			return 0, false
		}
	}
}

// untilDue returns how long the packet has to wait for its turn at now.
func (r *replay) untilDue(now rtptime.Instant) time.Duration {
	if r.first == 0 {
		r.first = r.packet.Arrival
	}
	at := r.begun.Add(r.packet.Arrival.Sub(r.first) / catchUpPace)
	return min(at.Sub(now), maxCatchUpPause)
}

// catchUpNext returns the next packet to send. When there is none left ok is false, and
// the track goes live if all before it have left.
func (d *downTrack) catchUpNext(f *feed, left bool) (sequence int64, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.state != catchingUp || f != d.current {
		return 0, false
	}
	if head, ok := f.track.Head(); !ok || d.next > head {
		if left {
			d.state, d.caughtUp = live, d.next-1
		}
		return 0, false
	}
	return d.next, true
}

// forgetful is an up track whose cache has an end.
type forgetful interface {
	// forgot tells whether a packet is so old that it cannot be in the cache any more.
	forgot(sequence int64) bool
}

// forgotten tells whether a packet that the cache does not hold will not come back: the cache may have become
// shorter meanwhile.
func forgotten(track conn.UpTrack, sequence int64) bool {
	t, ok := track.(forgetful)
	return ok && t.forgot(sequence)
}

// catchUpWith sends packet sequence, which is in p if cached, or takes note
// that it is missing. It reports false if so much is missing that only a
// keyframe helps.
func (d *downTrack) catchUpWith(f *feed, sequence int64, cached bool, buffer []byte, p *conn.Packet, out *udpsocket.Batch) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.state != catchingUp || f != d.current {
		return true
	}
	if !cached {
		// It may have come just now, and then is not delivered to us again.
		cached = f.track.Cached(sequence, buffer, p)
	}
	switch {
	case cached:
		d.forward(p, out)
	case d.missedSize == maxMissed, forgotten(f.track, sequence):
		d.state = waiting
		return false
	default:
		d.missed[d.missedSize] = sequence
		d.missedSize++
	}
	d.next++
	return true
}
