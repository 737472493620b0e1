package packetmap

// ringSize is how many numbers a [Map] remembers, outgoing and ingest; a power of two.
const (
	ringSize = 1024
	ringMask = ringSize - 1
)

// Entry says which packet was sent.
type Entry struct {
	Ingest          int64  // its unwrapped sequence number at the source
	Source          uint8  // which source it is from: the one given to [Map.Switch], at first 0
	TimestampOffset uint32 // what was added to its timestamp, modulo 2³²
	Note            uint64 // what [Map.Forward] was given with it
}

// sent is what is remembered of one outgoing number.
type sent struct {
	ingest   int64
	note     uint64
	resentAt uint32 // when [Map.Resend] granted it last, in microseconds
	resends  uint8  // how often it did
	epoch    uint8  // since which switch it was sent
	used     bool   // false if the number is a hole
}

// epoch is what holds for all packets from one switch to the next. Fewer than 256 switches
// go by while a packet is remembered.
type epoch struct {
	source          uint8
	timestampOffset uint32
}

// fate is what became of one ingest number of the present source: the low 16 bits of the
// outgoing number it got or left open, or dropped.
type fate int32

const dropped fate = -1

// Map is the numbering of one subscriber's track.
//
// Outgoing numbers are kept in 64 bits inside, counted from the first one. Ingest numbers
// from floor to newest that are less than ringSize old have a fate. Outgoing
// numbers up to allotted that are less than ringSize old have an entry in the other ring.
type Map struct {
	epoch    uint8 // the present one
	started  bool  // whether floor and newest mean anything
	floor    int64 // no ingest number below it can be mapped
	newest   int64 // the greatest ingest number seen
	allotted int64 // the greatest outgoing number given to a packet or a hole
	last     int64 // the greatest outgoing number returned
	anything bool  // whether last means anything

	// What is above is touched for each packet, and stands together.
	epochs [256]epoch
	fates  [ringSize]fate // by ingest number
	sent   [ringSize]sent // by outgoing number
}

// New returns a map whose first outgoing sequence number is first.
func New(first uint16) *Map {
	// One turn up, so that no number inside is ever negative.
	return &Map{allotted: int64(first) + 1<<16 - 1}
}

// Forward returns the outgoing sequence number for packet ingest of the present source, which is
// about to be sent. note is remembered for [Map.Lookup]: how else the packet is changed, in the
// caller's terms. A packet ahead of all others gets a number as far ahead; one that
// is late gets the number its gap has left; one that was forwarded already, the same again.
//
// ok is false if the packet must not be sent: it was dropped, or is from before the first
// packet or the last switch, or 1024 or more behind the newest.
//
// A jump ahead by more than 1024 packets leaves only one hole: enough for the receiver to notice, and
// nothing that could be filled any more.
func (m *Map) Forward(ingest int64, note uint64) (out uint16, ok bool) {
	if !m.started || ingest > m.newest {
		m.advance(ingest)
		m.allotted++
		m.sent[m.allotted&ringMask].used = false
		m.fates[ingest&ringMask] = fate(uint16(m.allotted))
	}
	number, ok := m.number(ingest)
	if !ok {
		return 0, false
	}
	s := &m.sent[number&ringMask]
	if !s.used {
		*s = sent{ingest: ingest, note: note, epoch: m.epoch, used: true}
	}
	m.returned(number)
	return uint16(number), true
}

// Drop takes note that packet ingest of the present source is deliberately not sent. If it is ahead of
// all others it takes no number; packets missing between keep theirs, so that they may still
// come.
//
// Drop returns false only for a late packet for which a number has been left open: the
// subscriber sees a hole. The caller may fill that by [Map.Pad].
func (m *Map) Drop(ingest int64) bool {
	if !m.started || ingest > m.newest {
		m.advance(ingest)
		m.fates[ingest&ringMask] = dropped
		return true
	}
	number, ok := m.number(ingest)
	return !ok || m.sent[number&ringMask].used
}

// Close takes note that the packets missing before packet ingest of the present source, which is ahead of
// all others, would not be sent if they came: no numbers are left for them. For any other ingest it
// does nothing.
func (m *Map) Close(ingest int64) {
	if !m.started || ingest <= m.newest {
		return
	}
	if ingest-m.newest > ringSize {
		m.floor = ingest
	}
	for missing := max(m.newest+1, m.floor); missing < ingest; missing++ {
		m.fates[missing&ringMask] = dropped
	}
	m.newest = ingest - 1
}

// Pad returns the number that packet ingest has left open, for a packet of mere padding to be sent
// in its stead. From then on ingest counts as dropped, and the number cannot be looked
// up: it is used up. ok is false if there is no such hole.
func (m *Map) Pad(ingest int64) (out uint16, ok bool) {
	if !m.started || ingest > m.newest {
		return 0, false
	}
	number, ok := m.number(ingest)
	if !ok || m.sent[number&ringMask].used {
		return 0, false
	}
	m.fates[ingest&ringMask] = dropped
	m.returned(number)
	return uint16(number), true
}

// Switch makes source the present one, from its packet ingest on: if that is the next one
// forwarded, it gets the number after the last one allotted. timestampOffset is what the caller
// will add to the timestamps of this source; the map only remembers it. Switching to the
// source that is present already skips what lies before ingest.
//
// What was sent before remains known to [Map.Lookup]; what was missing then cannot be sent any more.
func (m *Map) Switch(source uint8, ingest int64, timestampOffset uint32) {
	m.epoch++
	m.epochs[m.epoch] = epoch{source, timestampOffset}
	m.started = true
	m.floor, m.newest = ingest, ingest-1
}

// Last returns the greatest sequence number returned by Forward or Pad. ok is false before the
// first.
func (m *Map) Last() (out uint16, ok bool) {
	return uint16(m.last), m.anything
}

// advance makes ingest the newest number, and allots outgoing numbers to those in between but
// none to itself.
func (m *Map) advance(ingest int64) {
	if !m.started {
		m.started = true
		m.floor, m.newest = ingest, ingest
		return
	}
	if ingest-m.newest > ringSize {
		m.floor, m.newest = ingest, ingest
		m.hole()
		return
	}
	for missing := m.newest + 1; missing < ingest; missing++ {
		m.hole()
		m.fates[missing&ringMask] = fate(uint16(m.allotted))
	}
	m.newest = ingest
}

// hole allots one outgoing number to nothing.
func (m *Map) hole() {
	m.allotted++
	m.sent[m.allotted&ringMask].used = false
}

// number returns the outgoing number that packet ingest has or has left open. ok is false if there is
// none.
func (m *Map) number(ingest int64) (number int64, ok bool) {
	if ingest < m.floor || ingest > m.newest || ingest <= m.newest-ringSize {
		return 0, false
	}
	f := m.fates[ingest&ringMask]
	if f == dropped {
		return 0, false
	}
	return m.extend(uint16(f)), true
}

// extend returns the outgoing number congruent to out modulo 65536 that is nearest to allotted.
func (m *Map) extend(out uint16) int64 {
	return m.allotted + int64(int16(out-uint16(m.allotted)))
}

// returned takes note that number is known to the caller.
func (m *Map) returned(number int64) {
	if !m.anything || number > m.last {
		m.last, m.anything = number, true
	}
}
