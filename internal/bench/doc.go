// Command bench measures what a server costs, beside the least that the same
// work can cost on the same machine in the same minutes. BENCHMARKS.md says
// what is measured, how, and how to read it; this package is started by
// "make bench", from the module's root.
//
// For each scenario it starts a fresh server in a process of its own, lets
// "galenectl load-test" in another process be the clients, and reads the
// server's use of the processor from /proc while that measures. The limit is
// measured likewise: two further processes of this same program,
//
//	bench limit   seals and sends what the scenario's server would send
//	bench drain   receives it
//
// Everything is run round by round, so that a slow minute of the machine
// strikes all of it, and medians are taken over the rounds.
//
// # Ownership
//
// The goroutine in [run] owns all results. Each child process is owned by the
// function that starts it, which also ends and awaits it. The package knows
// none of the server's packages: neither the limit nor the figures inherit
// their faults.
package main
