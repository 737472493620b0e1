package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

// maxDetailBytes bounds what is printed of a server's explanation.
const maxDetailBytes = 300

// usageError says what is wrong with a command line.
type usageError string

func (e usageError) Error() string { return string(e) }

// statusError is a reply that says no.
type statusError struct {
	code   int
	status string // code and reason
	detail string // what the server says; may be empty
	hint   string // what to do; may be empty
}

func (e *statusError) Error() string {
	text := "HTTP error: " + e.status
	if e.detail != "" {
		text += ": " + e.detail
	}
	if e.hint != "" {
		text += "; " + e.hint
	}
	return text
}

// refused is the error for a reply that is no success.
func (c *client) refused(r request, response *http.Response, body []byte) error {
	code := response.StatusCode
	status := strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code)))
	e := &statusError{code: code, status: status, hint: c.hint(r, response)}
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")) // a bad one is none
	if mediaType == "text/plain" || mediaType == "application/json" {
		line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
		if !strings.EqualFold(line, http.StatusText(code)) {
			e.detail = printable(line[:min(len(line), maxDetailBytes)])
		}
	}
	return e
}

// hint says what to do about a reply.
func (c *client) hint(r request, response *http.Response) string {
	switch response.StatusCode {
	case http.StatusUnauthorized:
		switch {
		case c.credentials.token != "":
			return "check the administrator's token"
		case c.credentials.username != "":
			return "check the administrator's name and password"
		default:
			return "give -admin-username or -admin-token-file, or make a configuration file with initial-setup"
		}
	case http.StatusForbidden:
		return "the server's configuration or the administrator's rights have to allow it"
	case http.StatusNotFound:
		return "check the names, and -server"
	case http.StatusPreconditionFailed, http.StatusConflict:
		return r.conflict
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "try again later"
	}
	if to, err := response.Location(); response.StatusCode < 400 && err == nil {
		return fmt.Sprintf("the server sends you to %s: if you trust that, use it with -server", printable(origin(to)))
	}
	return ""
}

// explain returns the error for a request that was not replied to, with what to do. The path is left out: that of a token is secret.
func (c *client) explain(ctx context.Context, err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	where := origin(c.base)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("the certificate of %s cannot be trusted (%w): install a proper one, or use -insecure if nobody can be in between", where, err)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return fmt.Errorf("%s does not speak HTTPS: check the port, or use -server http://… if the server runs with -insecure", where)
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("%s cannot be found (%w): check -server", printable(e.Name), err)
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return fmt.Errorf("%s does not reply in time: check -server, or try again later", where)
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		return fmt.Errorf("cannot connect to %s (%w): check that the server is running, and -server", where, err)
	}
	return fmt.Errorf("%s did not reply as it should (%w): check -server", where, err)
}

// printable is text from a server as it may be shown on a terminal: as it is, but for control characters.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
