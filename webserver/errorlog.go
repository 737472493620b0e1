package webserver

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"slices"
)

// errorLog takes what [net/http] has to say.
func errorLog(to *slog.Logger) *log.Logger {
	return log.New(&errorWriter{to}, "", 0)
}

type errorWriter struct{ log *slog.Logger }

// clientFaults are what messages begin with that clients cause as often as they
// like: a handshake fails whenever somebody scans the port or distrusts the
// certificate, and a connection ends that does not keep to HTTP/2.
var clientFaults = []string{
	"http: TLS handshake error",
	"http2: server connection error",
	"http2: server closing client connection",
	"http2: server: error reading preface",
	"http2: received GOAWAY",
	"timeout waiting for SETTINGS",
}

// Write logs one message, which the caller has formatted. What clients do wrong is
// nothing to act upon; a handler that panicked is an error of ours.
func (w *errorWriter) Write(message []byte) (int, error) {
	level := slog.LevelWarn
	switch {
	case bytes.HasPrefix(message, []byte("http: panic serving")), bytes.HasPrefix(message, []byte("http2: panic serving")):
		level = slog.LevelError
	case slices.ContainsFunc(clientFaults, func(begin string) bool { return bytes.HasPrefix(message, []byte(begin)) }):
		level = slog.LevelDebug
	}
	w.log.Log(context.Background(), level, "HTTP", "message", string(bytes.TrimSpace(message)))
	return len(message), nil
}
