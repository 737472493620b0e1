// Package webserver is the HTTP side of the server: the web client's files,
// the pages and the status of groups, the list of public groups, recordings, the
// administration of groups, statistics, and the doors to the signalling protocol,
// WHIP and WHEP. It also chooses the certificate, opens the listening socket, and
// finds out from where requests come that pass through a proxy.
//
// # Ownership
//
// A [Server] owns its HTTP server and the goroutines of its connections, which
// end with [Server.Shutdown]; WebSockets are handed over to signalling, which
// ends them itself. It keeps nothing about groups: each request asks the
// registry, and no request creates state there.
//
// # Specifications
//
//   - RFC 9110 and RFC 9111, HTTP semantics and caching
//   - RFC 9725, WHIP, and draft-ietf-wish-whep, its counterpart for viewers
//   - RFC 6750 and RFC 7617, tokens and passwords in requests
//   - the PROXY protocol, versions 1 and 2
//   - RFC 6454, web origins, and the Fetch standard for cross-origin requests
//   - Content Security Policy Level 3
package webserver
