package rtpconn

import (
	"bytes"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
)

// How long the selected pair must have been silent before a request from elsewhere
// means that the peer is there now. Peers look after pairs that they do not use, too.
// A pair that is in use has answers to our own requests every other second, and
// most have more; but a request that comes from the same candidate of the peer
// from another address means that a NAT has bound it anew (RFC 8445 §7.3.1.3), and
// then no more comes from the old one.
const (
	reboundAfter   = time.Second
	elsewhereAfter = 5 * time.Second
)

// rebinding follows a peer whose address changes while ICE has a pair selected, as
// happens when a NAT forgets it. Pion never leaves a selected pair by itself until
// the connection has failed, which takes half a minute.
//
//	          request on the              request from elsewhere,
//	          selected pair               selected pair silent
//	Unknown ─────────────────▶ Settled ───────────────────────────▶ the pair was checked: selects it
//	   ▲                          │                                  otherwise: moved, once
//	   └──── another pair ────────┘
//
// Media must go nowhere that has not answered (RFC 8445 §12.1). Where the peer is
// the controlling agent Pion checks each pair that a request comes on. Where we are
// it checks no more, once one is selected: that takes an ICE restart.
type rebinding struct {
	moved func() // asks for an ICE restart; must not block

	mu            sync.Mutex // guards the fields below
	local, remote netip.AddrPort
	candidate     ice.Candidate // the remote one of the selected pair; nil: no request yet
	username      []byte        // of its last request; another generation has others
	priority      ice.PriorityAttr
	told          netip.AddrPort // for whom moved was called last
}

// observe has the settings of a connection tell r of the peer's requests.
func (r *rebinding) observe(s *webrtc.SettingEngine) { s.SetICEBindingRequestHandler(r.request) }

// selected notes which pair ICE has selected.
func (r *rebinding) selected(pair *webrtc.ICECandidatePair) {
	local, remote := addressOf(pair.Local), addressOf(pair.Remote)
	r.mu.Lock()
	defer r.mu.Unlock()
	if local == r.local && remote == r.remote {
		return
	}
	r.local, r.remote, r.candidate, r.told = local, remote, nil, netip.AddrPort{}
}

// request is called by Pion in the agent's own goroutine with each request that is
// authentic. It must not ask the agent anything. It reports whether the pair that
// the request came on is to be selected.
func (r *rebinding) request(m *stun.Message, local, remote ice.Candidate, pair *ice.CandidatePair) bool {
	from, to := addressOfCandidate(remote), addressOfCandidate(local)
	username, _ := m.Get(stun.AttrUsername)
	var priority ice.PriorityAttr
	_ = priority.GetFrom(m) // zero if there is none
	r.mu.Lock()
	defer r.mu.Unlock()
	if from == r.remote && to == r.local {
		r.candidate, r.username, r.priority = remote, bytes.Clone(username), priority
		return false
	}
	if r.candidate == nil || !bytes.Equal(username, r.username) {
		return false
	}
	silence := elsewhereAfter
	if to == r.local && priority == r.priority {
		silence = reboundAfter
	}
	if time.Since(r.candidate.LastReceived()) < silence {
		return false
	}
	if pair.ResponsesReceived() > 0 {
		return true
	}
	if r.told != from && r.moved != nil {
		r.told = from
		r.moved()
	}
	return false
}

// addressOf returns the address of a candidate, invalid if it is a name.
func addressOf(c *webrtc.ICECandidate) netip.AddrPort {
	a, _ := netip.ParseAddr(c.Address)
	return netip.AddrPortFrom(a.Unmap(), c.Port)
}

func addressOfCandidate(c ice.Candidate) netip.AddrPort {
	a, _ := netip.ParseAddr(c.Address())
	return netip.AddrPortFrom(a.Unmap(), uint16(c.Port()))
}
