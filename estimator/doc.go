// Package estimator measures rates and derives from feedback what a track may use.
//
// [Rate] is the packet and byte rate of a track. [Loss] and [REMB] are what a subscriber's
// reports allow one of its tracks, together [Allowance]; [Cap] is what a publisher
// may send for them.
//
// All rates are in bits per second. Time is given as instants.
//
// # Ownership
//
// Stated with each type; nothing here starts a goroutine or calls out under a lock.
//
// # Specifications
//
//   - RFC 3550 §6.4.1, fraction lost
//   - draft-alvestrand-rmcat-remb-03, receiver estimated maximum bitrate
//   - draft-ietf-rmcat-gcc-02 §6, rate by loss
package estimator
