package rtpconn

import (
	"testing"

	"github.com/pion/webrtc/v4"
)

func TestHasteningAddsNothingToCheck(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 1000)
	sub := newTestSubscriber(t, e, s.testPublisher.up)
	sub.selectAll(s.testPublisher.up.Tracks()...)
	sub.in.hold() // nothing can be nominated yet
	offer := sub.offer(false)
	answer := sub.answerTo(offer)
	sub.out.hold()
	if _, err := sub.down.Answer(answer); err != nil {
		t.Fatal(err)
	}
	heard := func() (useless, pairs int) {
		remotes := make(map[string]bool)
		report := sub.down.pc.GetStats()
		for _, stats := range report {
			if c, ok := stats.(webrtc.ICECandidateStats); ok && c.IP == "192.0.2.1" {
				remotes[c.ID] = true
			}
		}
		for _, stats := range report {
			if p, ok := stats.(webrtc.ICECandidatePairStats); ok && remotes[p.RemoteCandidateID] {
				pairs++
			}
		}
		return len(remotes), pairs
	}
	eventually(t, "the agent is made to look", func() bool {
		useless, pairs := heard()
		if pairs > 0 {
			t.Fatalf("%d pairs with candidates that are of no use", pairs)
		}
		return useless == len(hastenAfter) || sub.down.pc.ICEConnectionState() == webrtc.ICEConnectionStateConnected
	})
	sub.out.release()
	within(t, "connection", sub.connected)
	if _, pairs := heard(); pairs > 0 {
		t.Errorf("%d pairs with candidates that are of no use", pairs)
	}
}
