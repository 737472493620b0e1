package rtpconn

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
)

// allNames are the codecs of a group that allows everything.
var allNames = []string{"vp8", "vp9", "av1", "h264", "opus"}

// bindTrack sends packets of a track's stream until the engine knows its source, and
// returns the number of the next packet.
func bindTrack(tb testing.TB, t *upTrack, track *webrtc.TrackLocalStaticRTP, s sample, start uint16) (next uint32) {
	tb.Helper()
	eventually(tb, "the first packets arrive", func() bool {
		if err := track.WriteRTP(s.packet(next, start, next == 0)); err != nil {
			tb.Fatal(err)
		}
		next++
		_, ok := t.Head()
		return ok
	})
	return next
}

func TestEveryPacketArrivesInOrderAndIntact(t *testing.T) {
	t.Parallel()
	starts := []uint16{0, 1, 32767, 32768, 65535}
	for i, s := range []sample{vp8, vp9, h264, av1, opus} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			start := starts[i] - 5 // so that the numbers wrap on the way
			e := newTestEngine(t)
			p := newTestPublisher(t, e, UpConfig{ID: "a", Label: "camera", Codecs: allNames})
			track, _ := p.add(s.mime, "track", "stream")
			p.connect()
			up := p.up.tracks.Load().own[0]
			next := bindTrack(t, up, track, s, start)

			sub := newTestSubscriber(t, e, p.up)
			sub.connect(p.up.Tracks()...)
			remote := sub.settle(func() (last uint32) {
				if err := track.WriteRTP(s.packet(next, start, true)); err != nil {
					t.Fatal(err)
				}
				next++
				return next - 1
			})

			const count = 300
			first := next
			for ; next < first+count; next++ {
				if err := track.WriteRTP(s.packet(next, start, next == first)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(200 * time.Microsecond) // not to overflow Pion's buffers
			}
			checkStream(t, remote, s, start, first+count-1)
		})
	}
}

// checkStream reads packets until that numbered last, and checks that each
// follows the one before.
func checkStream(t *testing.T, remote *remoteTrack, s sample, start uint16, last uint32) {
	t.Helper()
	var previous *rtpPacket
	for {
		p := within(t, fmt.Sprintf("packet after %v", previous), remote.packets)
		got := &rtpPacket{number(p.Payload), p.SequenceNumber, p.Timestamp}
		want := s.packet(got.number, start, bytes.HasPrefix(p.Payload, s.keyframe))
		if !bytes.Equal(p.Payload, want.Payload) || p.Marker != want.Marker {
			t.Fatalf("packet %d: got %x, marker %v", got.number, p.Payload, p.Marker)
		}
		if previous == nil && s.rate == 90000 && !bytes.HasPrefix(p.Payload, s.keyframe) {
			t.Fatalf("the first packet, %d, does not begin a keyframe", got.number)
		}
		if previous != nil && *got != previous.after(s) {
			t.Fatalf("got %+v after %+v", got, previous)
		}
		previous = got
		if got.number == last {
			return
		}
	}
}

// rtpPacket is what tells a packet's place in a stream.
type rtpPacket struct {
	number    uint32
	sequence  uint16
	timestamp uint32
}

// after is what must follow p.
func (p *rtpPacket) after(s sample) rtpPacket {
	return rtpPacket{p.number + 1, p.sequence + 1, p.timestamp + s.rate/30}
}
