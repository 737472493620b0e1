package packetmap

import (
	"math/rand/v2"
	"testing"
)

// ringSize is what most maps remember.
const ringSize = 1024

// model does what a Map does, slowly and without ever forgetting.
type model struct {
	size     int64 // how much a Map remembers
	source   uint8
	offset   uint32
	numbers  map[int64]int64 // by ingest number of the present source; -1 if it has none
	sent     map[int64]Entry // by outgoing number
	newest   int64           // valid if numbers is not empty
	allotted int64
}

func newModel(first uint16, size int) *model {
	return &model{
		size:     int64(size),
		numbers:  map[int64]int64{},
		sent:     map[int64]Entry{},
		allotted: int64(first) + 1<<16 - 1,
	}
}

// advance gives numbers to what is missing before ingest.
func (m *model) advance(ingest int64) {
	if len(m.numbers) > 0 {
		if ingest-m.newest > m.size {
			m.numbers = map[int64]int64{}
			m.allotted++
		} else {
			for i := m.newest + 1; i < ingest; i++ {
				m.allotted++
				m.numbers[i] = m.allotted
			}
		}
	}
	m.newest = ingest
}

func (m *model) isNew(ingest int64) bool {
	return len(m.numbers) == 0 || ingest > m.newest
}

func (m *model) lookup(ingest int64) (int64, bool) {
	number, ok := m.numbers[ingest]
	return number, ok && number >= 0 && ingest > m.newest-m.size
}

func (m *model) forward(ingest int64) (int64, bool) {
	if m.isNew(ingest) {
		m.advance(ingest)
		m.allotted++
		m.numbers[ingest] = m.allotted
	}
	number, ok := m.lookup(ingest)
	if ok {
		m.sent[number] = Entry{Ingest: ingest, Source: m.source, TimestampOffset: m.offset, Note: uint64(ingest) * 3}
	}
	return number, ok
}

func (m *model) drop(ingest int64) bool {
	if m.isNew(ingest) {
		m.advance(ingest)
		m.numbers[ingest] = -1
		return true
	}
	number, ok := m.lookup(ingest)
	_, used := m.sent[number]
	return !ok || used
}

func (m *model) close(ingest int64) {
	if len(m.numbers) == 0 || ingest <= m.newest {
		return
	}
	if ingest-m.newest > m.size {
		m.numbers = map[int64]int64{}
	}
	for i := max(m.newest+1, ingest-m.size); i < ingest; i++ {
		m.numbers[i] = -1
	}
	m.newest = ingest - 1
}

func (m *model) pad(ingest int64) (int64, bool) {
	number, ok := m.lookup(ingest)
	if _, used := m.sent[number]; !ok || used {
		return 0, false
	}
	m.numbers[ingest] = -1
	return number, true
}

func (m *model) doSwitch(source uint8, ingest int64, offset uint32) {
	m.source, m.offset = source, offset
	m.numbers = map[int64]int64{ingest - 1: -1}
	m.newest = ingest - 1
}

// pair drives a Map and its model through the same random life.
type pair struct {
	t      *testing.T
	random *rand.Rand
	m      *Map
	model  *model

	next  [3]int64 // the next ingest number of each source
	taken map[int64]bool
}

// forward sends a packet through both and compares.
func (p *pair) forward(ingest int64) {
	_, again := p.model.numbers[ingest]
	want, wantOK := p.model.forward(ingest)
	got, ok := p.m.Forward(ingest, uint64(ingest)*3)
	if ok != wantOK || ok && got != uint16(want) {
		p.t.Fatalf("Forward(%d) = %d, %v, want %d, %v", ingest, got, ok, uint16(want), wantOK)
	}
	if !ok {
		return
	}
	if !again && p.taken[want] {
		p.t.Fatalf("Forward(%d) = %d, which is another packet's", ingest, got)
	}
	p.taken[want] = true
	if entry, found := p.m.Lookup(got); !found || entry != p.model.sent[want] {
		p.t.Fatalf("Lookup(%d) = %+v, %v after Forward(%d)", got, entry, found, ingest)
	}
}

// drop drops a packet in both, fills the hole if there is one, and compares.
func (p *pair) drop(ingest int64) {
	want, got := p.model.drop(ingest), p.m.Drop(ingest)
	if got != want {
		p.t.Fatalf("Drop(%d) = %v, want %v", ingest, got, want)
	}
	if got || p.random.IntN(2) == 0 {
		return
	}
	number, wantOK := p.model.pad(ingest)
	out, ok := p.m.Pad(ingest)
	if ok != wantOK || ok && out != uint16(number) {
		p.t.Fatalf("Pad(%d) = %d, %v, want %d, %v", ingest, out, ok, uint16(number), wantOK)
	}
	if p.taken[number] {
		p.t.Fatalf("Pad(%d) = %d, which is another packet's", ingest, out)
	}
	p.taken[number] = true
}

// probe looks up some number near the present.
func (p *pair) probe() {
	number := p.model.allotted + 3 - p.random.Int64N(p.model.size+20)
	want, wantOK := p.model.sent[number]
	wantOK = wantOK && number > p.model.allotted-p.model.size
	got, ok := p.m.Lookup(uint16(number))
	if ok != wantOK || ok && got != want {
		p.t.Fatalf("Lookup(%d) = %+v, %v, want %+v, %v", uint16(number), got, ok, want, wantOK)
	}
}

// step lets one packet arrive, or be lost, or something rarer happen.
func (p *pair) step() {
	source := p.model.source
	ingest := p.next[source]
	switch r := p.random.IntN(1000); {
	case r < 30: // lost
		p.next[source]++
		return
	case r < 31: // a long outage
		p.next[source] += p.random.Int64N(2 * p.model.size)
		return
	case r < 34:
		p.next[source] += 1 + p.random.Int64N(50)
		to := uint8(p.random.IntN(len(p.next)))
		offset := p.random.Uint32()
		at := p.next[to] - p.random.Int64N(3)
		p.model.doSwitch(to, at, offset)
		p.m.Switch(to, at, offset)
		return
	case r < 100: // late, or a duplicate
		ingest -= p.random.Int64N(20)
	case r < 102: // very late
		ingest -= p.random.Int64N(2 * p.model.size)
	case r < 130: // early
		ingest += p.random.Int64N(5)
	default:
		p.next[source]++
	}
	if p.random.IntN(10) == 0 {
		p.model.close(ingest)
		p.m.Close(ingest)
	}
	if ingest&3 == 3 { // a layer that is not wanted
		p.drop(ingest)
	} else {
		p.forward(ingest)
	}
}

// TestRandomLifeAgainstAModel sends a million packets with loss, reordering, duplication, drops and
// switches. Outgoing numbers must be what the model says and never be used for two packets, and
// Lookup must invert Forward as far back as the ring goes.
func TestRandomLifeAgainstAModel(t *testing.T) {
	t.Parallel()
	for i, first := range starts {
		for j, ingest := range starts {
			size := []int{ringSize, 64}[(i+j)%2]
			p := pair{
				t:      t,
				random: rand.New(rand.NewPCG(uint64(first), uint64(ingest))),
				m:      New(first, size),
				model:  newModel(first, size),
				taken:  map[int64]bool{},
			}
			for i := range p.next {
				p.next[i] = int64(ingest) + 1<<16 + int64(i)*1000
			}
			for range 40_000 {
				p.step()
				p.probe()
			}
			if covered := p.model.allotted - int64(first); covered < 1<<16+20_000 {
				t.Errorf("only got to outgoing number %d", covered)
			}
		}
	}
}
