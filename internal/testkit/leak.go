package testkit

import (
	"testing"

	"go.uber.org/goleak"
)

// VerifyNoLeaks is a package's whole TestMain: it runs the tests and fails if
// they leave goroutines behind.
func VerifyNoLeaks(m *testing.M) { goleak.VerifyTestMain(m) }

// IgnoreCurrentGoroutines remembers the goroutines that run now. The function
// it returns fails the test if others still run a while after it was called, so
// it suits tests that do not run in parallel with others.
func IgnoreCurrentGoroutines(tb testing.TB) (check func()) {
	tb.Helper()
	current := goleak.IgnoreCurrent()
	return func() {
		tb.Helper()
		goleak.VerifyNone(tb, current)
	}
}
