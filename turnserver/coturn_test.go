package turnserver

import (
	"context"
	"crypto/tls"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// uclient runs coturn's client against s, which relays packets between two
// clients. It returns what the client prints.
func uclient(t *testing.T, s *Server, arguments ...string) (output string, err error) {
	t.Helper()
	program, err := exec.LookPath("turnutils_uclient")
	if err != nil {
		t.Skip("turnutils_uclient is missing: install coturn (make coturn)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	arguments = append(arguments, "-c", "-n", "10", "-m", "1", "-p", strconv.Itoa(int(s.options.Listen.Port)), s.options.Listen.Address.String())
	printed, err := exec.CommandContext(ctx, program, arguments...).CombinedOutput()
	return string(printed), err
}

// received is how many packets came through, as uclient says at its end.
var received = regexp.MustCompile(`tot_recv_msgs=(\d+)\b`)

// checkRelayed checks that all packets came through.
func checkRelayed(t *testing.T, output string, err error) {
	t.Helper()
	counts := received.FindAllStringSubmatch(output, -1)
	if err != nil || len(counts) == 0 || counts[len(counts)-1][1] == "0" || !strings.Contains(output, "lost packets 0 ") {
		t.Errorf("turnutils_uclient: %v\n%s", err, output)
	}
}

func TestIndependentClientIsServed(t *testing.T) {
	t.Parallel()
	certificate := newCertificate(t, 2, "turn.example")
	secure := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }}
	// A client either has a password, or derives it from the secret by itself.
	tests := []struct {
		name, host string
		derives    bool
		arguments  []string
	}{
		{"UDP", "127.0.0.1", true, nil},
		{"TLS", "127.0.0.1", false, []string{"-t", "-S"}},
		{"IPv6 over TCP, send indications", "::1", false, []string{"-x", "-t", "-s"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			freePort(t, tt.host) // skips if there is no such address
			s := serve(t, tt.host, Options{TLS: secure})
			username, password := s.Credentials("ada", time.Now())
			arguments := []string{"-y", "-u", username, "-w", password}
			if tt.derives {
				arguments = []string{"-y", "-u", "ada", "-W", s.credentials.secret}
			}
			output, err := uclient(t, s, append(arguments, tt.arguments...)...)
			checkRelayed(t, output, err)
		})
	}
}

func TestIndependentClientWithAWrongPasswordIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.0.1", Options{})
	username, _ := s.Credentials("ada", time.Now())
	output, err := uclient(t, s, "-y", "-u", username, "-w", "wrong")
	if err == nil && strings.Contains(output, "lost packets 0 ") {
		t.Errorf("turnutils_uclient succeeds:\n%s", output)
	}
	if got := s.Stats().Allocations; got != 0 {
		t.Errorf("%d allocations, want 0", got)
	}
}
