// Package layers decides which spatial and temporal layers of a video stream one
// subscriber is sent, and how the packets that are sent have to change for it.
//
// Encoders make streams of which parts can be left out. A [Selector] leaves out
// whole frames so that every frame that is sent can be decoded from others that
// were sent, and renumbers what remains: a receiver must not be able to tell the
// result from a stream that was encoded so. How far the selector should go is
// its [Target]; a [Chooser] picks that by what a subscriber can take.
//
// # Rules
//
// Whether a packet is sent is decided once for its frame, when the first packet
// of the frame is seen, and remembered for those that come out of order.
//
//   - Fewer temporal layers are sent from any picture on; more from one on at
//     which the sender allows it: VP8's Y bit, VP9's U bit or references, the
//     dependency descriptor's switch indication.
//   - Fewer spatial layers are sent from any picture on if all frames of the
//     lower layer have been sent; that, or more layers, is otherwise for the next key
//     picture. With a dependency descriptor its indications and chains tell.
//   - A picture's last packet that is sent has the marker bit.
//   - VP8 picture ids close over what is left out. Those of VP9 and the frame numbers of
//     dependency descriptors do not, because references are told as differences
//     between them. When the source changes all of them continue, and so do
//     TL0PICIDX and KEYIDX.
//
// # Ownership
//
// A Selector and a Chooser belong to one goroutine at a time. A [Target] may be set
// from any goroutine. Nothing here locks, calls out, or allocates after creation.
//
// # Specifications
//
//   - RFC 7741 §4.2 (VP8), RFC 9628 §3 and §4.2 (VP9)
//   - AOM "RTP Payload Format For AV1" 1.0 §A, dependency descriptor
//   - RFC 7667 §3.7, selective forwarding
package layers
