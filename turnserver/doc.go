// Package turnserver is the built-in TURN server: it relays media for clients
// that cannot reach the server, or each other, by themselves.
//
// A [Server] listens on each address that it is told to, for UDP, TCP and TLS
// on one port. TCP and TLS are told apart by the first byte.
//
// # Who may use it, and for what
//
// Clients identify themselves with credentials that [Server.Credentials] makes:
// they are valid for hours, and each client gets its own. How many relayed
// addresses there may be is bounded for each client, for each network address
// and altogether.
//
// A relay on a server is a way around its firewall. So clients may send to the
// server's media ports, to each other's relayed addresses, and to public
// addresses; other ports of the server, and addresses that are private,
// loopback, link-local, or otherwise not public, are out of reach unless the
// administrator names them. This holds for each packet in both directions, and
// ports count, whereas TURN itself knows only permissions for whole addresses.
//
// # Ownership
//
// A Server owns its sockets and goroutines, which end before Stop returns.
//
// # Specifications
//
//   - RFC 8656 (TURN), RFC 6156 in it (IPv6); not RFC 6062 (relayed TCP)
//   - draft-uberti-behave-turn-rest (time-limited credentials)
package turnserver
