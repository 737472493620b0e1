package rtpconn

import "time"

// Bounds on what a peer can make the server hold or do.
const (
	maxSDP             = 128 << 10 // octets of one session description
	maxSections        = 32        // m-sections of one session description
	maxTracks          = 16        // RTP streams of one connection, encodings counted
	maxCandidates      = 64        // remote candidates between two session descriptions
	maxKnownCandidates = 512       // different remote candidates of one connection, in all
	maxCandidateText   = 1 << 10   // octets of one candidate
	maxIdentifier      = 255       // octets of a mid, rid or part of an msid

	// maxUpSources and maxDownSources bound the RTP sources that a peer may
	// send at a time, repairs and probes included; subscribers need none.
	// maxRTCPSources bounds the sources that its RTCP is about.
	maxUpSources   = 3*maxTracks + 8
	maxDownSources = 8
	maxRTCPSources = 512

	// maxRTPBuffer and maxRTCPBuffer bound what waits of one source, in octets.
	maxRTPBuffer  = 256 << 10
	maxRTCPBuffer = 16 << 10

	// maxPacket is the longest RTP or RTCP packet taken, in octets. It leaves
	// room for anything that fits an Ethernet frame.
	maxPacket = 1500
)

// gatheringTimeout bounds how long a further offer waits for our candidates of
// the last one.
const gatheringTimeout = 5 * time.Second

// gatheringLook is how often who waits for our candidates looks at the state.
const gatheringLook = 20 * time.Millisecond

// negotiationTimeout is how long an answer may take before the offer is
// repeated, and then again before the connection is given up.
const negotiationTimeout = 15 * time.Second

// defaultRoundTrip is assumed before ICE has measured one.
const defaultRoundTrip = 100 * time.Millisecond
