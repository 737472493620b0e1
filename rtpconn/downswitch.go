package rtpconn

import (
	"time"

	"galene/codecs"
	"galene/conn"
	"galene/rtptime"
)

// swap makes s what the track sends, from its next keyframe on; until then it
// goes on with what it has. The codec must be the same. The SSRC and the
// numbering stay, so nothing is negotiated. It returns feeds that the caller
// removes from their tracks without holding the lock.
func (d *downTrack) swap(s conn.Selection) (gone []*feed) {
	d.mu.Lock()
	if !d.choose(s) {
		d.mu.Unlock()
		return nil // what is sent of it has been adapted to the subscriber
	}
	add, gone := d.aim(s.Track)
	if d.state != idle {
		d.ladder.chooser.Hurry()
		d.ladder.raised = rtptime.Now()
		d.down.poke() // what was asked for need not be there
	}
	d.mu.Unlock()
	if add != nil {
		_ = add.track.AddSink(add) // if it has ended there will be another swap
		d.requestKeyframe(add.track, rtptime.Now())
	}
	return gone
}

// begin lets packets flow to a feed that aim has returned for what the subscriber can take; it may be nil.
func begin(add *feed) {
	if add != nil {
		_ = add.track.AddSink(add) // as above
		add.track.RequestKeyframe()
	}
}

// aim decides on a swap. It returns the feed to be added to its track, if any,
// and what is of no use any more. The caller holds the lock.
func (d *downTrack) aim(track conn.UpTrack) (add *feed, gone []*feed) {
	if d.closed {
		return nil, nil
	}
	switch {
	case d.state == idle:
		// Nothing was sent yet: there is nothing to continue.
		d.current = d.newFeed(track)
		return nil, nil
	case track == d.current.track:
		gone = d.dropTarget()
	case d.target == nil || d.target.track != track:
		gone = d.dropTarget()
		add = d.newFeed(track)
		d.target = add
	}
	return add, gone
}

// dropTarget forgets what was to be switched to, and what was switched from,
// and returns these feeds.
func (d *downTrack) dropTarget() (gone []*feed) {
	for _, f := range []*feed{d.target, d.stale} {
		if f != nil {
			gone = append(gone, f)
		}
	}
	d.target, d.stale = nil, nil
	return gone
}

// switchTo makes the target the present source, with packet p, which starts a
// keyframe. The caller holds the lock.
func (d *downTrack) switchTo(f *feed, p *conn.Packet) {
	offset := d.offset
	if d.lastSent != 0 {
		offset = d.continueTime(f, p)
	}
	d.stale, d.current, d.target = d.current, f, nil
	d.state, d.caughtUp, d.missedSize = live, p.Sequence-1, 0
	d.beginSource(f.track, p.Sequence, offset)
	d.down.poke() // to remove what is stale
}

// maxClockDisagreement is how far the publisher's clocks may lead from the time
// that has really passed when the source changes; beyond it they are wrong.
const maxClockDisagreement = time.Second

// minAdvance is how far timestamps move on at least when the source changes.
const minAdvance = 10 * time.Millisecond

// continueTime returns the offset by which the timestamps of f continue those
// sent before, with packet p being the first. The publisher's clocks tell
// exactly; without them, time moves on by what has passed here. It never goes
// back.
func (d *downTrack) continueTime(f *feed, p *conn.Packet) uint32 {
	rate := d.format.ClockRate
	elapsed := uint32(rtptime.Ticks(p.Arrival.Sub(d.lastSent), rate))
	offset := d.lastTime + elapsed - p.Timestamp

	before, ok := d.current.track.Clock(p.Arrival)
	after, alsoOK := f.track.Clock(p.Arrival)
	if ok && alsoOK {
		exact := before + d.offset - after
		limit := rtptime.Ticks(maxClockDisagreement, rate)
		if error := int64(int32(exact - offset)); error >= -limit && error <= limit {
			offset = exact
		}
	}
	least := d.lastTime + uint32(rtptime.Ticks(minAdvance, rate))
	if int32(p.Timestamp+offset-least) < 0 {
		offset = least - p.Timestamp
	}
	return offset
}

// takeStale returns a feed whose track has been switched away from, which the
// caller removes from it, or nil.
func (d *downTrack) takeStale() *feed {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.stale
	d.stale = nil
	return f
}

// isVideo tells whether keyframes matter.
func (d *downTrack) isVideo() bool { return d.format.Kind == codecs.Video }
