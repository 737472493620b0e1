// Package pionlog lets Pion write to our log, without letting its peers fill it.
//
// # Ownership
//
// A [Factory] may be used from any goroutine, and by everything that one part
// of the server makes with Pion: what it limits, it limits for all of them.
package pionlog

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/pion/logging"

	"galene/rtptime"
)

// maxComplaints of Pion's errors are logged in each complaintsWindow.
const (
	maxComplaints    = 10
	complaintsWindow = time.Minute
)

// Factory gives Pion loggers that write to ours. Pion warns whenever a
// connection ends, so its warnings are for debugging here, and its errors,
// which a peer can provoke with each packet, are warnings, the first few at any
// time. What it says below that is dropped.
type Factory struct {
	log        *slog.Logger
	complaints *complaints
}

// New returns a factory of loggers that write to log.
func New(log *slog.Logger) Factory {
	return Factory{log, new(complaints)}
}

// complaints counts errors, so that nobody can fill the log with them. Any
// goroutine may use it.
type complaints struct {
	mu    sync.Mutex // guards the fields below
	since rtptime.Instant
	count int
}

// allow reports whether one more may be logged at now.
func (c *complaints) allow(now rtptime.Instant) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count == 0 || now.Sub(c.since) >= complaintsWindow {
		c.since, c.count = now, 0
	}
	if c.count >= maxComplaints {
		return false
	}
	c.count++
	return true
}

// NewLogger implements logging.LoggerFactory.
func (f Factory) NewLogger(scope string) logging.LeveledLogger {
	return logger{f.log.With("scope", scope), f.complaints}
}

// logger implements logging.LeveledLogger.
type logger struct {
	log        *slog.Logger
	complaints *complaints
}

func (logger) Trace(string)          {}
func (logger) Tracef(string, ...any) {}
func (logger) Debug(string)          {}
func (logger) Debugf(string, ...any) {}
func (logger) Info(string)           {}
func (logger) Infof(string, ...any)  {}

func (l logger) Warn(text string)  { l.write(slog.LevelDebug, text) }
func (l logger) Error(text string) { l.write(l.errorLevel(), text) }

func (l logger) Warnf(format string, args ...any) {
	l.writef(slog.LevelDebug, format, args)
}

func (l logger) Errorf(format string, args ...any) {
	l.writef(l.errorLevel(), format, args)
}

// errorLevel is the level at which an error is logged now.
func (l logger) errorLevel() slog.Level {
	if l.complaints.allow(rtptime.Now()) {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

func (l logger) writef(level slog.Level, format string, args []any) {
	if l.log.Enabled(context.Background(), level) {
		l.write(level, fmt.Sprintf(format, args...))
	}
}

func (l logger) write(level slog.Level, text string) {
	l.log.Log(context.Background(), level, "webrtc", "text", text)
}
