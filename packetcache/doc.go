// Package packetcache keeps the recent packets of one track, for retransmission and
// for starting newcomers at the last keyframe.
//
// A [Cache] is a ring indexed by unwrapped sequence number, so that storing,
// looking up and asking for a packet all take constant time, in whatever order
// packets arrive. It knows nothing of codecs beyond one flag, the start of a
// keyframe; what else its users must know of a packet travels with it as metadata.
//
// # Ownership
//
// A cache has one writer, the goroutine that receives the track, and any number of
// readers, which copy packets out. The writer reads each packet straight into the
// cache's spare buffer and trades that buffer for one of the ring: a packet is
// never copied in.
package packetcache
