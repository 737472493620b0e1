package webserver

import (
	"bytes"
	"context"
	"log"
	"log/slog"
)

// errorLog takes what [net/http] has to say.
func errorLog(to *slog.Logger) *log.Logger {
	return log.New(&errorWriter{to}, "", 0)
}

type errorWriter struct{ log *slog.Logger }

// Write logs one message, which the caller has formatted. A handshake fails
// whenever somebody scans the port or distrusts the certificate, so that is
// nothing to act upon; a handler that panicked is an error of ours.
func (w *errorWriter) Write(message []byte) (int, error) {
	level := slog.LevelWarn
	switch {
	case bytes.HasPrefix(message, []byte("http: TLS handshake error")):
		level = slog.LevelDebug
	case bytes.Contains(message, []byte("panic serving")):
		level = slog.LevelError
	}
	w.log.Log(context.Background(), level, "HTTP", "message", string(bytes.TrimSpace(message)))
	return len(message), nil
}
