package losses

import (
	"encoding/binary"
	"sync"
)

// meter counts the RTP packets of one leg's direction by their source, as they are seen on the
// wire before any is lost.
type meter struct {
	mu      sync.Mutex // guards sources
	sources map[uint32]*metered
}

// metered is what was seen of a source.
type metered struct {
	packets, octets           int // for the first time
	repeatedPackets, repeated int // again, under the same number
	seen                      [1 << 16]bool
}

// rtpHeader is the least length of an RTP packet.
const rtpHeader = 12

// see counts a packet, if it is RTP (RFC 5761 §4).
func (m *meter) see(packet []byte) {
	if len(packet) < rtpHeader || packet[0]>>6 != 2 || packet[1] >= 192 && packet[1] < 224 {
		return
	}
	sequence, ssrc := binary.BigEndian.Uint16(packet[2:]), binary.BigEndian.Uint32(packet[8:])
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sources == nil {
		m.sources = make(map[uint32]*metered)
	}
	s := m.sources[ssrc]
	if s == nil {
		s = new(metered)
		m.sources[ssrc] = s
	}
	if s.seen[sequence] {
		s.repeatedPackets++
		s.repeated += len(packet)
		return
	}
	s.seen[sequence] = true
	s.seen[sequence+1<<15] = false // for the next time round
	s.packets++
	s.octets += len(packet)
}

// forget begins to count anew.
func (m *meter) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.sources {
		s.packets, s.octets, s.repeatedPackets, s.repeated = 0, 0, 0, 0
	}
}

// overhead returns what was sent again of a track, in per cent of what was sent: on its own source,
// or on one for that.
func (m *meter) overhead(ssrc, repair uint32) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	media, again := 0, 0
	if s := m.sources[ssrc]; s != nil {
		media, again = s.octets, s.repeated
	}
	if s := m.sources[repair]; s != nil && repair != 0 {
		again += s.octets + s.repeated
	}
	return 100 * float64(again) / float64(max(media, 1))
}

// packets returns how many packets of a track were sent, for the first time and again.
func (m *meter) packets(ssrc, repair uint32) (media, again int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.sources[ssrc]; s != nil {
		media, again = s.packets, s.repeatedPackets
	}
	if s := m.sources[repair]; s != nil && repair != 0 {
		again += s.packets + s.repeatedPackets
	}
	return media, again
}
