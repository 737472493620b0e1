package ice

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"

	"galene/pionlog"
)

// testTimeout bounds one test of the relay.
const testTimeout = 20 * time.Second

// maxTestCandidates bounds the candidates of one side that wait for the other.
const maxTestCandidates = 64

// errNoRelay says that there is nothing to be tested.
var errNoRelay = errors.New("no TURN server is configured")

// relayTest is the result of a successful test.
type relayTest struct {
	duration time.Duration // from nothing to the message's arrival
	oneWay   time.Duration // how long the message took
}

// logTest tests the relay and says what came of it. Nothing depends on that.
func (s *Source) logTest(ctx context.Context) {
	result, err := s.test(ctx)
	switch {
	case err == nil:
		s.log.Info("relay test successful", "duration", result.duration.Round(time.Millisecond),
			"one_way", result.oneWay.Round(time.Microsecond))
	case ctx.Err() != nil: // the server is ending
	case errors.Is(err, errNoRelay):
		s.log.Warn("relay test not possible: clients behind some firewalls will not be able to connect", "error", err)
	default:
		s.log.Warn("relay test failed: perhaps no TURN server can be reached", "error", err)
	}
}

// testRelay sends one message from a connection that may only use relayed
// candidates to one like those that media arrives on.
func (s *Source) testRelay(ctx context.Context) (relayTest, error) {
	start := time.Now()
	servers := toPion(s.ForClient("relay test", start))
	if !hasRelay(servers) {
		return relayTest{}, errNoRelay
	}
	ctx, cancel := context.WithTimeoutCause(ctx, testTimeout,
		fmt.Errorf("no message came through within %v", testTimeout))
	defer cancel()

	settings := webrtc.SettingEngine{LoggerFactory: pionlog.New(s.log)}
	settings.SetRelayAcceptanceMinWait(0) // there is nothing better to wait for
	near, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{
		ICEServers:         servers,
		ICETransportPolicy: webrtc.ICETransportPolicyRelay,
	})
	if err != nil {
		return relayTest{}, fmt.Errorf("relayed connection: %w", err)
	}
	defer func() { _ = near.GracefulClose() }()
	far, err := webrtc.NewAPI(webrtc.WithSettingEngine(s.options.Settings)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return relayTest{}, fmt.Errorf("direct connection: %w", err)
	}
	defer func() { _ = far.GracefulClose() }()

	arrived, err := exchange(ctx, near, far)
	if err != nil {
		return relayTest{}, err
	}
	return relayTest{duration: time.Since(start), oneWay: arrived}, nil
}

func hasRelay(servers []webrtc.ICEServer) bool {
	for _, s := range servers {
		for _, url := range s.URLs {
			if len(url) > 4 && url[:4] == "turn" {
				return true
			}
		}
	}
	return false
}

// exchange connects the two and sends a message from near to far. It returns
// how long that took.
func exchange(ctx context.Context, near, far *webrtc.PeerConnection) (time.Duration, error) {
	sent, oneWay := make(chan time.Time, 1), make(chan time.Duration, 1)
	channel, err := near.CreateDataChannel("relay-test", nil)
	if err != nil {
		return 0, fmt.Errorf("data channel: %w", err)
	}
	channel.OnOpen(func() {
		sent <- time.Now()
		_ = channel.SendText("test") // what is not sent does not arrive, which is noticed
	})
	far.OnDataChannel(func(d *webrtc.DataChannel) {
		d.OnMessage(func(webrtc.DataChannelMessage) {
			select {
			case at := <-sent:
				oneWay <- time.Since(at)
			default: // another message
			}
		})
	})

	ofNear, ofFar := collect(ctx, near), collect(ctx, far)
	if err := negotiate(near, far); err != nil {
		return 0, err
	}
	for {
		var err error
		select {
		case c := <-ofNear:
			err = far.AddICECandidate(c)
		case c := <-ofFar:
			err = near.AddICECandidate(c)
		case d := <-oneWay:
			return d, nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		if err != nil {
			return 0, fmt.Errorf("candidate: %w", err)
		}
	}
}

// collect returns the candidates of pc as they are found.
func collect(ctx context.Context, pc *webrtc.PeerConnection) <-chan webrtc.ICECandidateInit {
	candidates := make(chan webrtc.ICECandidateInit, maxTestCandidates)
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c == nil {
			return
		}
		select {
		case candidates <- c.ToJSON():
		case <-ctx.Done():
		}
	})
	return candidates
}

// negotiate exchanges descriptions.
func negotiate(near, far *webrtc.PeerConnection) error {
	offer, err := near.CreateOffer(nil)
	if err != nil {
		return fmt.Errorf("offer: %w", err)
	}
	if err := near.SetLocalDescription(offer); err != nil {
		return fmt.Errorf("set offer: %w", err)
	}
	if err := far.SetRemoteDescription(offer); err != nil {
		return fmt.Errorf("receive offer: %w", err)
	}
	answer, err := far.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if err := far.SetLocalDescription(answer); err != nil {
		return fmt.Errorf("set answer: %w", err)
	}
	if err := near.SetRemoteDescription(answer); err != nil {
		return fmt.Errorf("receive answer: %w", err)
	}
	return nil
}
