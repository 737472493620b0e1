package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestLongValuesAreCutInTheLog(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 1<<19)
	for _, value := range []any{long, errors.New(long)} {
		var b bytes.Buffer
		newLogger(&b).Info("message", "value", value, "time taken", time.Second, "after", "all of it")
		if b.Len() > 2*maxLogged {
			t.Errorf("%T of %d bytes: %d bytes were logged", value, len(long), b.Len())
		}
		for _, part := range []string{"msg=message", "ééé", "1048576 bytes", "after=\"all of it\"", "time taken\"=1s"} {
			if !strings.Contains(b.String(), part) {
				t.Errorf("%T: %q is not in the log", value, part)
			}
		}
	}
}
