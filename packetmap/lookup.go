package packetmap

import "time"

// maxResends is how often [Map.Resend] grants one packet. Where a fifth of all packets is lost, so is
// one in two million of those that are sent that often.
const maxResends = 8

// Lookup returns which packet was sent as out, for it to be sent again. ok is false if none was, if
// out was used for padding, or if it is as far behind the last number allotted as the map is large.
func (m *Map) Lookup(out uint16) (Entry, bool) {
	s := m.find(out)
	if s == nil {
		return Entry{}, false
	}
	e := m.epochs[s.epoch]
	if s.epoch == m.epoch {
		e.ingest = m.newest
	}
	ingest := e.ingest + int64(int32(s.ingest-uint32(e.ingest)))
	return Entry{Ingest: ingest, Source: e.source, TimestampOffset: e.timestampOffset, Note: s.note}, true
}

// Resend is [Map.Lookup] for a packet that will be sent again if found, and bounds how often:
// it grants each packet eight times at most, and not again before spacing has passed since the
// last time. now is in nanoseconds of any monotonic clock.
func (m *Map) Resend(out uint16, now int64, spacing time.Duration) (Entry, bool) {
	s := m.find(out)
	if s == nil || s.resends >= maxResends {
		return Entry{}, false
	}
	if m.resentAt == nil {
		m.resentAt = make([]uint32, m.size)
	}
	micros, last := uint32(now/1000), &m.resentAt[int64(out)&(m.size-1)]
	if s.resends > 0 && int64(micros-*last) < spacing.Microseconds() {
		return Entry{}, false
	}
	s.resends++
	*last = micros
	return m.Lookup(out)
}

// find returns what is remembered of the packet sent as out, or nil.
func (m *Map) find(out uint16) *sent {
	number := m.extend(out)
	if number > m.allotted || number <= m.allotted-m.size {
		return nil
	}
	s := m.entry(number)
	if !s.used {
		return nil
	}
	return s
}
