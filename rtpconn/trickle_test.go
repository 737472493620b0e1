package rtpconn

import (
	"sync"

	"github.com/pion/webrtc/v4"
)

// trickle carries candidates one way, as signalling does: behind the
// description that they belong to.
type trickle struct {
	deliver func(Candidate)

	mu      sync.Mutex // guards the fields below
	open    bool
	waiting []Candidate
}

// send passes c on, now or after release.
func (t *trickle) send(c Candidate) {
	t.mu.Lock()
	open := t.open
	if !open {
		t.waiting = append(t.waiting, c)
	}
	t.mu.Unlock()
	if open {
		t.deliver(c)
	}
}

// hold keeps candidates back, as a description is on its way.
func (t *trickle) hold() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = false
}

// release lets them follow the description.
func (t *trickle) release() {
	t.mu.Lock()
	waiting := t.waiting
	t.open, t.waiting = true, nil
	t.mu.Unlock()
	for _, c := range waiting {
		t.deliver(c)
	}
}

// trickleTo returns a trickle to a peer connection.
func trickleTo(pc *webrtc.PeerConnection) *trickle {
	return &trickle{deliver: func(c Candidate) { _ = pc.AddICECandidate(webrtc.ICECandidateInit(c)) }}
}

// trickleFrom returns a trickle from pc to a connection of ours.
func trickleFrom(pc *webrtc.PeerConnection, add func(Candidate) error) *trickle {
	t := &trickle{deliver: func(c Candidate) { _ = add(c) }}
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c != nil {
			t.send(candidateFromPion(c))
		}
	})
	return t
}
