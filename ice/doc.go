// Package ice says which ICE servers clients and the server's own connections
// use, and tests that media can be relayed.
//
// A [Source] reads the file data/ice-servers.json, follows its changes, derives
// time-limited credentials, and starts and stops the built-in TURN server,
// which it knows as a [Relay].
//
// # Ownership
//
// A Source owns the goroutines of Run, which end before Run returns. It starts
// the relay and stops it, but does not make it. What it returns belongs to the
// caller.
//
// # Specifications
//
//   - RFC 7064 and RFC 7065 (stun, stuns, turn and turns URIs)
//   - W3C WebRTC §4.2 (RTCConfiguration and RTCIceServer)
//   - draft-uberti-behave-turn-rest (time-limited credentials)
package ice
