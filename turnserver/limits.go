package turnserver

import (
	"time"

	"galene/netlimit"
)

// A browser makes a connection for each stream, and on each of them a relayed
// address for each of our URLs and each of its network interfaces. These bounds
// leave room for a client that sees some thirty streams, and for an office of
// such clients behind one address.
const (
	maxAllocationsPerClient = 256
	maxAllocationsPerSource = 2048
	maxAllocations          = 8192
)

// Bounds of one allocation. An ICE agent needs one permission for each address
// of its peer, and one channel for each pair of candidates in use.
const (
	maxPermissions = 128
	maxChannels    = 128
)

// maxSites bounds the addresses that the server listens on.
const maxSites = 16

// streamLimits bounds the TCP connections to one of our addresses.
var streamLimits = netlimit.Limits{Total: maxAllocations, Source: maxAllocationsPerSource}

const (
	// helloTimeout bounds the time to a TCP connection's first byte, and that of
	// a TLS handshake.
	helloTimeout = 10 * time.Second
	// newTimeout bounds the silence on a TCP connection before there is an
	// allocation on it.
	newTimeout = 30 * time.Second
	// idleTimeout bounds it after that: permissions expire after five minutes, so
	// a client that is still there refreshes them.
	idleTimeout = 15 * time.Minute
	// sendTimeout bounds how long a client on TCP may take none of its data.
	sendTimeout = 10 * time.Second
	// stopTimeout bounds the wait for everything to have ended.
	stopTimeout = 5 * time.Second
)

// maxFrame bounds a message or packet from a client, with everything around it;
// Pion's buffer is one byte longer. Media packets are smaller than an Ethernet frame.
const maxFrame = 1599

const (
	// credentialLifetime is how long new allocations may be made with
	// credentials. A client gets them when it joins, and stays for a meeting.
	credentialLifetime = 12 * time.Hour
	// refreshLifetime is how long an existing allocation may be kept up with
	// credentials that have expired: nobody is to be cut off while talking.
	refreshLifetime = 12 * time.Hour
	// maxUsername bounds a user name: no longer ones are ours.
	maxUsername = 64
)
