package rtpconn

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

// loggerFactory gives Pion loggers that write to ours. Pion warns whenever a
// connection ends, so its warnings are for debugging here, and its errors,
// which a peer can provoke with each packet, are warnings, the first few at any
// time. What it says below that is dropped.
type loggerFactory struct {
	log        *slog.Logger
	complaints *complaints
}

func newLoggerFactory(log *slog.Logger) loggerFactory {
	return loggerFactory{log, new(complaints)}
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
func (f loggerFactory) NewLogger(scope string) logging.LeveledLogger {
	return pionLogger{f.log.With("scope", scope), f.complaints}
}

// pionLogger implements logging.LeveledLogger.
type pionLogger struct {
	log        *slog.Logger
	complaints *complaints
}

func (pionLogger) Trace(string)          {}
func (pionLogger) Tracef(string, ...any) {}
func (pionLogger) Debug(string)          {}
func (pionLogger) Debugf(string, ...any) {}
func (pionLogger) Info(string)           {}
func (pionLogger) Infof(string, ...any)  {}

func (l pionLogger) Warn(text string)  { l.write(slog.LevelDebug, text) }
func (l pionLogger) Error(text string) { l.write(l.errorLevel(), text) }

func (l pionLogger) Warnf(format string, args ...any) {
	l.writef(slog.LevelDebug, format, args)
}

func (l pionLogger) Errorf(format string, args ...any) {
	l.writef(l.errorLevel(), format, args)
}

// errorLevel is the level at which an error is logged now.
func (l pionLogger) errorLevel() slog.Level {
	if l.complaints.allow(rtptime.Now()) {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

func (l pionLogger) writef(level slog.Level, format string, args []any) {
	if l.log.Enabled(context.Background(), level) {
		l.write(level, fmt.Sprintf(format, args...))
	}
}

func (l pionLogger) write(level slog.Level, text string) {
	l.log.Log(context.Background(), level, "webrtc", "text", text)
}
