package webserver

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// exchangeRaw sends bytes and returns the status line of the reply, empty if
// there is none before the server ends the connection.
func exchangeRaw(t *testing.T, address, request string) string {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(connection, request); err != nil {
		return "" // the server has ended the connection already
	}
	line, err := bufio.NewReader(connection).ReadString('\n')
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // it is not wrapped
		t.Errorf("the server waits for ever")
	}
	return strings.TrimSpace(line)
}

func TestBadRequestsAreBounded(t *testing.T) {
	t.Parallel()
	patient, hasty := newAdmin(t), newAdmin(t)
	hasty.http.ReadHeaderTimeout, hasty.http.ReadTimeout = 2*time.Second, 2*time.Second
	servers := map[bool]string{false: patient.serve(t), true: hasty.serve(t)}
	const (
		host  = "\r\nHost: example.org\r\n"
		admin = host + "Authorization: Basic cm9vdDpyb290J3M=\r\nContent-Type: application/json\r\n"
	)
	tests := []struct {
		name, request, want string
		slow                bool // the client takes too long
	}{
		{"silence", "", "", true},
		{"an endless request line", "GET /" + strings.Repeat("x", 2*maxHeaderBytes), "HTTP/1.1 431 Request Header Fields Too Large", false},
		{"endless headers", "GET / HTTP/1.1" + host + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 200), "HTTP/1.1 431 Request Header Fields Too Large", false},
		{"headers that do not end", "GET / HTTP/1.1" + host + "X: ", "", true},
		{"no request", "hello\r\n\r\n", "HTTP/1.1 400 Bad Request", false},
		{"no host", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request: missing required Host header", false},
		{"a method that is none", "G{T / HTTP/1.1" + host + "\r\n", "HTTP/1.1 400 Bad Request", false},
		{"a path that is none", "GET /%zz HTTP/1.1" + host + "\r\n", "HTTP/1.1 400 Bad Request", false},
		{"two lengths", "POST / HTTP/1.1" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 400 Bad Request", false},
		{"another version", "GET / HTTP/3.0" + host + "\r\n", "HTTP/1.1 505 HTTP Version Not Supported: unsupported protocol version", false},
		{"a body that does not come", "PUT " + apiPrefix + "/.groups/board HTTP/1.1" + admin + "Content-Length: 100\r\n\r\n{", "HTTP/1.1 408 Request Timeout", true},
		{
			"a body that is too large", "PUT " + apiPrefix + "/.groups/board HTTP/1.1" + admin + "Content-Length: 2000000\r\n\r\n" +
				strings.Repeat(" ", maxRequestBody+1), "HTTP/1.1 413 Request Entity Too Large", false,
		},
		{
			"chunks that are too large", "PUT " + apiPrefix + "/.groups/board HTTP/1.1" + admin + "Transfer-Encoding: chunked\r\n\r\n" +
				"ffffffff\r\n" + strings.Repeat(" ", maxRequestBody+1), "HTTP/1.1 413 Request Entity Too Large", false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := exchangeRaw(t, servers[tt.slow], tt.request); got != tt.want {
				t.Errorf("status line %q, want %q", got, tt.want)
			}
		})
	}
}

func TestClientsHaveNoMoreThanTheirTime(t *testing.T) {
	t.Parallel()
	server := newFixture(t, nil).http
	for name, got := range map[string]time.Duration{
		"headers": server.ReadHeaderTimeout, "requests": server.ReadTimeout,
		"replies": server.WriteTimeout, "silence": server.IdleTimeout,
	} {
		if got <= 0 || got > 5*time.Minute {
			t.Errorf("clients may take %v for %s", got, name)
		}
	}
}

func TestUnknownMethods(t *testing.T) {
	t.Parallel()
	a := newAdmin(t, func(o *Options) { o.Recordings = t.TempDir() })
	for path, status := range map[string]int{
		"/":                             405,
		"/js/main.js":                   405,
		"/missing":                      405,
		"/group/board/":                 405,
		"/group/board/.status":          405,
		"/group/board/.status.json":     405,
		"/public-groups.json":           405,
		"/stats.json":                   405,
		"/stats.html":                   405,
		"/healthz":                      405,
		"/readyz":                       405,
		"/ws":                           400,
		"/recordings/board/":            401,
		"/galene-api/v0/.groups/":       401,
		"/galene-api/v0/.groups/board":  401,
		"/galene-api/v0/.unknown":       404,
		"/galene-api/v1/.groups/":       404,
		"/galene-api/v0/.groups/x%00y":  401,
		"/group/x%00y/":                 404,
		"/recordings/x%00y/":            404,
		"/" + strings.Repeat("x", 5000): 405,
		"/group/" + strings.Repeat("x", 5000) + "/": 404,
	} {
		response := a.fetch("BREW", path, "", "")
		if response.StatusCode != status {
			t.Errorf("BREW %.40s: %d, want %d", path, response.StatusCode, status)
		}
		if allow := response.Header.Get("Allow"); (allow != "") != (status == http.StatusMethodNotAllowed) {
			t.Errorf("BREW %.40s: %d with methods %q", path, response.StatusCode, allow)
		}
	}
}

// steadyRecorder notes the deadlines that a handler asks for.
type steadyRecorder struct {
	http.ResponseWriter
	deadlines int
}

func (r *steadyRecorder) SetWriteDeadline(time.Time) error {
	r.deadlines++
	return nil
}

func (r *steadyRecorder) Write(p []byte) (int, error) { return len(p), nil }

func TestLongRepliesGoOnAsLongAsTheyAreTaken(t *testing.T) {
	t.Parallel()
	recorder := new(steadyRecorder)
	n, err := io.Copy(&steadyWriter{recorder}, io.LimitReader(endless{}, 1<<20))
	if err != nil || n != 1<<20 || recorder.deadlines < 10 {
		t.Errorf("%d bytes, %v, with %d deadlines", n, err, recorder.deadlines)
	}
}

// endless is a recording without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
