package rtpconn

import (
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"
)

// hastenAfter are the times after an answer at which ICE is made to look whether a
// pair of candidates works that it could nominate.
var hastenAfter = [...]time.Duration{ //nolint:gochecknoglobals // constant
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 90 * time.Millisecond, 140 * time.Millisecond,
}

// maxBindingRequests is how often a pair is checked before it is given up. It is
// Pion's number and what hastening adds, so that slow peers have as long as ever.
const maxBindingRequests = 7 + uint16(len(hastenAfter))

// hasten shortens the time until ICE has nominated a pair. Pion's agent looks five
// times a second whether one works, and whenever it hears of a candidate: so it is
// told of some that are of no use. One of passive TCP makes no pair and no packet
// as long as we do not connect to such.
func (p *peer) hasten() {
	begun := time.Now()
	timer := time.NewTimer(hastenAfter[0])
	defer timer.Stop()
	for i, after := range hastenAfter {
		timer.Reset(after - time.Since(begun))
		select {
		case <-timer.C:
		case <-p.ctx.Done():
			return
		}
		if p.pc.ICEConnectionState() != webrtc.ICEConnectionStateChecking {
			if p.pc.ICEConnectionState() != webrtc.ICEConnectionStateNew {
				return
			}
			continue
		}
		none := fmt.Sprintf("candidate:%d 1 tcp 1 192.0.2.1 %d typ host tcptype passive", i+1, i+1) // RFC 5737
		if err := p.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: none}); err != nil {
			p.log.Debug("hastening", "error", err)
			return
		}
	}
}
