package packetmap

import "time"

// maxResends is how often [Map.Resend] grants one packet. Where a fifth of all packets is lost, so is
// one in two million of those that are sent that often.
const maxResends = 8

// Lookup returns which packet was sent as out, for it to be sent again. ok is false if none was, if
// out was used for padding, or if it is 1024 or more behind the last number allotted.
func (m *Map) Lookup(out uint16) (Entry, bool) {
	s := m.find(out)
	if s == nil {
		return Entry{}, false
	}
	e := m.epochs[s.epoch]
	return Entry{Ingest: s.ingest, Source: e.source, TimestampOffset: e.timestampOffset, Note: s.note}, true
}

// Resend is [Map.Lookup] for a packet that will be sent again if found, and bounds how often:
// it grants each packet eight times at most, and not again before spacing has passed since the
// last time. now is in nanoseconds of any monotonic clock.
func (m *Map) Resend(out uint16, now int64, spacing time.Duration) (Entry, bool) {
	s := m.find(out)
	micros := uint32(now / 1000)
	if s == nil || s.resends >= maxResends || s.resends > 0 && int64(micros-s.resentAt) < spacing.Microseconds() {
		return Entry{}, false
	}
	s.resends++
	s.resentAt = micros
	return m.Lookup(out)
}

// find returns what is remembered of the packet sent as out, or nil.
func (m *Map) find(out uint16) *sent {
	number := m.extend(out)
	if number > m.allotted || number <= m.allotted-ringSize {
		return nil
	}
	s := &m.sent[number&ringMask]
	if !s.used {
		return nil
	}
	return s
}
