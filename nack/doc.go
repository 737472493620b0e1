// Package nack decides which lost packets of one track to ask its sender for, and when.
//
// A [Tracker] is told of each packet that arrives and says, when asked, which ones to request
// now. It waits a little for packets that are merely reordered, repeats a request at
// growing intervals of about a round trip, and gives up after some tries or some time.
// A frame whose end does not come is asked for without waiting for the next one to show the gap.
// When too much is missing, or much after a long silence, it forgets all of it: a keyframe serves better.
//
// # Ownership
//
// A Tracker belongs to one goroutine. It is pure: time is given to it in nanoseconds of any
// monotonic clock.
//
// # Specifications
//
//   - RFC 4585 §6.2.1, generic NACK
package nack
