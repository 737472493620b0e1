package testkit

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const nginxConfiguration = `
daemon off; master_process off; worker_processes 1; error_log stderr; pid %[1]s/pid;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	server {
		listen %[2]s;
%[3]s
	}
}
`

// StartNginx runs nginx until the test ends, with one server that does what the
// given part of its configuration says, and returns where that listens. The test
// is skipped where nginx is not installed.
func StartNginx(tb testing.TB, server string) (address string) {
	tb.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx" // which is not in everybody's path
	}
	if _, err := os.Stat(path); err != nil {
		tb.Skip("nginx is not installed")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	address = free.Addr().String()
	_ = free.Close()
	directory := tb.TempDir()
	file := filepath.Join(directory, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, nginxConfiguration, directory, address, server), 0o600); err != nil {
		tb.Fatal(err)
	}
	command := exec.Command(path, "-p", directory, "-c", file, "-e", "stderr")
	output := newJournal()
	command.Stdout, command.Stderr = output, output
	if err := command.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if tb.Failed() {
			tb.Logf("nginx says:\n%s", output)
		}
	})
	waitListening(tb, address)
	return address
}

// waitListening waits until somebody accepts connections at an address.
func waitListening(tb testing.TB, address string) {
	tb.Helper()
	for deadline := time.Now().Add(Patience); ; time.Sleep(10 * time.Millisecond) {
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = connection.Close()
			return
		}
		if time.Now().After(deadline) {
			tb.Fatal(err)
		}
	}
}
