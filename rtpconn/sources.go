package rtpconn

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/pion/transport/v4/packetio"
)

// errTooManySources is why a connection is broken whose peer makes up sources.
var errTooManySources = errors.New("rtpconn: too many sources")

// sources bounds what a peer can make Pion keep by naming SSRCs. Pion buffers
// packets of each source that it hears of until somebody reads them, which for
// those that nobody has declared is never, and lets an RTCP packet name
// hundreds. Any goroutine may use it.
type sources struct {
	maxRTP  int32
	tooMany func() // called once, by Pion, under a lock of Pion's

	rtp, rtcp atomic.Int32 // buffers in use
	reported  sync.Once
}

// newBuffer makes Pion's buffer for the packets of one source.
func (s *sources) newBuffer(kind packetio.BufferPacketType, _ uint32) io.ReadWriteCloser {
	used, limit, octets := &s.rtp, s.maxRTP, maxRTPBuffer
	if kind == packetio.RTCPBufferPacket {
		used, limit, octets = &s.rtcp, maxRTCPSources, maxRTCPBuffer
	}
	if used.Add(1) > limit {
		s.reported.Do(s.tooMany)
		octets = 1 // takes nothing
	}
	b := &sourceBuffer{Buffer: packetio.NewBuffer(), used: used}
	b.SetLimitSize(octets)
	return b
}

// sourceBuffer is a buffer that is counted until it is closed.
type sourceBuffer struct {
	*packetio.Buffer

	used *atomic.Int32
	once sync.Once
}

// Close implements io.Closer.
func (b *sourceBuffer) Close() error {
	b.once.Do(func() { b.used.Add(-1) })
	return b.Buffer.Close()
}
