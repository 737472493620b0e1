package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"galene/internal/testkit"
)

// TestProgram runs what needs the program as a process, which is built once.
func TestProgram(t *testing.T) {
	t.Parallel()
	program := testkit.BuildServer(t, ".")
	for name, test := range map[string]func(*testing.T, string){
		"odd requests get the right status":           testOddRequests,
		"clients that stall delay nobody":             testStallingClients,
		"a new certificate is used without a restart": testNewCertificate,
		"the version is printed":                      testVersion,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, program)
		})
	}
}

// startSecure runs a server with TLS whose administrator is root, and returns it
// and its directory of data.
func startSecure(t *testing.T, program string) (server *testkit.Process, data string) {
	t.Helper()
	data = t.TempDir()
	configure(t, data, `{"users": {"root": {"password": "root's", "permissions": "admin"}}, "writableGroups": true}`)
	return testkit.StartProgram(t, program, testkit.ServerOptions{TLS: true, Args: []string{"-data", data, "-turn", ""}}), data
}

// newVersionClient returns a client of one version of HTTP that trusts every
// certificate and follows no redirect.
func newVersionClient(t *testing.T, major int) *http.Client {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // it is self-signed
		Protocols:       new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(major == 1)
	transport.Protocols.SetHTTP2(major == 2)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func testOddRequests(t *testing.T, program string) {
	t.Helper()
	server, _ := startSecure(t, program)
	const group = "/galene-api/v0/.groups/room"
	long := strings.Repeat("x", 5000)
	tests := []struct {
		method, path string
		body         int // bytes
		status       int
		header       string // that the reply has to have
	}{
		{"GET", "/", 0, 200, "Content-Security-Policy"},
		{"HEAD", "/group/room/", 0, 200, "Content-Security-Policy"},
		{"BREW", "/", 0, 405, "Allow"},
		{"TRACE", "/group/room/", 0, 405, "Allow"},
		{"DELETE", "/group/room/.status", 0, 405, "Allow"},
		{"PUT", "/public-groups.json", 100, 405, "Allow"},
		{"PATCH", "/group/room/.whip", 100, 405, "Allow"},
		{"BREW", group, 0, 405, "Allow"},
		{"GET", "/a%00b", 0, 404, "Content-Security-Policy"},
		{"GET", "/" + long, 0, 404, "Content-Security-Policy"},
		{"GET", "/group/" + long + "/", 0, 404, "Content-Security-Policy"},
		{"GET", "/group/a%5Cb/", 0, 404, "Content-Security-Policy"},
		{"GET", "/recordings/a%00b/", 0, 404, "Content-Security-Policy"},
		{"GET", "/..%2f..%2fetc%2fpasswd", 0, 308, "Location"},
		{"GET", "//evil.example.org/%2e%2e", 0, 308, "Location"},
		{"GET", "/ws", 0, 400, ""},
		{"PUT", group, 2 << 20, 413, ""},
		{"POST", "/group/room/.whip", 2 << 20, 413, ""},
		{"POST", "/recordings/room/", 2 << 20, 401, "Www-Authenticate"},
		{"POST", "/", 2 << 20, 405, "Allow"},
	}
	for _, major := range []int{1, 2} {
		client := newVersionClient(t, major)
		for _, tt := range tests {
			request, err := http.NewRequestWithContext(t.Context(), tt.method, server.HTTP+tt.path, bytes.NewReader(make([]byte, tt.body)))
			if err != nil {
				t.Fatal(err)
			}
			request.SetBasicAuth("root", "root's")
			request.Header.Set("Content-Type", "application/json")
			if strings.HasSuffix(tt.path, ".whip") {
				request.Header.Set("Content-Type", "application/sdp")
			}
			response, err := client.Do(request)
			if err != nil {
				t.Errorf("%s %.40s by HTTP/%d: %v", tt.method, tt.path, major, err)
				continue
			}
			_ = response.Body.Close()
			lacks := tt.header != "" && response.Header.Get(tt.header) == ""
			if response.StatusCode != tt.status || response.ProtoMajor != major || lacks {
				t.Errorf("%s %.40s by HTTP/%d: %s %d, want %d and %s",
					tt.method, tt.path, major, response.Proto, response.StatusCode, tt.status, tt.header)
			}
		}
	}
}

func testStallingClients(t *testing.T, program string) {
	t.Helper()
	server, _ := startSecure(t, program)
	address := strings.TrimPrefix(server.HTTP, "https://")
	begins := []string{
		"", "\x16\x03\x01", // of TLS
		"GET / HTTP/1.1\r\nHost: example.org\r\nX: ",
		"PUT /galene-api/v0/.groups/room HTTP/1.1\r\nHost: example.org\r\nContent-Length: 1000\r\n\r\n{",
		"GET /js/main-group.js HTTP/1.1\r\nHost: example.org\r\n\r\n", // and nobody reads the reply
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i := range 200 {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		begin := begins[i%len(begins)]
		if len(begin) > 3 {
			connection = tls.Client(connection, &tls.Config{InsecureSkipVerify: true})
		}
		if _, err := io.WriteString(connection, begin); err != nil {
			t.Fatal(err)
		}
	}
	for _, major := range []int{1, 2} {
		if status, _ := get(t, newVersionClient(t, major), server.HTTP+"/group/room/.status"); status != http.StatusOK {
			t.Errorf("by HTTP/%d, beside them: status %d", major, status)
		}
	}
	c, err := testkit.Dial(ctx, server.Endpoint(), testkit.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Join(ctx, "room", "ada", ""); err != nil {
		t.Errorf("join beside them: %v", err)
	}
}

// writeCertificate installs a new certificate for a name, and its key.
func writeCertificate(t *testing.T, directory, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), DNSNames: []string{name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: certificate},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(directory, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func testNewCertificate(t *testing.T, program string) {
	t.Helper()
	server, data := startSecure(t, program)
	shown := func() string {
		dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
		connection, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(server.HTTP, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		return fmt.Sprint(connection.(*tls.Conn).ConnectionState().PeerCertificates[0].DNSNames)
	}
	if got := shown(); !strings.Contains(got, "localhost") {
		t.Errorf("at first the certificate is for %s, want one that the server has made", got)
	}
	for _, name := range []string{"first.example.org", "second.example.org"} {
		writeCertificate(t, data, name)
		if got := shown(); got != "["+name+"]" {
			t.Errorf("the certificate is for %s, want %s", got, name)
		}
	}
	if err := os.WriteFile(filepath.Join(data, "cert.pem"), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := shown(); got != "[second.example.org]" {
		t.Errorf("with a broken file the certificate is for %s", got)
	}
	for deadline := time.Now().Add(patience); !strings.Contains(server.Log(), "cannot use the certificate"); {
		if time.Sleep(10 * time.Millisecond); time.Now().After(deadline) {
			t.Fatalf("the broken file is not logged:\n%s", server.Log())
		}
	}
	if status, _ := get(t, newClient(t), server.HTTP+"/readyz"); status != http.StatusOK {
		t.Errorf("ready with the last good certificate: status %d", status)
	}
}

func testVersion(t *testing.T, program string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, "-version").Output()
	fields := strings.Fields(string(out))
	if err != nil || len(fields) != 2 || fields[0] != "galene" {
		t.Errorf("-version: %q, %v, want the name and the version", out, err)
	}
}
