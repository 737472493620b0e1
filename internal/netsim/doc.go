// Package netsim simulates a bad network between two real programs: it loses, delays,
// reorders, duplicates and queues the packets of a UDP socket as told, each direction on
// its own, with chances that a seed decides.
//
// A [Path] is the pure part: it says of each packet of one direction when it arrives, if it does. A
// [Conn] is a socket whose packets travel by two paths, one out and one in.
//
// It is for tests only.
//
// # Ownership
//
// A Path belongs to one goroutine; time is given to it. A Conn owns its socket and its goroutines,
// which Close ends and awaits; its methods may be called from any goroutine.
package netsim
