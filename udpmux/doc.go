// Package udpmux holds the UDP sockets under all connections: one port, one
// socket per address family, shared by every ICE agent of the server.
//
// # Sockets
//
// Each socket is bound to the wildcard address, and packet information (RFC
// 3542 §6.2 and its IPv4 counterpart) tells for every datagram which local
// address it came to and which it must leave from. A socket per local address
// would need no such information, but would have to be opened and closed as
// interfaces come and go, and would split what one burst sends.
//
// # Demultiplexing
//
// A STUN binding request goes to the agent whose user name fragment leads its
// USERNAME attribute (RFC 8445 §7.2.2), everything else to the agent that owns
// the address it came from. An agent comes to own an address by writing to it,
// which it does to check it or after it verified a check from there. It takes an
// address from another agent only if a binding request for it came from there.
// Within an agent, a datagram goes to the candidate whose address it was sent
// to.
//
// # Loopback
//
// A loopback address sends to loopback addresses only. Between two programs of
// one machine the system would carry datagrams from a loopback address to any
// other, and browsers differ in what they make of it: Firefox answers such
// checks but sends none back, so a pair that is valid here never becomes valid
// there, and once nominated it ends in neither success nor failure.
//
// # Ownership
//
// [Mux] owns its sockets and one reader goroutine for each, which never blocks
// on an agent: what an agent does not read in time is dropped and counted. Each
// [net.PacketConn] belongs to the candidate it was made for, which closes it.
// Locks are taken in the order Mux.mu, agent.mu, shard.mu; nothing is called
// under them. Sending and dispatching share none, save when an address changes
// hands.
package udpmux
