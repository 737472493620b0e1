package rtpconn

import (
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// egress is where a down track's packets leave. It is the seam below which
// packets are sealed and sent; nothing above it knows how.
//
// Its methods are called by one goroutine at a time, which holds the track's
// lock. They do not keep their arguments, and do not block.
type egress interface {
	// WriteRTP sends one packet, now or at the end of the burst. The bytes
	// are fully determined by the arguments, so that a retransmission is the
	// same packet again (RFC 3711 §3.3).
	WriteRTP(header *rtp.Header, payload []byte) error
	// EndBurst sends what has been gathered.
	EndBurst()
}

// pionEgress writes through Pion's stack, packet by packet.
type pionEgress struct{ stream webrtc.TrackLocalWriter }

func (e pionEgress) WriteRTP(header *rtp.Header, payload []byte) error {
	_, err := e.stream.WriteRTP(header, payload)
	return err
}

// EndBurst does nothing: WriteRTP has sent everything.
func (pionEgress) EndBurst() {}
