package rtpconn

import (
	"sync"
	"time"

	"galene/conn"
	"galene/rtptime"
)

// A client makes a publisher send a keyframe not only by asking for one, but also
// whenever it begins to receive the publisher's track or chooses another
// encoding, which it may do as often as it likes. clientKeyframes of these are granted
// at once in each clientKeyframeWindow; the others have to wait.
const (
	clientKeyframes      = 6
	clientKeyframeWindow = 10 * time.Second
)

// keyframeBudgets counts what each client has caused of each track, over all
// connections that it has had. It belongs to the engine; any goroutine may use it.
type keyframeBudgets struct {
	mu     sync.Mutex // guards the fields below
	spent  map[keyframeSpender][]rtptime.Instant
	tidied rtptime.Instant
}

// keyframeSpender is a client that takes a track. Whose owner is not known is known by
// its connection.
type keyframeSpender struct {
	owner Owner
	down  *Down
	track conn.UpTrack
}

// allow reports whether d may cause a keyframe of track at now, and then counts it.
func (b *keyframeBudgets) allow(d *Down, track conn.UpTrack, now rtptime.Instant) bool {
	key := keyframeSpender{owner: d.owner, track: track}
	if d.owner == (Owner{}) {
		key.down = d
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tidy(now)
	spent := recent(b.spent[key], now)
	if len(spent) >= clientKeyframes {
		return false
	}
	if b.spent == nil {
		b.spent = make(map[keyframeSpender][]rtptime.Instant)
	}
	b.spent[key] = append(spent, now)
	return true
}

// tidy forgets what does not count any more. The caller holds the lock.
func (b *keyframeBudgets) tidy(now rtptime.Instant) {
	if b.tidied != 0 && now.Sub(b.tidied) < clientKeyframeWindow {
		return
	}
	b.tidied = now
	for key, spent := range b.spent {
		if len(recent(spent, now)) == 0 {
			delete(b.spent, key)
		}
	}
}

// recent returns what is in the present window of instants in order.
func recent(spent []rtptime.Instant, now rtptime.Instant) []rtptime.Instant {
	for len(spent) > 0 && now.Sub(spent[0]) >= clientKeyframeWindow {
		spent = spent[1:]
	}
	return spent
}

// requestKeyframe asks for a keyframe of a track that the subscriber wishes to begin
// with: at once, or as soon as its client may have one.
func (d *downTrack) requestKeyframe(track conn.UpTrack, now rtptime.Instant) {
	granted := d.down.engine == nil || d.down.engine.keyframes.allow(d.down, track, now)
	d.mu.Lock()
	d.owed = nil
	if !granted {
		d.owed = track
	}
	d.mu.Unlock()
	if granted {
		track.RequestKeyframe()
	}
}

// requestOwed asks for a keyframe that could not be asked for before, if it is still
// needed.
func (d *downTrack) requestOwed(now rtptime.Instant) {
	d.mu.Lock()
	track := d.owed
	needed := !d.closed && (d.state == waiting && d.current.track == track ||
		d.target != nil && d.target.track == track)
	d.mu.Unlock()
	if track != nil && needed {
		d.requestKeyframe(track, now)
	}
}
