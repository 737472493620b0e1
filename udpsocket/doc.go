// Package udpsocket holds the UDP sockets of one port, read and written in
// batches: one system call carries many datagrams, and where the system can
// segment, neighbours of one size to one destination cross its network stack as
// one.
//
// # Sockets
//
// Each socket is bound to the wildcard address of one family, and packet
// information (RFC 3542 §6.2 and its IPv4 counterpart) tells for every datagram
// which local address it came to and which it must leave from. A socket per
// local address would need no such information, but would have to be opened and
// closed as interfaces come and go, and would split what one burst sends.
//
// Several sockets of one family may share the port, so that as many goroutines
// receive: the system gives all datagrams of one remote address to the same one.
// Any of them may send.
//
// # Fall-backs
//
// On Linux, what the kernel lacks is found out when a socket is opened or when a
// call fails, and done without: segmentation per destination, because paths
// differ in what they carry; batches per socket. Elsewhere each datagram is a
// system call.
//
// Datagrams longer than the path carries are left to the system to fragment.
// To forbid that would lose them for good: media cannot be made to fit.
//
// # Ownership
//
// [Socket] and [Destination] may be used from any goroutine. A [Reader] and a
// [Batch] belong to one goroutine each. No call of this package waits longer than
// 20 milliseconds, but for [Reader.Read].
package udpsocket
