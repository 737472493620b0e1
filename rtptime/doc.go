// Package rtptime holds the notions of time and order that media needs: instants
// of this process's monotonic clock, NTP timestamps, ticks of an RTP clock, and
// the unwrapping of sequence numbers and timestamps to 64 bits.
//
// # Ownership
//
// [Instant] and [NTP] are plain values. An unwrapper belongs to one goroutine.
// [Now] is the only function that reads a clock; everything else is pure.
//
// # Specifications
//
//   - RFC 3550 §4, NTP timestamps and their middle 32 bits
//   - RFC 3550 §5.1 and appendix A.1, sequence numbers and timestamps
//   - RFC 5905 §6, eras
package rtptime
