// Package loadtest loads a videoconference server with publishers, subscribers and groups, and measures what comes
// through: packets, loss, delay, and how long it takes to join. It works with every server of the Galène protocol
// and relies on nothing else.
//
// # How it measures
//
// Publishers send synthetic VP8 and Opus whose payloads carry a pattern, the number of their stream, and the time
// at which they were sent. A receiver counts every packet by its cleartext RTP header, before Pion has seen it; on Linux
// the system has dated it. One packet in [Scenario.Verify] is passed on to Pion, which decrypts it; it is compared with what
// was sent, and gives the delay between sending and arrival. So receiving costs less than serving, and the
// load's own queues are not measured.
//
// Each peer connection has a UDP port of its own, like the browsers it stands for: a server that keeps all media on
// one port could not tell connections from one address apart.
//
// # Ownership
//
// [Run] owns everything and has ended it all when it returns. Each client is a goroutine that reads its WebSocket and
// owns its connections. On Linux one goroutine reads all ports and sends for all publishers and receivers; elsewhere each
// port has its reader.
//
// # Specifications
//
//   - RFC 3550, RTP; §6.4.2, receiver reports; appendix A, loss and jitter
//   - RFC 4585 §6.2.1, generic NACK
//   - RFC 7741, VP8 over RTP; RFC 6716 §3.1, Opus
//   - draft-alvestrand-rmcat-remb-03
package loadtest
