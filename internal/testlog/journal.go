// Package testlog keeps what the code under test logs or prints, so that tests
// can look at it. Only tests import it.
package testlog

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
)

// Journal keeps what is written to it, without bound. The zero value is empty;
// it must not be copied. Any goroutine may use it.
type Journal struct {
	mu     sync.Mutex // guards buffer
	buffer bytes.Buffer
}

// Write appends b. It never fails.
func (j *Journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buffer.Write(b)
}

// String returns all that was written so far.
func (j *Journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buffer.String()
}

// Count is how many times text, which is not empty, was written so far.
func (j *Journal) Count(text string) int { return strings.Count(j.String(), text) }

// Logger returns a logger that writes lines of text, from the level of
// information on.
func (j *Journal) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }
