package webserver

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"galene/internal/testlog"
)

func TestWhatClientsDoWrongIsNotLogged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *Options) { o.Insecure = false })
	address := f.serve(t)
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	settings := "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	for _, frames := range []string{
		preface + settings + "\x00\x00\x00\x00\x00\x00\x00\x00\x00",                                 // data on no stream
		preface + "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678",                                    // something before the settings
		preface + settings + "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", // the end, because of an error
		"not HTTP/2, but as long as its preface",
	} {
		c := dialHTTP2(t, address)
		if _, err := c.Write([]byte(frames)); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, c)
	}
	f.Shutdown(t.Context())
	if strings.Contains(f.log.String(), "http2") {
		t.Errorf("the log has\n%v", f.log)
	}
}

// dialHTTP2 makes a connection on which HTTP/2 is to be spoken.
func dialHTTP2(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

func TestPanicsOfHandlersAreErrors(t *testing.T) {
	t.Parallel()
	for _, message := range []string{"http: panic serving 192.0.2.1:1: x", "http2: panic serving 192.0.2.1:1: x"} {
		log := new(testlog.Journal)
		errorLog(log.Logger()).Print(message)
		if !strings.Contains(log.String(), "level=ERROR") {
			t.Errorf("%q is logged as %q, want an error", message, log)
		}
	}
}
