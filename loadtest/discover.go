package loadtest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// httpTimeout is how long the server may take to say how to reach a group.
const httpTimeout = 20 * time.Second

// maxStatus is how long a group's status may be, in octets.
const maxStatus = 1 << 20

// room is a group, as clients need to know it.
type room struct {
	name     string
	endpoint string // URL of its WebSocket
}

// errStatus is returned if a group cannot be found.
var errStatus = errors.New("cannot find the group")

// groupURL returns the URL of the i-th of n groups, which ends in a slash.
func groupURL(base string, i, n int) (*url.URL, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	path := strings.TrimRight(u.Path, "/")
	if n > 1 {
		path += "-" + strconv.Itoa(i+1)
	}
	u.Path, u.RawPath, u.RawQuery, u.Fragment = path+"/", "", "", ""
	return u, nil
}

// discover finds the groups of a scenario.
func discover(ctx context.Context, s *Scenario) ([]room, error) {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		TLSClientConfig: &tls.Config{
			InsecureSkipVerify: s.Insecure, //nolint:gosec // asked for by a flag
		},
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: httpTimeout}
	rooms := make([]room, 0, s.Groups)
	for i := range s.Groups {
		u, err := groupURL(s.URL, i, s.Groups)
		if err != nil {
			return nil, err
		}
		r, err := status(ctx, client, u)
		if err != nil {
			return nil, fmt.Errorf("%w %s: %w", errStatus, u.Redacted(), err)
		}
		rooms = append(rooms, r)
	}
	return rooms, nil
}

// status asks for the status of one group, as the page of a client does.
func status(ctx context.Context, client *http.Client, group *url.URL) (room, error) {
	at := group.JoinPath(".status")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return room{}, err
	}
	response, err := client.Do(request)
	if err != nil {
		return room{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return room{}, fmt.Errorf("the server says %s", response.Status)
	}
	var answer struct {
		Name     string `json:"name"`
		Endpoint string `json:"endpoint"`
		Redirect string `json:"redirect"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxStatus)).Decode(&answer); err != nil {
		return room{}, fmt.Errorf("its status: %w", err)
	}
	if answer.Redirect != "" {
		return room{}, fmt.Errorf("it is at %s", answer.Redirect)
	}
	r := room{name: answer.Name, endpoint: answer.Endpoint}
	if r.name == "" {
		r.name = strings.Trim(strings.TrimPrefix(group.Path, "/group/"), "/")
	}
	if r.endpoint == "" { // as older servers
		r.endpoint = (&url.URL{Scheme: "ws" + strings.TrimPrefix(group.Scheme, "http"), Host: group.Host, Path: "/ws"}).String()
	}
	return r, nil
}
