package rtpconn

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/pion/webrtc/v4"

	"galene/srtp"
	"galene/udpmux"
	"galene/udpsocket"
)

// lane is a connection's way for RTP beside Pion's stack: protected by us and
// exchanged with the mux directly, which takes a fraction of the work. Signalling,
// ICE, DTLS and RTCP remain with Pion.
//
//	         connected, we are         pair through
//	         DTLS server               the mux
//	Closed ────────────────▶ Keyed ◀───────────────▶ Open
//	                                  relay, TCP
//
// The lane is open while both the keys and a route to the peer are known. When it
// is not, packets go Pion's way; nobody but the egress and the mux needs to know.
// It is looked at when the connection comes up and whenever ICE selects another
// pair. While ICE restarts there is no pair, and the last route serves.
type lane struct {
	// Immutable.
	mux       *udpmux.Mux // nil: the lane never opens
	direction direction
	handshake handshake

	route atomic.Pointer[udpsocket.Destination] // nil: not open

	following sync.Mutex // held by who looks at the connection, so that the last look counts

	mu     sync.Mutex // guards the fields below
	keyed  bool       // the handshake has been looked at
	closed bool
	sealer *srtp.Sealer // of a down connection; the tracks' are clones
	opener *srtp.Opener // of an up connection
}

// follow brings the lane in line with the state of the connection. It returns the
// local user name fragment of ICE, if there are keys.
//
// It must not be called by one of ICE's own goroutines: ICE awaits these when it
// closes, while it holds what is asked here.
func (l *lane) follow(pc *webrtc.PeerConnection) (ufrag string, keyed bool) {
	if l.mux == nil {
		return "", false
	}
	l.following.Lock()
	defer l.following.Unlock()
	transport := pc.SCTP().Transport().ICETransport()
	pair, err := transport.GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return "", false
	}
	parameters, err := transport.GetLocalParameters()
	if err != nil {
		return "", false
	}
	route := l.find(parameters.UsernameFragment, pair)

	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || !l.derive(pc) {
		return "", false
	}
	l.route.Store(route)
	return parameters.UsernameFragment, true
}

// wanting tells whether the lane is not open and may yet be: news of ICE come at
// once, but the mux may hear of an address a moment later.
func (l *lane) wanting(pc *webrtc.PeerConnection) bool {
	if l.mux == nil || l.route.Load() != nil || pc.ConnectionState() != webrtc.PeerConnectionStateConnected {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.closed && (!l.keyed || l.sealer != nil || l.opener != nil)
}

// find returns the route of a pair, or nil if it does not lead through the mux.
func (l *lane) find(ufrag string, pair *webrtc.ICECandidatePair) *udpsocket.Destination {
	if pair.Local.Typ == webrtc.ICECandidateTypeRelay ||
		pair.Local.Protocol != webrtc.ICEProtocolUDP || pair.Remote.Protocol != webrtc.ICEProtocolUDP {
		return nil
	}
	local, _ := netip.ParseAddr(pair.Local.Address) // may be another's, or a name
	remote, err := netip.ParseAddr(pair.Remote.Address)
	if err != nil {
		return nil
	}
	route, ok := l.mux.Route(ufrag, local, netip.AddrPortFrom(remote, pair.Remote.Port))
	if !ok {
		return nil
	}
	return route
}

// derive takes the keys of a connection whose handshake is complete. The caller
// holds the lock. It reports whether there are keys.
func (l *lane) derive(pc *webrtc.PeerConnection) bool {
	if l.keyed || pc.ConnectionState() != webrtc.PeerConnectionStateConnected {
		return l.sealer != nil || l.opener != nil
	}
	l.keyed = true
	keys := l.handshake.keys()
	if keys == nil {
		return false
	}
	defer keys.Wipe()
	var err error
	if l.direction == downward {
		l.sealer, err = keys.NewSealer(true)
	} else {
		l.opener, err = keys.NewOpener(false)
	}
	return err == nil
}

// newSealer returns a sealer for one goroutine at a time, or nil while there are
// no keys.
func (l *lane) newSealer() *srtp.Sealer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.sealer == nil {
		return nil
	}
	sealer, err := l.sealer.Clone()
	if err != nil {
		return nil
	}
	return sealer
}

// theOpener returns the one opener of the connection, nil if there is none.
func (l *lane) theOpener() *srtp.Opener {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opener
}

// close wipes the keys. Nobody may be sealing or opening any more.
func (l *lane) close() {
	l.route.Store(nil)
	l.handshake.wipe()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.sealer != nil {
		l.sealer.Wipe()
	}
	if l.opener != nil {
		l.opener.Wipe()
	}
	l.sealer, l.opener = nil, nil
}
