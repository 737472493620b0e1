// Package udpmux shares one UDP port among all connections: it tells apart what
// arrives, for every ICE agent of the server and for those who take media beside
// their agent.
//
// # Demultiplexing
//
// A STUN binding request goes to the agent whose user name fragment leads its
// USERNAME attribute (RFC 8445 §7.2.2), everything else to the agent that owns
// the address it came from. An agent comes to own an address by writing to it,
// which it does to check it or after it verified a check from there. It takes an
// address from another agent only if a binding request for it came from there, or
// if both are generations of one connection: have the same receiver. Within an
// agent, a datagram goes to the candidate whose address it was sent to.
//
// # Receivers
//
// A [Receiver] takes the RTP packets of one connection (told from the rest as in
// RFC 7983 §7 and RFC 5761 §4) straight from the goroutine that reads the socket,
// without a copy, a queue or another goroutine in between, and may answer each
// burst with a batch of its own. What it does not take goes to the agent's queue,
// as do STUN, DTLS and RTCP.
//
// An ICE restart closes the candidates of the old generation while media still
// flows to and from the old addresses. An agent with a receiver therefore keeps
// its addresses when its last candidate has closed, until its receiver is removed
// or another agent comes to own them.
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
// hands. A receiver is called while its handler's gate is held open, which only
// its removal waits for.
package udpmux
