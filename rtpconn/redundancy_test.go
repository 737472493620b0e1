package rtpconn

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// redCapability is audio with redundancy.
var redCapability = webrtc.RTPCodecCapability{MimeType: "audio/red", ClockRate: 48000, Channels: 2, SDPFmtpLine: "111/111"}

// newRedundantPC returns a client that prefers audio with redundancy, under a payload
// type of its own.
func newRedundantPC(tb testing.TB, payloadType webrtc.PayloadType) *webrtc.PeerConnection {
	tb.Helper()
	media := &webrtc.MediaEngine{}
	for _, c := range []webrtc.RTPCodecParameters{
		{RTPCodecCapability: redCapability, PayloadType: payloadType},
		{RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
		}, PayloadType: 111},
	} {
		if err := media.RegisterCodec(c, webrtc.RTPCodecTypeAudio); err != nil {
			tb.Fatal(err)
		}
	}
	return newRemotePCFrom(tb, media, func(*webrtc.SettingEngine) {})
}

func TestRedundancyIsForSubscribersWhoTakeIt(t *testing.T) {
	t.Parallel()
	for _, mux := range []bool{true, false} {
		t.Run(fmt.Sprintf("mux %v", mux), func(t *testing.T) {
			t.Parallel()
			e := newEngineOn(t, nil)
			if mux {
				e = newTestEngine(t)
			}
			p := newPublisherOf(t, e, UpConfig{ID: "a"}, newRedundantPC(t, 120))
			voice, err := webrtc.NewTrackLocalStaticRTP(redCapability, "voice", "me")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.pc.AddTransceiverFromTrack(voice, webrtc.RTPTransceiverInit{
				Direction: webrtc.RTPTransceiverDirectionSendonly,
			}); err != nil {
				t.Fatal(err)
			}
			p.connect()
			up := p.up.tracks.Load().own[0]
			if f := up.Format(); f.MimeType != webrtc.MimeTypeOpus || f.PayloadType != 111 {
				t.Fatalf("the track's format is %v, want Opus", f)
			}

			redundant := newSubscriberOf(t, e, p.up, newRedundantPC(t, 63))
			plain := newSubscriberOf(t, e, p.up, newPlainPC(t))
			for _, s := range []*testSubscriber{redundant, plain} {
				s.connect(p.up.Tracks()...)
			}
			primary := []byte{7, 8, 9}
			whole := append([]byte{0x80 | 111, 960 >> 6, 960 << 2 & 0xff, 2, 111, 5, 6}, primary...)
			stop, done := make(chan struct{}), make(chan struct{})
			defer func() { close(stop); <-done }()
			go func() {
				defer close(done)
				for n := uint16(0); ; n++ {
					packet := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: n, Timestamp: uint32(n) * 960}, Payload: whole}
					if err := voice.WriteRTP(packet); err != nil {
						t.Error(err)
						return
					}
					select {
					case <-stop:
						return
					case <-time.After(5 * time.Millisecond):
					}
				}
			}()
			for _, tt := range []struct {
				name        string
				subscriber  *testSubscriber
				payloadType uint8
				want        []byte
			}{{"with redundancy", redundant, 63, whole}, {"without", plain, 111, primary}} {
				remote := within(t, "track "+tt.name, tt.subscriber.tracks)
				for range 20 {
					got := within(t, "packet "+tt.name, remote.packets)
					if got.PayloadType != tt.payloadType || !bytes.Equal(got.Payload, tt.want) {
						t.Fatalf("%s: got type %d, %x, want %d, %x", tt.name, got.PayloadType, got.Payload, tt.payloadType, tt.want)
					}
				}
			}
			up.mu.Lock()
			defer up.mu.Unlock()
			if up.counters.malformed.Load() != 0 {
				t.Errorf("%d packets were malformed", up.counters.malformed.Load())
			}
		})
	}
}

func TestRedundancyIsResentAsItWasSent(t *testing.T) {
	t.Parallel()
	source := newBareUpTrack(t, "opus")
	source.payloads.Load().entries[0].redundant = 63
	out := &recordingEgress{}
	d := newBareTrack(t, source, out)
	d.payload.redundant = 62
	d.attach()
	in := &testIngest{ingest: ingest{track: source}}
	for i, payload := range [][]byte{
		{0x80 | 111, 15, 0, 2, 111, 5, 6, 7, 8},
		{9, 9},
		{0x80 | 111, 15, 0, 2, 110, 5, 6, 7, 8}, // another codec
		{111, 3},
	} {
		payloadType := uint8(63)
		if i == 1 {
			payloadType = 111
		}
		raw, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: payloadType, SequenceNumber: uint16(i)}, Payload: payload}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		receive(in, raw, epoch)
	}
	sent := out.take()
	wantTypes := []uint8{62, 111, 62}
	if len(sent) != len(wantTypes) || source.counters.malformed.Load() != 1 {
		t.Fatalf("%d packets were sent and %d refused, want 3 and 1", len(sent), source.counters.malformed.Load())
	}
	buffer := make([]byte, maxPacket)
	for i, p := range sent {
		if p.PayloadType != wantTypes[i] {
			t.Errorf("packet %d has type %d, want %d", i, p.PayloadType, wantTypes[i])
		}
		d.resend(p.SequenceNumber, epoch, buffer, nil)
		if again := out.take(); len(again) != 1 || fmt.Sprint(again[0]) != fmt.Sprint(p) || !bytes.Equal(again[0].Payload, p.Payload) {
			t.Errorf("packet %d: resent %v, want %v", i, again, p)
		}
	}
}

func TestRedundancyWithoutItsCodecIsRefused(t *testing.T) {
	t.Parallel()
	red := webrtc.RTPCodecParameters{RTPCodecCapability: redCapability, PayloadType: 63}
	opus := webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, PayloadType: 111}
	if got := byPreference([]webrtc.RTPCodecParameters{red}, []string{"opus"}); len(got) != 0 {
		t.Errorf("redundancy alone: %v", got)
	}
	for _, offered := range [][]webrtc.RTPCodecParameters{{red, opus}, {opus, red}} {
		got := byPreference(offered, []string{"vp8", "opus"})
		if len(got) != 2 || got[0].PayloadType != offered[0].PayloadType {
			t.Errorf("%v becomes %v, want the publisher's order", offered, got)
		}
	}
}
