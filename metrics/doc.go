// Package metrics tells administrators what the server does: as the JSON of the
// administrative API, client by client and track by track, and as metrics of
// Prometheus, in sums.
//
// A [Collector] owns nothing that is measured. It asks the groups, the engine
// and the sockets when it is asked, and keeps nothing in between, so that
// nobody pays for statistics that nobody reads.
//
// # Privacy
//
// The JSON names groups and has the identifiers that clients have chosen; it is
// for the server's administrators. Metrics go into databases that many can
// read: they never name a user, a client or an address, and groups only if that
// is asked for. Nor does the number of time series depend on who is there,
// unless groups are named, and then it has a bound.
//
// # Specifications
//
//   - RFC 3550 §6.4 (loss and jitter), RFC 4585 (NACK and PLI), RFC 5104 (FIR)
//   - the text format of Prometheus, and OpenMetrics 1.0
package metrics
