package nack

import "time"

// Due appends to dst the packets to ask for at now, in order, and takes them as asked. Each is
// asked for again after rtt, then after ever a quarter more, but not within 20 ms. An rtt of 0
// is not known; 100 ms are assumed. Due does not allocate if dst has room.
func (t *Tracker) Due(now int64, rtt time.Duration, dst []int64) []int64 {
	if rtt <= 0 {
		rtt = assumedRoundTrip
	}
	t.expire(now)
	for i := range t.holes {
		h := &t.holes[i]
		if t.at(h) > now || h.tries >= t.config.MaxTries {
			continue
		}
		dst = append(dst, h.seq)
		h.next = now + int64(t.interval(rtt, h.tries))
		h.tries++
	}
	if l := &t.tail; l.expected && l.asked == 0 && l.due <= now {
		dst = append(dst, t.newest+1)
		l.asked, l.retry, l.early = now, now+int64(t.interval(rtt, 0)), now+int64(rtt/2)
	}
	return dst
}

// Next returns the time at which [Tracker.Due] will have something to say, unless more
// packets arrive before. ok is false if it will have nothing.
func (t *Tracker) Next() (at int64, ok bool) {
	for i := range t.holes {
		h := &t.holes[i]
		if h.tries >= t.config.MaxTries {
			continue
		}
		due := t.at(h)
		if due-h.since < int64(t.config.MaxAge) && (!ok || due < at) {
			at, ok = due, true
		}
	}
	if t.tail.expected && t.tail.asked == 0 && (!ok || t.tail.due < at) {
		at, ok = t.tail.due, true
	}
	return at, ok
}

// at returns when to ask for h.
func (t *Tracker) at(h *hole) int64 {
	switch {
	case h.tries > 0:
		return h.next
	case h.wanted:
		return h.since
	case t.newer-h.newer+1 >= int64(t.config.ReorderPackets): // the one that showed the gap is newer too
		return h.since + int64(t.config.FirstDelay)
	default:
		return h.since + int64(max(t.config.TailDelay, t.config.FirstDelay))
	}
}

// interval returns how long to wait for an answer after a request that so many others went before.
func (t *Tracker) interval(rtt time.Duration, tries int) time.Duration {
	rtt = min(rtt, t.config.MaxAge)
	for range tries {
		rtt = min(rtt+rtt/4, t.config.MaxAge)
	}
	return max(rtt, minRetryInterval)
}

// expire gives up what is too old, or was asked for often enough and not answered in time.
func (t *Tracker) expire(now int64) {
	kept := t.holes[:0]
	for _, h := range t.holes {
		switch {
		case now-h.since < int64(t.config.MaxAge) && (h.tries < t.config.MaxTries || now < h.next):
			kept = append(kept, h)
		case h.created:
			t.created--
		default:
			t.given++
		}
	}
	clear(t.holes[len(kept):])
	t.holes = kept
}
