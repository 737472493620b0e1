// Package testkit holds what tests of a whole server need: a client of its
// signalling protocol that sends and receives media, synthetic media that shows
// whether it arrived intact and in order, and servers in this process or
// another.
//
// It is for tests only and knows none of the server's own packages, so that
// both sides of the wire are written twice.
//
// # Ownership
//
// A [Client] owns its connections and goroutines; Close ends and awaits them.
// Whatever waits takes a context, and ends early when the client's connection
// ends. All methods may be called from any goroutine unless they say otherwise.
package testkit
