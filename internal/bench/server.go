package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// groupName is the group that the load test is sent to; if it needs several,
// it adds "-1", "-2" and so on.
const groupName = "bench"

// groupDefinition lets everybody in, to do everything.
const groupDefinition = `{"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}`

// startTimeout is how long a server may take until it answers.
const startTimeout = 30 * time.Second

// server is a running server.
type server struct {
	*child
	url       string // of the group
	directory string
}

// startServer starts a server with groups of its own, and waits until it
// answers.
func startServer(ctx context.Context, subject subject) (*server, error) {
	directory, err := os.MkdirTemp("", "bench-server-*")
	if err != nil {
		return nil, err
	}
	s := &server{directory: directory}
	if err := s.start(ctx, subject); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) start(ctx context.Context, subject subject) error {
	for _, name := range []string{"data", "groups", "recordings"} {
		if err := os.Mkdir(filepath.Join(s.directory, name), 0o700); err != nil {
			return err
		}
	}
	for i := range roomCount + 1 {
		name := groupName
		if i > 0 {
			name += "-" + strconv.Itoa(i)
		}
		file := filepath.Join(s.directory, "groups", name+".json")
		if err := os.WriteFile(file, []byte(groupDefinition), 0o600); err != nil {
			return err
		}
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	args := append([]string{
		"-http", address, "-insecure",
		"-data", filepath.Join(s.directory, "data"),
		"-groups", filepath.Join(s.directory, "groups"),
		"-recordings", filepath.Join(s.directory, "recordings"),
	}, subject.args...)
	if s.child, err = startChild(ctx, subject.name, subject.binary, args...); err != nil {
		return err
	}
	s.url = "http://" + address + "/group/" + groupName + "/"
	return s.awaitAnswer(ctx)
}

// awaitAnswer waits until the group's page is there.
func (s *server) awaitAnswer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.done:
			return s.failure("has ended")
		case <-ctx.Done():
			return s.failure("does not answer at " + s.url)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop ends the server, if it runs, and removes its directory.
func (s *server) stop() {
	if s.child != nil {
		s.child.stop()
	}
	_ = os.RemoveAll(s.directory)
}

// freeAddress returns an address of the loopback interface that nobody listens
// on: not every server tells which one it has got.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String(), nil
}
