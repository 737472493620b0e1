package rtpconn

import (
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"galene/srtp"
	"galene/udpsocket"
)

// egress is where a down track's packets leave. It is the seam below which
// packets are sealed and sent; nothing above it knows how.
//
// It is called by one goroutine at a time, which holds the track's lock. It does
// not keep its arguments, and does not block.
type egress interface {
	// WriteRTP sends one packet: now, or by the time who called flushes out,
	// which may be nil. Its bytes are fully determined by header and payload, so
	// that a retransmission is the same packet again (RFC 3711 §3.3).
	WriteRTP(header *rtp.Header, payload []byte, out *udpsocket.Batch) error
}

// pionStride is how many packets apart Pion is given one to send, so that the
// rollover counter in its SRTP context is right whenever the lane closes, and to
// deliver one, when it is to receive. It must be below half of the numbers that
// a counter takes to roll over (RFC 3711 §3.3.1), with a margin for losses.
const pionStride = 1 << 12

// maxOutHeader is the longest header that we send, in octets: a whole block of header
// extensions included, with its own header and padding.
const maxOutHeader = rtpFixedHeader + 4 + maxOutExtensions + 3

// laneEgress sends one source's packets through the connection's lane while that
// is open, and through Pion's stack otherwise.
type laneEgress struct {
	// Immutable.
	stream webrtc.TrackLocalWriter
	lane   *lane
	ssrc   uint32
	first  func() // called with the first packet; may be nil

	// Owned by who holds the track's lock.
	sealer  *srtp.Sealer // nil while there are no keys
	extra   int          // octets that sealing adds
	begun   bool         // Pion has sent a packet
	highest uint64       // greatest packet index so far (RFC 3711 §3.3.1)
	header  [maxOutHeader]byte
}

// padding is the payload of a packet that is nothing but one octet of padding.
var padding = []byte{1} //nolint:gochecknoglobals // constant

// WriteRTP implements egress.
func (e *laneEgress) WriteRTP(h *rtp.Header, payload []byte, out *udpsocket.Batch) error {
	index := srtp.EstimateIndex(e.highest, h.SequenceNumber)
	route := e.lane.route.Load()
	if route == nil || out == nil || !e.begun || index%pionStride == 0 || !e.keyed() {
		return e.writeThroughPion(h, payload, index, out)
	}
	e.highest = max(e.highest, index)
	n, err := h.MarshalTo(e.header[:])
	if err != nil {
		return err
	}
	if h.Padding {
		payload = padding
	}
	room := out.Reserve(route, n+len(payload)+e.extra)
	sealed := e.sealer.Seal(room[:0], e.header[:n], payload, e.ssrc, index)
	out.Commit(len(sealed))
	return nil
}

// keyed tells whether there is a sealer, for which it looks.
func (e *laneEgress) keyed() bool {
	if e.sealer == nil {
		if e.sealer = e.lane.newSealer(); e.sealer == nil {
			return false
		}
		e.extra = e.sealer.Overhead()
	}
	return true
}

// writeThroughPion sends a packet behind those that wait in out.
func (e *laneEgress) writeThroughPion(h *rtp.Header, payload []byte, index uint64, out *udpsocket.Batch) error {
	if out != nil {
		out.Flush()
	}
	if _, err := e.stream.WriteRTP(h, payload); err != nil {
		return err
	}
	if !e.begun && e.first != nil {
		e.first()
	}
	e.begun, e.highest = true, max(e.highest, index)
	return nil
}
