package rtpconn

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"galene/rtptime"
)

// newAudioAskedPC returns a client that understands requests for lost audio.
func newAudioAskedPC(tb testing.TB) *webrtc.PeerConnection {
	tb.Helper()
	media := newPlainMedia(tb)
	media.RegisterFeedback(webrtc.RTCPFeedback{Type: "nack"}, webrtc.RTPCodecTypeAudio)
	return newRemotePCFrom(tb, media, func(*webrtc.SettingEngine) {})
}

func TestLostAudioIsAskedForThreeTimesAtMost(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p := newPublisherOf(t, e, UpConfig{ID: "a"}, newAudioAskedPC(t))
	voice, sender := p.add(webrtc.MimeTypeOpus, "audio", "stream")
	p.connect()
	requests := readRTCP(t, sender)
	up := p.up.tracks.Load().own[0]
	next := bindTrack(t, up, voice, opus, 65530)
	lost := next
	for n := lost + 1; n < lost+10; n++ {
		if err := voice.WriteRTP(opus.packet(n, 65530, false)); err != nil {
			t.Fatal(err)
		}
	}
	asked := 0
	deadline := time.After(time.Second)
	for waiting := true; waiting; {
		select {
		case r := <-requests:
			nack, ok := r.(*rtcp.TransportLayerNack)
			if !ok {
				continue
			}
			for _, pair := range nack.Nacks {
				for _, sequence := range pair.PacketList() {
					if sequence != uint16(65530+lost) {
						t.Errorf("packet %d is asked for, which was not lost", sequence)
					}
					asked++
				}
			}
		case <-deadline:
			waiting = false
		}
	}
	if asked < 1 || asked > 3 {
		t.Errorf("lost audio was asked for %d times, want once to three times", asked)
	}
}

// A loss that one packet shows, after which there is silence, is found by a timer.
func TestLossBeforeSilenceIsAskedForInTime(t *testing.T) {
	t.Parallel()
	track := newBareUpTrack(t, "vp8")
	in := &testIngest{ingest: ingest{track: track}}
	now := rtptime.Now()
	receive(in, vp8.raw(t, 1, 96, true), now)
	receive(in, vp8.raw(t, 3, 96, false), now)
	at, ok := track.losses.Next()
	if wait := rtptime.Instant(at).Sub(now); !ok || wait > 40*time.Millisecond {
		t.Errorf("the loss is asked for after %v, %v, want 40 ms at most", wait, ok)
	}
	select {
	case <-track.up.wake:
	default:
		t.Error("the feedback goroutine is not told to set its timer")
	}
}

// That the last packet of a frame is lost is found by a timer, and not by the next frame only.
func TestLostEndOfAFrameIsAskedForInTime(t *testing.T) {
	t.Parallel()
	within := func(n uint32) []byte {
		raw := vp8.raw(t, n, 96, false)
		raw[1] &^= rtpMarkerBit
		return raw
	}
	track := newBareUpTrack(t, "vp8")
	in := &testIngest{ingest: ingest{track: track}}
	now := rtptime.Now()
	woken := func() bool {
		select {
		case <-track.up.wake:
			return true
		default:
			return false
		}
	}
	track.up.awake.Store(int64(now.Add(time.Second)))
	receive(in, within(1), now)
	if _, ok := track.losses.Next(); ok {
		t.Error("something is asked for of a sender that marks no ends of frames")
	}
	receive(in, vp8.raw(t, 2, 96, false), now)
	receive(in, within(3), now)
	at, ok := track.losses.Next()
	if wait := rtptime.Instant(at).Sub(now); !ok || wait > 40*time.Millisecond {
		t.Errorf("the end of a frame is asked for after %v, %v, want 40 ms at most", wait, ok)
	}
	if !woken() {
		t.Error("the feedback goroutine is not told to set its timer")
	}
	track.up.awake.Store(at)
	receive(in, within(4), now)
	if woken() {
		t.Error("the feedback goroutine is told of a packet although its timer is set")
	}
	receive(in, vp8.raw(t, 5, 96, false), now)
	if _, ok := track.losses.Next(); ok {
		t.Error("something is asked for of a frame that is complete")
	}
	track.up.awake.Store(int64(now.Add(time.Second)))
	for _, raw := range [][]byte{within(6), within(7), vp8.raw(t, 8, 96, false)} { // in one burst
		parseHeader(raw, &in.header)
		in.take(copy(track.cache.Buffer(), raw), now, nil)
	}
	if in.flush(nil); woken() {
		t.Error("the feedback goroutine is told of a frame that came whole")
	}
	padding := within(9)[:rtpFixedHeader]
	receive(in, padding, now)
	if _, ok := track.losses.Next(); ok {
		t.Error("something is asked for after padding")
	}
}

func TestLossesAreForgottenAtTheNextKeyframe(t *testing.T) {
	t.Parallel()
	track := newBareUpTrack(t, "vp8")
	in := &testIngest{ingest: ingest{track: track}}
	receive(in, vp8.raw(t, 1, 96, true), epoch)
	receive(in, vp8.raw(t, 5, 96, false), epoch)
	if n := track.losses.Missing(); n != 3 {
		t.Fatalf("%d packets missing, want 3", n)
	}
	receive(in, vp8.raw(t, 8, 96, true), epoch)
	if n := track.losses.Missing(); n != 0 {
		t.Errorf("%d packets missing after a keyframe, want none below it", n)
	}
}

// Too many are those, too, that the cache could not hold if they came.
func TestTooManyLossesWantAKeyframe(t *testing.T) {
	t.Parallel()
	const last = leastVideoCache
	for _, name := range []string{"vp8", "opus"} {
		track := newBareUpTrack(t, name)
		if err := track.AddSink(newCollector()); err != nil {
			t.Fatal(err)
		}
		payloadType := track.Format().PayloadType
		in := &testIngest{ingest: ingest{track: track}}
		receive(in, vp8.raw(t, 1, payloadType, false), epoch)
		receive(in, vp8.raw(t, last, payloadType, false), epoch)
		if n, want := track.losses.Missing(), name == "vp8"; n != 0 || track.keyframe.wanted != want {
			t.Errorf("%s: %d missing, keyframe wanted: %v, want none and %v", name, n, track.keyframe.wanted, want)
		}
	}
}

func TestKeyframeIsAskedForWhenALossIsGivenUp(t *testing.T) {
	t.Parallel()
	// vp8In returns a packet of VP8 in a temporal layer (RFC 7741 §4.2).
	vp8In := func(n uint32, layer byte) []byte {
		p := vp8.packet(n, 0, n == 1)
		p.PayloadType = 96
		p.Payload = append([]byte{0x90, 0x20, layer << 6}, p.Payload[1:]...)
		raw, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	tests := []struct {
		name       string
		watched    bool
		layer      byte // of every other packet
		wantAfter2 bool // whether a keyframe is wanted when the loss is two seconds old
	}{
		{"one layer", true, 0, true},
		{"two layers, of which one may be missed", true, 1, false},
		{"nobody watches", false, 0, false},
	}
	for _, tt := range tests {
		track := newBareUpTrack(t, "vp8")
		if tt.watched {
			if err := track.AddSink(newCollector()); err != nil {
				t.Fatal(err)
			}
		}
		in := &testIngest{ingest: ingest{track: track}}
		now := rtptime.Now()
		receive(in, vp8In(1, 0), now)
		for n := uint32(3); n < 63; n++ { // 2 is missing
			now = now.Add(33 * time.Millisecond)
			receive(in, vp8In(n, tt.layer*byte(n%2)), now)
			if n < 20 && track.keyframe.wanted {
				t.Errorf("%s: a keyframe is wanted before packet %d", tt.name, n)
			}
			track.losses.Due(int64(now), 100*time.Millisecond, nil)
		}
		if got := track.keyframe.wanted; got != tt.wantAfter2 {
			t.Errorf("%s: a keyframe is wanted: %v, want %v", tt.name, got, tt.wantAfter2)
		}
	}
}
