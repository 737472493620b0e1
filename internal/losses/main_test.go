// Package losses tests how media gets through the server over bad networks: real
// connections, of which each leg's network is simulated, a publisher that answers requests as
// browsers do, and a model of a browser's receiver that says what of each frame came of it.
//
// What is run with each test is a short form; GALENE_LOSSES=all runs the whole matrix and
// prints it as a table.
package losses

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
