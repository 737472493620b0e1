//go:build !unix

package main

// fileLimit returns how many files this process may have open at once, and
// whether that is known.
func fileLimit() (uint64, bool) { return 0, false }
