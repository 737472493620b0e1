package pionlog

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestPeersCannotFillTheLogThroughPion(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	f := New(slog.New(slog.NewTextHandler(&b, nil)))
	for range 1000 { // each connection has loggers of its own
		f.NewLogger("ice").Error("packet")
		f.NewLogger("pc").Errorf("packet %d", 1)
	}
	if n := strings.Count(b.String(), "level=WARN"); n != maxComplaints {
		t.Errorf("%d errors were logged, want %d", n, maxComplaints)
	}
}
