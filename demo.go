package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"galene/config"
	"galene/password"
)

const (
	demoGroup    = "demo"
	demoOperator = "operator"
	// demoCost is the bcrypt cost of the operator's password, which is too
	// random to be guessed.
	demoCost = 10
)

// demo is what a demonstration runs on: a temporary directory with one group
// that anybody may enter.
type demo struct {
	directory string
	password  string // the operator's, in clear
}

// newDemo makes the directory. The caller calls remove in the end.
func newDemo() (*demo, error) {
	directory, err := os.MkdirTemp("", "galene-demo-")
	if err != nil {
		return nil, err
	}
	d := &demo{directory: directory, password: readablePassword()}
	if err := d.fill(); err != nil {
		_ = os.RemoveAll(directory)
		return nil, err
	}
	return d, nil
}

func (d *demo) data() string       { return filepath.Join(d.directory, "data") }
func (d *demo) groups() string     { return filepath.Join(d.directory, "groups") }
func (d *demo) recordings() string { return filepath.Join(d.directory, "recordings") }

func (d *demo) fill() error {
	for _, directory := range []string{d.data(), d.groups(), d.recordings()} {
		if err := os.Mkdir(directory, 0o700); err != nil {
			return err
		}
	}
	hashed, err := password.Hash(d.password, demoCost)
	if err != nil {
		return err
	}
	definition, err := json.Marshal(map[string]any{
		"public":      true,
		"displayName": "Demonstration",
		"users": map[string]any{
			demoOperator: map[string]any{"password": &hashed, "permissions": "op"},
		},
		"wildcard-user": map[string]any{
			"password":    map[string]any{"type": "wildcard"},
			"permissions": "present",
		},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.groups(), demoGroup+".json"), definition, 0o600)
}

// remove deletes the directory with everything in it.
func (d *demo) remove(log *slog.Logger) {
	logError(log, "cannot remove the demonstration's directory", os.RemoveAll(d.directory))
}

// announce prints where the demonstration is, and how to become its operator.
func (d *demo) announce(w io.Writer, flags config.Flags, address net.Addr) {
	page := url.URL{Scheme: "https", Host: visitHost(flags.HTTP, address), Path: "/group/" + demoGroup + "/"}
	if flags.Insecure {
		page.Scheme = "http"
	}
	_, _ = fmt.Fprintf(w, "Galène is running: %s\n", &page)
	_, _ = fmt.Fprintf(w, "Operator: user name %s, password %s\n", demoOperator, d.password)
}

// visitHost is the host and port under which somebody on this machine reaches
// a server that was told to listen on one address and got the other.
func visitHost(told string, got net.Addr) string {
	_, port, _ := net.SplitHostPort(got.String())
	host, _, err := net.SplitHostPort(told)
	if ip := net.ParseIP(host); err != nil || host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// readablePassword returns a password of 80 random bits that is easy to copy
// by hand: four groups of four letters and digits, none of which looks like
// another.
func readablePassword() string {
	text := strings.ToLower(rand.Text()) // five bits a character
	return strings.Join([]string{text[:4], text[4:8], text[8:12], text[12:16]}, "-")
}
