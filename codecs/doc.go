// Package codecs holds what the server knows of payload formats: the names and
// parameters it negotiates, and the reading and rewriting of RTP payloads on
// the path of each packet.
//
// A [Format] is one codec as it stands in a session description. A [Parser]
// reads one received payload, once, into a [Frame]; whoever forwards the packet
// afterwards decides on the Frame and never looks at the payload again, except
// to rewrite the fields whose places the Frame tells.
//
// # Ownership
//
// All functions are pure: they keep no reference to their arguments, hold no
// state, and may be called from any goroutine. What has to be remembered from one
// dependency descriptor to the next is in a [Structure], which its caller owns. Parsers and rewriters allocate
// nothing, and never panic whatever a peer sends.
//
// # Specifications
//
//   - RFC 8866 §6.6 and §6.15, rtpmap and fmtp; RFC 3551 §6, static types
//   - RFC 4585 §4.2, RFC 5104 §7.1, feedback; RFC 8285 and RFC 8852, extensions
//   - RFC 3550 §5.1, padding
//   - RFC 7741 (VP8), RFC 9628 (VP9), RFC 6184 (H.264)
//   - AOM "RTP Payload Format For AV1" 1.0 §4.4, and §A.8, the dependency
//     descriptor, which serves other codecs too; AV1 bitstream §5.3, §5.5, §5.9
//   - ITU-T H.264 §7.3.2.1, §7.4.1.2.3
package codecs
