// Package signalling serves the WebSocket protocol: it reads the messages of
// clients, changes groups and media connections on their behalf, and tells each
// client what happened.
//
// A [Server] runs one session per client. A session takes messages from a
// [Pipe], which is a WebSocket in production and memory in tests.
//
// Who has no signalling channel gets an [HTTPSession] instead, which publishes one
// stream (WHIP) or watches those of others (WHEP).
//
// # Ownership
//
// A session that is silent has one goroutine, the reader. It decodes messages and
// hands them over through a short channel, so that a client that sends faster
// than it is served is held up by TCP. What has arrived is handled in turns, of
// which there is at most one at a time, on a goroutine that ends when there is
// nothing more to do; the turns own all of the session's state. Handlers, group
// events and media events run there, one after another. What they have to say is
// written in one piece at the end of a step: by the turn itself if it is little,
// and otherwise by a goroutine that lives until the queue is empty. The queue is
// bounded; a client that does not drain it is dropped, and nobody else waits for
// it. Everything that happens elsewhere arrives through mailboxes: posting to them
// blocks nobody. A panic ends the session in which it happened and no other.
//
// An HTTP session has one goroutine, which handles what happens to it. Requests
// run in those of the web server, one at a time for each session.
//
// # Specifications
//
//   - RFC 6455, WebSocket
//   - RFC 8259, JSON
//   - RFC 8829 and RFC 8838, offers, answers and trickled candidates as carried
//     by the messages offer, answer and ice
//   - RFC 9725, WHIP, and draft-ietf-wish-whep, with fragments of RFC 8840
package signalling
