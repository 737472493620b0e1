package rtpconn

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// loggerFactory gives Pion loggers that write to ours. Pion warns whenever a
// connection ends, so its warnings are for debugging here, and its errors,
// which a peer can provoke at will, are warnings. What it says below that is
// dropped.
type loggerFactory struct{ log *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (f loggerFactory) NewLogger(scope string) logging.LeveledLogger {
	return pionLogger{f.log.With("scope", scope)}
}

// pionLogger implements logging.LeveledLogger.
type pionLogger struct{ log *slog.Logger }

func (pionLogger) Trace(string)          {}
func (pionLogger) Tracef(string, ...any) {}
func (pionLogger) Debug(string)          {}
func (pionLogger) Debugf(string, ...any) {}
func (pionLogger) Info(string)           {}
func (pionLogger) Infof(string, ...any)  {}

func (l pionLogger) Warn(text string)  { l.write(slog.LevelDebug, text) }
func (l pionLogger) Error(text string) { l.write(slog.LevelWarn, text) }

func (l pionLogger) Warnf(format string, args ...any) {
	l.writef(slog.LevelDebug, format, args)
}

func (l pionLogger) Errorf(format string, args ...any) {
	l.writef(slog.LevelWarn, format, args)
}

func (l pionLogger) writef(level slog.Level, format string, args []any) {
	if l.log.Enabled(context.Background(), level) {
		l.write(level, fmt.Sprintf(format, args...))
	}
}

func (l pionLogger) write(level slog.Level, text string) {
	l.log.Log(context.Background(), level, "webrtc", "text", text)
}
