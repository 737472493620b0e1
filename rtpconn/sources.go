package rtpconn

import (
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pion/rtcp"
	"github.com/pion/transport/v4/packetio"
)

// errTooManySources is why a connection is broken whose peer makes up sources.
var errTooManySources = errors.New("rtpconn: too many sources")

// sources stands between Pion and what a peer sends, source by source. It bounds
// what a peer can make Pion keep by naming SSRCs: Pion buffers the packets of each
// source that it hears of until somebody reads them, which for those that nobody
// has declared is never, and lets an RTCP packet name hundreds. RTCP is handled in
// the goroutine that brings it. Any goroutine may use it.
type sources struct {
	// Immutable.
	maxRTP  int32
	tooMany func() // called once, by Pion, under a lock of Pion's
	// hear takes RTCP about a source, and reports whether that is known.
	hear func(ssrc uint32, packets []rtcp.Packet) bool
	// overhear takes each RTP packet that Pion has decrypted, before Pion queues
	// it, and reports whether Pion may; nil if nobody listens. heard is its own, false at
	// first, one for each source.
	overhear func(packet []byte, heard *bool) (admitted bool)

	rtp, rtcp atomic.Int32 // buffers in use
	reported  sync.Once

	mu    sync.Mutex // guards early
	early []earlyRTCP
}

// earlyRTCP is the last RTCP packet about a source that was not known then. The
// first sender report tends to come with the first packet.
type earlyRTCP struct {
	ssrc    uint32
	packets []rtcp.Packet
}

// maxEarly bounds the sources whose early RTCP is kept.
const maxEarly = maxTracks

// newBuffer makes Pion's buffer for the packets of one source.
func (s *sources) newBuffer(kind packetio.BufferPacketType, ssrc uint32) io.ReadWriteCloser {
	if kind == packetio.RTCPBufferPacket {
		i := &rtcpInlet{sources: s, ssrc: ssrc, done: make(chan struct{})}
		i.full = s.count(&s.rtcp, maxRTCPSources)
		return i
	}
	b := &sourceBuffer{Buffer: packetio.NewBuffer(), used: &s.rtp, overhear: s.overhear}
	b.SetLimitSize(maxRTPBuffer)
	if s.count(&s.rtp, s.maxRTP) {
		b.SetLimitSize(1) // takes nothing
		b.overhear = nil
	}
	return b
}

// count adds one to used, and reports whether that is more than limit.
func (s *sources) count(used *atomic.Int32, limit int32) (full bool) {
	if used.Add(1) <= limit {
		return false
	}
	s.reported.Do(s.tooMany)
	return true
}

// receive takes an RTCP packet that names ssrc.
func (s *sources) receive(ssrc uint32, packet []byte) {
	packets, err := rtcp.Unmarshal(packet)
	if err != nil || s.hear(ssrc, packets) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.early, func(e earlyRTCP) bool { return e.ssrc == ssrc })
	switch {
	case i >= 0:
		s.early[i].packets = packets
	case len(s.early) < maxEarly:
		s.early = append(s.early, earlyRTCP{ssrc, packets})
	}
}

// repeat hands over what was said of a source before it was known.
func (s *sources) repeat(ssrc uint32) {
	s.mu.Lock()
	var packets []rtcp.Packet
	if i := slices.IndexFunc(s.early, func(e earlyRTCP) bool { return e.ssrc == ssrc }); i >= 0 {
		packets = s.early[i].packets
		s.early = slices.Delete(s.early, i, i+1)
	}
	s.mu.Unlock()
	if packets != nil {
		s.hear(ssrc, packets)
	}
}

// rtcpInlet is Pion's buffer for the RTCP about one source, which buffers nothing.
type rtcpInlet struct {
	// Immutable.
	sources *sources
	ssrc    uint32
	full    bool // one source too many
	done    chan struct{}

	once sync.Once
}

// Write implements io.Writer.
func (i *rtcpInlet) Write(packet []byte) (int, error) {
	if !i.full {
		i.sources.receive(i.ssrc, packet)
	}
	return len(packet), nil
}

// Read implements io.Reader. There is nothing to read until the end.
func (i *rtcpInlet) Read([]byte) (int, error) {
	<-i.done
	return 0, io.EOF
}

// Close implements io.Closer.
func (i *rtcpInlet) Close() error {
	i.once.Do(func() {
		i.sources.rtcp.Add(-1)
		close(i.done)
	})
	return nil
}

// sourceBuffer is a buffer that is counted until it is closed.
type sourceBuffer struct {
	*packetio.Buffer

	used     *atomic.Int32
	overhear func(packet []byte, heard *bool) (admitted bool) // or nil
	heard    bool                                             // belongs to the writer
	once     sync.Once
}

// Write implements io.Writer.
func (b *sourceBuffer) Write(packet []byte) (int, error) {
	if b.overhear != nil && !b.overhear(packet, &b.heard) {
		return len(packet), nil
	}
	return b.Buffer.Write(packet)
}

// Close implements io.Closer.
func (b *sourceBuffer) Close() error {
	b.once.Do(func() { b.used.Add(-1) })
	return b.Buffer.Close()
}
