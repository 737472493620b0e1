package rtpconn

import "galene/rtptime"

// negotiationState is where a down connection stands in offer/answer (RFC 3264
// §4). At most one offer is outstanding; what changes meanwhile is remembered,
// however often.
//
//	           offer                     offer
//	Stable ───────────▶ Offering ──────────────────▶ Pending
//	 ▲ ▲ ▲                 │  │                       │  │
//	 │ │ └──── answer ─────┘  │ offer with restart    │  │ offer with restart
//	 │ │                      ▼                       │  │
//	 │ │               PendingRestart ◀───────────────┼──┘
//	 │ │                      │                       │
//	 │ └─ answer, again with restart                  │
//	 └────────────────────────────────── answer, again┘
type negotiationState uint8

const (
	stable         negotiationState = iota // no offer is outstanding
	offering                               // one is
	pending                                // one is, and another must follow
	pendingRestart                         // one is, and another with an ICE restart must follow
)

// offer returns the state after an offer was wanted, and whether it is to be
// made now.
func (s negotiationState) offer(restart bool) (next negotiationState, now bool) {
	switch s {
	case stable:
		return offering, true
	case offering, pending:
		if restart {
			return pendingRestart, false
		}
		return pending, false
	default:
		return pendingRestart, false
	}
}

// answer tells what follows an answer, after which the state is stable. ok is
// false if none was expected; again tells that another offer must be made, restart that it must
// restart ICE.
func (s negotiationState) answer() (again, restart, ok bool) {
	switch s {
	case offering:
		return false, false, true
	case pending:
		return true, false, true
	case pendingRestart:
		return true, true, true
	default:
		return false, false, false
	}
}

// negotiation adds what the state does not tell: the restart that is owed to
// the next offer, and patience. It has no lock and reads no clock.
type negotiation struct {
	state    negotiationState
	restart  bool            // the next offer must restart ICE
	deadline rtptime.Instant // for the answer; 0 if none is expected
	warned   bool            // the deadline has passed once
	overdue  bool            // the offer is to be repeated as it is
	repeated bool            // it was, so that it may be answered twice
	answered bool            // the first of these answers has come
}

// verdict is what a deadline that passed calls for.
type verdict uint8

const (
	patience verdict = iota // nothing: there is time
	repeat                  // the offer should be sent again
	giveUp                  // the peer does not answer
)

// offer decides on an offer that is wanted at now: to make it (with restart or
// not), to repeat the one that is outstanding, or neither.
func (n *negotiation) offer(restart bool, now rtptime.Instant) (doRestart, make, again bool) {
	if n.overdue {
		n.overdue, n.repeated = false, true
		return false, false, true
	}
	next, make := n.state.offer(restart)
	n.state = next
	if make {
		doRestart = restart || n.restart
		n.restart = false
		n.deadline, n.warned = now.Add(negotiationTimeout), false
	}
	return doRestart, make, false
}

// answer takes note of an answer. again tells that an offer must follow.
func (n *negotiation) answer() (again, ok bool) {
	again, restart, ok := n.state.answer()
	if !ok {
		return false, false
	}
	*n = negotiation{state: stable, restart: restart, repeated: n.repeated, answered: n.answered}
	return again, true
}

// isSecond tells whether an answer is the second one to an offer that was repeated:
// of a peer that was slow, not gone, and has found both. Answers come in the
// order of the offers.
func (n *negotiation) isSecond() bool {
	second := n.repeated && n.answered
	n.answered = n.repeated && !second
	n.repeated = n.repeated && !second
	return second
}

// check looks at the deadline.
func (n *negotiation) check(now rtptime.Instant) verdict {
	switch {
	case n.deadline == 0 || now < n.deadline:
		return patience
	case n.warned:
		n.deadline = 0
		return giveUp
	default:
		n.warned, n.overdue = true, true
		n.deadline = now.Add(negotiationTimeout)
		return repeat
	}
}
