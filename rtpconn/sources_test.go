package rtpconn

import (
	"errors"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/transport/v4/packetio"
	"github.com/pion/webrtc/v4"
)

// rawTrack is a local track whose packets go out as they are.
type rawTrack struct {
	*webrtc.TrackLocalStaticRTP

	out chan webrtc.TrackLocalWriter
}

func (r *rawTrack) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	select {
	case r.out <- c.WriteStream():
	default:
	}
	return r.TrackLocalStaticRTP.Bind(c)
}

// addRaw adds a track that sends whatever is given to the result, once there is a
// connection.
func (p *testPublisher) addRaw(s sample) <-chan webrtc.TrackLocalWriter {
	p.tb.Helper()
	static, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: s.mime}, "track", "stream")
	if err != nil {
		p.tb.Fatal(err)
	}
	track := &rawTrack{static, make(chan webrtc.TrackLocalWriter, 1)}
	if _, err := p.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{
		Direction: webrtc.RTPTransceiverDirectionSendonly,
	}); err != nil {
		p.tb.Fatal(err)
	}
	return track.out
}

func TestPublisherCannotMakeUpSources(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		send func(p *testPublisher, out webrtc.TrackLocalWriter, ssrc uint32) error
	}{
		{"by RTP", func(_ *testPublisher, out webrtc.TrackLocalWriter, ssrc uint32) error {
			_, err := out.WriteRTP(&rtp.Header{Version: 2, SSRC: ssrc, PayloadType: 96}, []byte{1, 2, 3})
			return err
		}},
		{"by RTCP", func(p *testPublisher, _ webrtc.TrackLocalWriter, ssrc uint32) error {
			sources := make([]uint32, 31)
			for i := range sources {
				sources[i] = ssrc<<8 + uint32(i)
			}
			return p.pc.WriteRTCP([]rtcp.Packet{&rtcp.Goodbye{Sources: sources}})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			broken := make(chan error, 1)
			p := newTestPublisher(t, newTestEngine(t), UpConfig{
				Codecs: allNames, Events: Events{Broken: func(err error) { broken <- err }},
			})
			writer := p.addRaw(vp8)
			p.connect()
			out := within(t, "way out", writer)
			ssrc := uint32(1000)
			err := flood(t, broken, func() error {
				ssrc++
				return tt.send(p, out, ssrc)
			})
			if !errors.Is(err, errTooManySources) {
				t.Errorf("broken by %v, want %v", err, errTooManySources)
			}
		})
	}
}

func TestSubscriberCannotMakeUpSources(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p := newTestPublisher(t, e, UpConfig{Codecs: allNames})
	p.add(vp8.mime, "track", "stream")
	p.connect()
	sub := newTestSubscriber(t, e, p.up)
	sub.connect(p.up.Tracks()...)
	ssrc := uint32(1000)
	err := flood(t, sub.broken, func() error {
		ssrc++
		return sub.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: ssrc}})
	})
	if !errors.Is(err, errTooManySources) {
		t.Errorf("broken by %v, want %v", err, errTooManySources)
	}
}

// flood calls send again and again until the connection is broken.
func flood(t *testing.T, broken <-chan error, send func() error) error {
	t.Helper()
	for deadline := time.Now().Add(testPatience); time.Now().Before(deadline); {
		if err := send(); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-broken:
			return err
		case <-time.After(100 * time.Microsecond):
		}
	}
	t.Fatal("the connection is not broken")
	return nil
}

func TestWhatIsNotReadOfASourceIsBounded(t *testing.T) {
	t.Parallel()
	s := &sources{maxRTP: 2, tooMany: func() {}}
	fill := func() (octets int) {
		b := s.newBuffer(packetio.RTPBufferPacket, 1)
		t.Cleanup(func() { _ = b.Close() })
		for range 10000 {
			if _, err := b.Write(make([]byte, 1000)); err != nil {
				return octets
			}
			octets += 1000
		}
		return octets
	}
	for i := range 4 {
		got := fill()
		if i < 2 && (got == 0 || got > maxRTPBuffer) {
			t.Errorf("source %d is buffered for %d octets, want up to %d", i, got, maxRTPBuffer)
		}
		if i >= 2 && got != 0 {
			t.Errorf("source %d, beyond the bound, is buffered for %d octets", i, got)
		}
	}
}
