// Package jitter keeps the reception statistics of one RTP source, and relates the clocks of a
// publisher to the one of this process.
//
// [Statistics] yields the figures of report blocks. [TrackClock] maps a track's RTP
// timestamps to local time by the publisher's sender reports; the tracks of one stream share a
// [StreamClock], which removes the difference between the publisher's wall clock and
// ours, however large, and keeps what separates the tracks. [RoundTrip] reads a
// round-trip time from a report block.
//
// # Ownership
//
// Statistics belongs to one goroutine. The clocks may be used from any.
//
// # Specifications
//
//   - RFC 3550 §6.4, sender and receiver reports
//   - RFC 3550 appendices A.1, A.3 and A.8, expected packets, loss and jitter
package jitter
