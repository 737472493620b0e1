package testkit

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// OpenGroup is the definition of a group in which everybody may do everything
// that needs no operator.
const OpenGroup = `{
	"codecs": ["vp8", "vp9", "av1", "h264", "opus"],
	"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}
}`

// ServerOptions configure a [Server] or a [Process]. The zero value is valid.
type ServerOptions struct {
	Groups map[string]string // definitions by name; an [OpenGroup] "room" if nil
	Args   []string          // added to the command line
	TLS    bool              // HTTPS, with a self-signed certificate
}

// urls are the base URLs of a server at an address.
func (o ServerOptions) urls(address string) (http, webSocket string) {
	if o.TLS {
		return "https://" + address, "wss://" + address
	}
	return "http://" + address, "ws://" + address
}

// arguments makes a server's directories, which the test removes, and returns
// its command line: HTTP on a port of the system's choice, media on the
// loopback interface.
func (o ServerOptions) arguments(tb testing.TB) []string {
	tb.Helper()
	directory := tb.TempDir()
	groups := o.Groups
	if groups == nil {
		groups = map[string]string{"room": OpenGroup}
	}
	for _, name := range []string{"data", "groups", "recordings"} {
		if err := os.Mkdir(filepath.Join(directory, name), 0o700); err != nil {
			tb.Fatal(err)
		}
	}
	for name, definition := range groups {
		path := filepath.Join(directory, "groups", filepath.FromSlash(name)+".json")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(definition), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	args := []string{
		"-http", "127.0.0.1:0", "-loopback",
		"-data", filepath.Join(directory, "data"),
		"-groups", filepath.Join(directory, "groups"),
		"-recordings", filepath.Join(directory, "recordings"),
	}
	if !o.TLS {
		args = append(args, "-insecure")
	}
	return append(args, o.Args...)
}

// listening is how a server says in its log that it accepts connections.
var listening = regexp.MustCompile(`msg=listening .*address=(\S+)\s`)

// journal keeps what a server prints, and finds its address there. Any
// goroutine may use it.
type journal struct {
	mu      sync.Mutex // guards the fields below
	text    strings.Builder
	address chan string // receives the address once; nil afterwards
}

func newJournal() *journal { return &journal{address: make(chan string, 1)} }

// Write never fails.
func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.Write(b)
	if j.address != nil {
		if match := listening.FindStringSubmatch(j.text.String()); match != nil {
			j.address <- match[1]
			j.address = nil
		}
	}
	return len(b), nil
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
