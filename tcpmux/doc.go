// Package tcpmux accepts media over TCP, for clients whose UDP is blocked: ICE
// agents connect to passive candidates (RFC 6544), and their packets travel with
// the framing of RFC 4571.
//
// A [Mux] accepts connections for all ICE agents and tells them apart by user
// name. [Split] makes one port serve the web as well.
//
// # Ownership
//
// A Mux owns its listener, its connections and its goroutines, which end before
// Close returns. All methods may be called from any goroutine.
package tcpmux
