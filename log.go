package main

import (
	"fmt"
	"io"
	"log/slog"
	"unicode/utf8"
)

// maxLogged is how many bytes of one value go into the log. Much of what is
// logged comes from clients; the longest that does not is a stack.
const maxLogged = 8 << 10

// newLogger returns the logger of the whole server.
func newLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: shorten}))
}

// shorten cuts long values.
func shorten(_ []string, a slog.Attr) slog.Attr {
	var text string
	switch v := a.Value.Any().(type) {
	case string:
		text = v
	case error:
		text = v.Error()
	case fmt.Stringer:
		if a.Value.Kind() != slog.KindAny {
			return a // a time or duration
		}
		text = v.String()
	default:
		return a
	}
	if len(text) <= maxLogged {
		return a
	}
	end := maxLogged
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return slog.String(a.Key, fmt.Sprintf("%s… (%d bytes)", text[:end], len(text)))
}
