// Package rtpconn carries media over WebRTC: up connections, on which a
// publisher sends one stream to the server, and down connections, on which the
// server forwards one stream to a subscriber.
//
// An [Engine] makes connections and closes them. An [Up] is a publisher's peer
// connection; it answers offers and implements conn.Up. A [Down] is a
// subscriber's; it makes offers, and takes packets from any conn.Up through
// conn.Sink. A [View] does the same, for any number of streams, for a subscriber that
// makes the offers itself.
// Streams are never transcoded.
//
// # A packet's way
//
// Each track of an up connection has one reader, which reads the packet into
// its cache, parses it once, keeps the books (losses, rates, the publisher's
// clock), and calls the sinks of all subscribers in turn. A subscriber's sink
// numbers the packet, builds its header and writes it. Nothing on this way
// allocates, logs, or takes a lock that two subscribers share.
//
// # Ownership
//
// The engine owns its connections. A connection owns its goroutines: they end
// and are awaited in its Close, and a panic in one of them ends that connection
// alone. A track's reader owns what is said to be the reader's; a track's lock
// guards the rest. Locks are taken in the order connection, track, subscriber's
// track, and no [Events] function is called while one is held.
//
// # Specifications
//
//   - RFC 3264 and RFC 8829 (offer and answer, JSEP), RFC 8843 (BUNDLE)
//   - RFC 8851, 8852 and 8853 (rids and simulcast)
//   - RFC 3550 (RTP and RTCP), RFC 4585 and RFC 5104 (feedback)
//   - draft-alvestrand-rmcat-remb (REMB)
//   - RFC 8445, 8838 and 8840 (ICE and trickling)
package rtpconn
