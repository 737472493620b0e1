// Package packetmap numbers the packets sent to one subscriber, and remembers which packet
// went out under which number.
//
// A subscriber must see one stream with contiguous sequence numbers although
// packets are left out deliberately, as when a temporal layer is dropped, and
// although the source changes, as between the encodings of a simulcast. What was lost on the
// way in, on the other hand, must leave a hole, both to be noticed and to be
// filled if it comes late. A [Map] makes up the outgoing numbers accordingly, and
// translates them back for retransmissions by a ring of the last ones, which is exact
// whatever was dropped or switched in between.
//
// # Ownership
//
// A Map belongs to one goroutine. It has no locks, and allocates nothing after [New], but for the first retransmission.
//
// # Specifications
//
//   - RFC 3550 §5.1, sequence numbers
//   - RFC 3711 §3.3.1: no number is ever used for two different packets
package packetmap
