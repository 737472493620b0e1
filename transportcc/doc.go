// Package transportcc tells a sender when each of its packets arrived, whatever
// their sources, so that it can estimate what the network between can carry.
//
// A [Recorder] is told of each packet that has a transport-wide sequence number, and
// says from time to time what came since: arrivals and losses.
//
// # Ownership
//
// A Recorder belongs to one goroutine at a time. It is pure: time is given to it.
//
// # Specifications
//
//   - draft-holmer-rmcat-transport-wide-cc-extensions-01 §3, the feedback message
package transportcc
