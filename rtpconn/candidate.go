package rtpconn

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"

	"github.com/pion/webrtc/v4"
)

// Candidate is an ICE candidate in the form of a browser's RTCIceCandidateInit.
type Candidate struct {
	Candidate        string
	SDPMid           *string
	SDPMLineIndex    *uint16
	UsernameFragment *string
}

// candidateFromPion describes one of our own candidates.
func candidateFromPion(c *webrtc.ICECandidate) Candidate {
	return Candidate(c.ToJSON())
}

// candidateBuffer passes the remote peer's candidates on, and keeps those that
// come before its session description. Any goroutine may use it.
type candidateBuffer struct {
	mu      sync.Mutex // guards the fields below
	ready   bool       // a remote description was applied
	count   int        // candidates since the last description
	waiting []Candidate
	known   map[[sha256.Size]byte]struct{} // digests of all that were ever passed on
}

// admit reports whether a candidate, in a description or by itself, may be
// passed on: ICE keeps and checks each until it is restarted, and later
// descriptions can bring more and more.
func (b *candidateBuffer) admit(candidate string) bool {
	hash := sha256.Sum256([]byte(strings.TrimPrefix(candidate, "candidate:")))
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.known[hash]; ok {
		return true
	}
	if len(b.known) >= maxKnownCandidates {
		return false
	}
	if b.known == nil {
		b.known = make(map[[sha256.Size]byte]struct{})
	}
	b.known[hash] = struct{}{}
	return true
}

// add passes c to apply, now or in [candidateBuffer.flush]. Candidates beyond
// the bound are refused, so that a peer cannot make ICE check for ever.
func (b *candidateBuffer) add(c Candidate, apply func(Candidate) error) error {
	if c.Candidate == "" {
		return nil // the end of candidates (RFC 8838 §13), of no use to us
	}
	if len(c.Candidate) > maxCandidateText {
		return fmt.Errorf("rtpconn: candidate of %d octets", len(c.Candidate))
	}
	if !b.admit(c.Candidate) {
		return fmt.Errorf("rtpconn: more than %d candidates in all", maxKnownCandidates)
	}
	b.mu.Lock()
	if b.count >= maxCandidates {
		b.mu.Unlock()
		return fmt.Errorf("rtpconn: more than %d candidates", maxCandidates)
	}
	b.count++
	if !b.ready {
		b.waiting = append(b.waiting, c)
		b.mu.Unlock()
		return nil
	}
	b.mu.Unlock()
	return apply(c)
}

// flush tells that a remote description was applied, and passes on what has
// waited for it. What apply refuses is lost, as it would be in a browser.
func (b *candidateBuffer) flush(apply func(Candidate) error) {
	b.mu.Lock()
	waiting := b.waiting
	b.ready, b.count, b.waiting = true, 0, nil
	b.mu.Unlock()
	for _, c := range waiting {
		_ = apply(c)
	}
}
