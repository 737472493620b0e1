package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"galene/internal/testkit"
)

// metricsAddress waits until metrics are served, and returns where.
func (p *program) metricsAddress(t *testing.T) string {
	t.Helper()
	p.address(t)
	match := regexp.MustCompile(`msg="metrics are served" address=(\S+)`).FindStringSubmatch(p.stderr.String())
	if match == nil {
		t.Fatalf("metrics are not served; log:\n%s", p.stderr)
	}
	return match[1]
}

// writeConfiguration makes a data directory with a configuration.
func writeConfiguration(t *testing.T, configuration string) (directory string) {
	t.Helper()
	directory = t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "config.json"), []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	return directory
}

func TestMetricsAreServedToPrometheusAndToAdministrators(t *testing.T) {
	data := writeConfiguration(t, `{"users":{"root":{"password":"secret","permissions":"admin"}}}`)
	groups := t.TempDir()
	if err := os.WriteFile(filepath.Join(groups, "room.json"), []byte(testkit.OpenGroup), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, "-http", "127.0.0.1:0", "-insecure", "-turn=", "-loopback",
		"-data", data, "-groups", groups, "-metrics", "127.0.0.1:0", "-metrics-groups")
	address := p.metricsAddress(t)
	web := p.address(t)
	dial(t, "ws://"+web+"/ws").join(t, "room", "anna", "")

	client := newClient(t)
	status, body := get(t, client, "http://"+address+"/metrics")
	if status != http.StatusOK {
		t.Fatalf("GET /metrics = %d %q", status, body)
	}
	for _, want := range []string{
		`galene_clients{kind="websocket"} 1`, `galene_sessions 1`, `galene_group_clients{group="room"} 1`,
		`galene_udp_datagrams_total{direction="in"} `, "\ngo_goroutines ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics lack %q", want)
		}
	}
	if strings.Contains(body, "anna") {
		t.Error("metrics name a user")
	}
	for _, url := range []string{"/", "/metrics/x", "/group/room/"} {
		if status, _ := get(t, client, "http://"+address+url); status != http.StatusNotFound {
			t.Errorf("GET %s where metrics are served = %d, want 404", url, status)
		}
	}

	if status, _ := get(t, client, "http://"+web+"/metrics"); status != http.StatusUnauthorized {
		t.Errorf("GET /metrics of the web server without a password = %d, want 401", status)
	}
	if status, body := get(t, client, "http://root:secret@"+web+"/metrics"); status != http.StatusOK ||
		!strings.Contains(body, "galene_sessions 1") {
		t.Errorf("GET /metrics of the web server as an administrator = %d %q", status, body)
	}
	p.stop(t)
	if c, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		_ = c.Close()
		t.Error("metrics are still served after the server's end")
	}
}

func TestMetricsAreServedToNobodyUnlessAskedFor(t *testing.T) {
	p := launch(t, "-http", "127.0.0.1:0", "-insecure", "-turn=", "-data", t.TempDir(), "-groups", t.TempDir())
	p.address(t)
	p.stop(t)
	if log := p.stderr.String(); strings.Contains(log, "metrics") {
		t.Errorf("metrics are served; log:\n%s", log)
	}
}

func TestAddressOfMetricsThatIsTakenIsAnError(t *testing.T) {
	var config net.ListenConfig
	taken, err := config.Listen(context.WithoutCancel(t.Context()), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	p := launch(t, "-http", "127.0.0.1:0", "-insecure", "-turn=", "-data", t.TempDir(), "-groups", t.TempDir(),
		"-metrics", taken.Addr().String())
	p.wait(t, statusFailed)
	if log := p.stderr.String(); !strings.Contains(log, "-metrics chooses another address") {
		t.Errorf("the log does not help:\n%s", log)
	}
}
