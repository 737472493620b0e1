package nack

import (
	"cmp"
	"slices"
	"time"
)

const (
	// minRetryInterval is the least time between two requests for the same packet.
	minRetryInterval = 20 * time.Millisecond

	// assumedRoundTrip stands in for a round-trip time that is not known.
	assumedRoundTrip = 100 * time.Millisecond

	// maxWantDistance is how far behind the newest packet one may be that a subscriber wants; what
	// is older is of no use any more.
	maxWantDistance = 1024

	// falseAlarm is for how long no tail is asked for once one has come by itself.
	falseAlarm = time.Second

	// maxAfterSilence is how many packets are asked for that were lost in a silence of MaxAge or more:
	// a burst at its end. Most of more of them are too old to be of use, and would come all at once.
	maxAfterSilence = 64

	// wantedShare is which part of MaxHoles may come from [Tracker.Want] on top of
	// MaxHoles, so that subscribers cannot drive the tracker to its limit.
	wantedShare = 4
)

// Config bounds what a [Tracker] does. Zero fields take the values named.
type Config struct {
	MaxHoles       int           // missing packets beyond which all are given up; 500
	MaxTries       int           // requests for one packet; 8
	MaxAge         time.Duration // how long a packet is asked for after it was missed; 1 s
	FirstDelay     time.Duration // before the first request, if enough newer packets have come; 10 ms
	TailDelay      time.Duration // before the first request otherwise; 30 ms
	ReorderPackets int           // how many newer packets are enough; 2
}

// withDefaults returns c with its zero fields filled in.
func (c Config) withDefaults() Config {
	return Config{
		MaxHoles:       cmp.Or(c.MaxHoles, 500),
		MaxTries:       cmp.Or(c.MaxTries, 8),
		MaxAge:         cmp.Or(c.MaxAge, time.Second),
		FirstDelay:     cmp.Or(c.FirstDelay, 10*time.Millisecond),
		TailDelay:      cmp.Or(c.TailDelay, 30*time.Millisecond),
		ReorderPackets: cmp.Or(c.ReorderPackets, 2),
	}
}

// hole is a packet that has not arrived.
type hole struct {
	seq     int64
	since   int64 // when it was missed, or wanted again
	next    int64 // when to ask again, once asked; or at once, if wanted
	newer   int64 // the tracker's count of newer packets when it was missed
	tries   int   // requests so far
	wanted  bool  // a subscriber wants it: there is no reordering to wait for
	created bool  // by Want, so that it does not count towards MaxHoles
}

// Tracker knows what is missing of one track.
type Tracker struct {
	config Config

	started bool
	newest  int64  // the greatest sequence number received
	last    int64  // when it was
	floor   int64  // no packet below it is missed
	newer   int64  // packets that were newer than all before them, as they arrived
	holes   []hole // by sequence number
	created int    // how many of them Want has created
	room    int    // MaxHoles, or fewer
	given   int    // how many others were given up since GivenUp was called
	tail    tail
}

// tail is what is expected after the newest packet.
type tail struct {
	expected bool  // the newest packet is not the last of its frame
	due      int64 // when the next one is asked for
	asked    int64 // when it was; 0 if it was not
	retry    int64 // when it may be asked for again
	early    int64 // what comes before this cannot be the answer
	quiet    int64 // until then nothing is asked for: the sender takes its time
}

// New returns a tracker that has seen no packet yet.
func New(config Config) *Tracker {
	c := config.withDefaults()
	return &Tracker{config: c, room: c.MaxHoles}
}

// SetRoom says how many packets the receiver can hold, from now on: there is no use in asking for those that
// it would have no place for when they come. More missing packets than three quarters of that, which leaves the
// rest for what arrives meanwhile, are as bad as more than MaxHoles.
func (t *Tracker) SetRoom(packets int) { t.room = min(t.config.MaxHoles, packets*3/4) }

// Received takes note that packet seq, an unwrapped sequence number, arrived at now. gap is the number of
// packets found missing by that. fatal says that there are too many now, or many after a long silence: all are
// forgotten, and a keyframe should be requested.
func (t *Tracker) Received(seq, now int64) (gap int, fatal bool) {
	if !t.started {
		t.started = true
		t.newest, t.floor, t.last = seq, seq, now
		return 0, false
	}
	if seq <= t.newest {
		if i, found := t.search(seq); found {
			t.remove(i, i+1)
		}
		return 0, false
	}
	t.expire(now)
	first := max(t.newest+1, t.floor)
	before := t.newest
	tail := t.endTail(seq, now)
	silent := now-t.last >= int64(t.config.MaxAge)
	t.newest, t.last = seq, now
	t.newer++
	gap = int(max(seq-first, 0))
	if gap > t.room-(len(t.holes)-t.created) || silent && gap > maxAfterSilence {
		t.Forget(seq)
		return gap, true
	}
	for missing := first; missing < seq; missing++ {
		h := hole{seq: missing, since: now, newer: t.newer}
		if tail.asked > 0 && missing == before+1 {
			h.since, h.next, h.tries = tail.asked, tail.retry, 1
		}
		t.holes = append(t.holes, h)
	}
	return gap, false
}

// Continues takes note that the newest packet, which arrived at now, is not the last of its frame. If
// nothing newer comes within TailDelay the next one is asked for, once: nothing else would show that it is
// lost before the next frame.
func (t *Tracker) Continues(now int64) {
	if t.started && !t.tail.expected && now >= t.tail.quiet {
		t.tail.expected, t.tail.due = true, now+int64(max(t.config.TailDelay, t.config.FirstDelay))
	}
}

// endTail expects nothing any more, since packet seq is newer than all others, and returns what was expected.
func (t *Tracker) endTail(seq, now int64) tail {
	before := t.tail
	t.tail = tail{quiet: before.quiet}
	if before.asked > 0 && seq == t.newest+1 && now < before.early {
		t.tail.quiet = now + int64(falseAlarm)
	}
	return before
}

// Want takes note that a subscriber asked at now for packet seq, which is not in the cache. If it is known
// to be missing its time begins anew and it is asked for as soon as its schedule allows, but not
// more often in all; if not, it is from now on. What is newer than all packets received, older than 1024
// packets or than the last call of [Tracker.Forget] is none of it.
func (t *Tracker) Want(seq, now int64) {
	if !t.started || seq >= t.newest || seq < t.floor || seq < t.newest-maxWantDistance {
		return
	}
	i, found := t.search(seq)
	if found {
		t.holes[i].since = now
		t.holes[i].wanted = true
		return
	}
	if t.created >= t.config.MaxHoles/wantedShare {
		return
	}
	t.created++
	t.holes = slices.Insert(t.holes, i, hole{seq: seq, since: now, newer: t.newer, wanted: true, created: true})
}

// Forget stops asking for packets below that one, as is right below the start of a keyframe.
func (t *Tracker) Forget(below int64) {
	i, _ := t.search(below)
	t.remove(0, i)
	t.floor = max(t.floor, below)
}

// GivenUp returns how many packets were given up, asked for in vain, since it was called last. Those that only
// subscribers missed do not count.
func (t *Tracker) GivenUp() int {
	n := t.given
	t.given = 0
	return n
}

// Missing returns how many packets are missing and not given up.
func (t *Tracker) Missing() int {
	return len(t.holes)
}

// search returns the index of the hole of packet seq, or where it would be.
func (t *Tracker) search(seq int64) (i int, found bool) {
	return slices.BinarySearchFunc(t.holes, seq, func(h hole, seq int64) int {
		return cmp.Compare(h.seq, seq)
	})
}

// remove removes the holes from index i to before j.
func (t *Tracker) remove(i, j int) {
	for _, h := range t.holes[i:j] {
		if h.created {
			t.created--
		}
	}
	t.holes = slices.Delete(t.holes, i, j)
}
