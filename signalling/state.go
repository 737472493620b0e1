package signalling

// state is how far a session has come.
//
//	             handshake              joined
//	connected ──────────────▶ greeted ──────────▶ member
//	    │                      │   ▲                │
//	    │                      │   └────────────────┤
//	    │ ended                │ ended      left    │ ended
//	    ▼                      ▼                    ▼
//	  over ◀──────────────── over ◀──────────────  over
//
// A session has an identity in a group, with permissions, only as a member.
type state uint8

const (
	connected state = iota // nothing but a handshake is acceptable
	greeted                // no group: may join one
	member                 // in a group
	over                   // closing; nothing is read
)

// transition is what moves a session from one state to another.
type transition uint8

const (
	handshaken transition = iota
	joinedGroup
	leftGroup
	ended
)

// next returns the state after t, and whether t is possible in s.
func (s state) next(t transition) (state, bool) {
	switch {
	case t == ended:
		return over, true
	case s == connected && t == handshaken:
		return greeted, true
	case s == greeted && t == joinedGroup:
		return member, true
	case s == member && t == leftGroup:
		return greeted, true
	}
	return s, false
}

func (s state) String() string {
	return [...]string{"connected", "greeted", "member", "over"}[min(s, over)]
}
