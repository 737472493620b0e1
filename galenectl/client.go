package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	requestTimeout = time.Minute
	maxReplyBytes  = 64 << 20 // of a list of very many names
	maxRedirects   = 5
)

// client sends requests to the API of one server, and its credentials to nobody else.
type client struct {
	base        *url.URL
	credentials credentials
	http        *http.Client
}

// connect runs work with a client of the server that flags and configuration name.
func (e *environment) connect(ctx context.Context, work func(*client) error) error {
	stored, err := e.global.stored()
	if err != nil {
		return err
	}
	base, err := e.global.address(stored)
	if err != nil {
		return err
	}
	known, err := e.credentials(ctx, base, stored)
	if err != nil {
		return err
	}
	if base.Scheme == "http" && known != (credentials{}) && !isLoopback(base.Hostname()) {
		_, _ = fmt.Fprintf(e.stderr, "galenectl: warning: the credentials go to %s unencrypted; use https\n", origin(base))
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: e.global.insecure} //nolint:gosec // its user asks for it
	defer transport.CloseIdleConnections()
	return work(&client{base, known, &http.Client{
		Transport: transport, CheckRedirect: stayHome, Timeout: requestTimeout,
	}})
}

// stayHome follows a redirect only within the origin that the credentials are for, and only if the request stays the same. Otherwise the
// redirect is the reply.
func stayHome(next *http.Request, via []*http.Request) error {
	first := via[0]
	if origin(next.URL) != origin(first.URL) || next.Method != first.Method || len(via) > maxRedirects {
		return http.ErrUseLastResponse
	}
	return nil
}

// origin is the scheme, host and port of a URL (RFC 6454 §4).
func origin(u *url.URL) string {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" && !(u.Scheme == "https" && port == "443") && !(u.Scheme == "http" && port == "80") {
		host += ":" + port
	}
	return u.Scheme + "://" + host
}

// isLoopback reports whether a host is this machine (RFC 6761 §6.3).
func isLoopback(host string) bool {
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}

// request is one request to the API.
type request struct {
	method, path string
	body         any    // sent as JSON unless it is nil
	ifMatch      string // preconditions; none if empty
	ifNoneMatch  string
	conflict     string // what to do if a precondition fails
}

// reply is what came back.
type reply struct {
	body     []byte
	tag      string // entity tag
	location string
}

// send sends a request and returns the reply to it. Errors name no path, since that of a token is secret.
func (c *client) send(ctx context.Context, r request) (reply, error) {
	var body io.Reader
	if r.body != nil {
		data, err := json.Marshal(r.body)
		if err != nil {
			return reply{}, err
		}
		body = bytes.NewReader(data)
	}
	address := *c.base
	address.Path = strings.TrimSuffix(address.Path, "/") + apiPath + r.path
	address.RawPath = ""
	h, err := http.NewRequestWithContext(ctx, r.method, address.String(), body)
	if err != nil {
		return reply{}, errors.New("the server's address cannot be used")
	}
	c.setHeader(h.Header, r)
	response, err := c.http.Do(h)
	if err != nil {
		return reply{}, c.explain(ctx, err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxReplyBytes+1))
	if response.StatusCode >= 300 {
		return reply{}, c.refused(r, response, data)
	}
	if err != nil {
		return reply{}, c.explain(ctx, err)
	}
	if len(data) > maxReplyBytes {
		return reply{}, errors.New("the server's reply is too long")
	}
	return reply{data, response.Header.Get("ETag"), response.Header.Get("Location")}, nil
}

func (c *client) setHeader(header http.Header, r request) {
	switch {
	case c.credentials.token != "":
		header.Set("Authorization", "Bearer "+c.credentials.token)
	case c.credentials.username != "":
		(&http.Request{Header: header}).SetBasicAuth(c.credentials.username, c.credentials.password)
	}
	for name, value := range map[string]string{"If-Match": r.ifMatch, "If-None-Match": r.ifNoneMatch} {
		if value != "" {
			header.Set(name, value)
		}
	}
	if r.body != nil {
		header.Set("Content-Type", "application/json")
	}
}

// get reads the object at path into v, and returns its entity tag.
func (c *client) get(ctx context.Context, path string, v any) (tag string, err error) {
	got, err := c.send(ctx, request{method: http.MethodGet, path: path})
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(got.body, v); err != nil {
		return "", fmt.Errorf("the reply of %s is not that of a Galène server (%w): check -server", origin(c.base), err)
	}
	return got.tag, nil
}

// create makes the object at path, which must not exist.
func (c *client) create(ctx context.Context, path string, v any, conflict string) error {
	_, err := c.send(ctx, request{
		method: http.MethodPut, path: path, body: v, ifNoneMatch: "*", conflict: conflict,
	})
	return err
}

// update changes the object at path, unless somebody else does at the same time.
func (c *client) update(ctx context.Context, path string, change func(object) error) error {
	var o object
	tag, err := c.get(ctx, path, &o)
	if err != nil {
		return err
	}
	if o == nil {
		o = object{}
	}
	if tag == "" {
		return errors.New("the server's reply has no entity tag, without which nothing is changed safely: is there a proxy that removes it?")
	}
	if err := change(o); err != nil {
		return err
	}
	_, err = c.send(ctx, request{
		method: http.MethodPut, path: path, body: o, ifMatch: tag,
		conflict: "somebody has changed it at the same time: try again",
	})
	return err
}

// delete removes the object at path; if tag is not empty, only as long as its entity tag is that.
func (c *client) delete(ctx context.Context, path, tag string) error {
	_, err := c.send(ctx, request{
		method: http.MethodDelete, path: path, ifMatch: tag,
		conflict: "it has changed since you looked, and was not deleted",
	})
	return err
}
