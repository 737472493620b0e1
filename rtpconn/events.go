package rtpconn

// Events tell the owner of a connection what happened to it. Any field may be
// nil. The functions are called from any goroutine; they must not block and
// must not call back into the connection. None is called after Close returned.
type Events struct {
	// Candidate has one of our ICE candidates for the peer. It may come
	// before the call that made the description it belongs to has returned,
	// but must reach the peer after that description.
	Candidate func(Candidate)
	// Failed tells that ICE lost the peer. A down connection should then be
	// offered anew by Offer(true); the publisher of an up connection should
	// be asked for an offer with an ICE restart.
	Failed func()
	// Moved tells that the peer of a down connection speaks from another address
	// and no longer from the one that is sent to. It should be offered anew by
	// Offer(true).
	Moved func()
	// Changed tells that an up connection's Tracks, or the Format of one of
	// them, has changed. Subscribers should select again.
	Changed func()
	// Renegotiate tells that the offer of a down connection is long overdue
	// for an answer. Offer(true) then gives it once more.
	Renegotiate func()
	// Broken tells that the connection cannot go on: the peer has closed it,
	// never answered an offer, or ran into a fault of ours. All that is left
	// to do is to close it. It is called at most once.
	Broken func(error)
}
