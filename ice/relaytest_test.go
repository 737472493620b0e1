package ice

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/turn/v5"
	"github.com/pion/webrtc/v4"

	"galene/internal/testlog"
)

// loopbackTURN is a TURN server without any policy, on the loopback interface.
func loopbackTURN(t *testing.T) (url string) {
	t.Helper()
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: "test",
		AuthHandler: func(a *turn.RequestAttributes) (string, []byte, bool) {
			return a.Username, turn.GenerateAuthKey(a.Username, a.Realm, "p"), true
		},
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn: socket,
			RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{
				RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1",
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return "turn:" + socket.LocalAddr().String()
}

func TestRelayTestSaysWhatCameOfIt(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/ice-servers.json"
	var log testlog.Journal
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	s := NewSource(Options{File: path, Settings: settings, Log: log.Logger()})

	s.logTest(t.Context())
	if got := log.Count("no TURN server is configured"); got != 1 {
		t.Errorf("without a server, %d hints, want 1:\n%s", got, &log)
	}

	write(t, path, `[{"urls":"`+loopbackTURN(t)+`","username":"u","credential":"p"}]`)
	s.Refresh()
	s.logTest(t.Context())
	for _, want := range []string{"relay test successful", "duration=", "one_way="} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, &log)
		}
	}

	write(t, path, `[{"urls":"`+loopbackTURN(t)+`","username":"u","credential":"wrong password"}]`)
	s.Refresh()
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("nothing came"))
	defer cancel()
	if result, err := s.testRelay(ctx); err == nil {
		t.Errorf("with a wrong password: result %+v, want an error", result)
	}
}

func TestFailedRelayTestIsLoggedUnlessTheServerEnds(t *testing.T) {
	t.Parallel()
	var log testlog.Journal
	s := NewSource(Options{Log: log.Logger()})
	s.test = func(context.Context) (relayTest, error) { return relayTest{}, errors.New("nothing came") }
	s.logTest(t.Context())
	if got := log.Count("relay test failed"); got != 1 || log.Count("nothing came") != 1 {
		t.Errorf("%d failures logged, want 1 with its reason:\n%s", got, &log)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s.logTest(ended)
	if got := log.Count("relay test failed"); got != 1 {
		t.Errorf("a test that was cut is logged as a failure:\n%s", &log)
	}
}
