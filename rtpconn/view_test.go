package rtpconn

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"galene/codecs"
	"galene/conn"
	"galene/rtptime"
)

// testViewer is a client that makes offers to receive.
type testViewer struct {
	*testSubscriber
	view *View
}

// newTestViewer returns a viewer that is ready for sections of these kinds.
func newTestViewer(tb testing.TB, e *Engine, kinds ...webrtc.RTPCodecType) *testViewer {
	tb.Helper()
	return newViewerOf(tb, e, newRemotePC(tb), kinds...)
}

// newViewerOf is newTestViewer for a client of one's own.
func newViewerOf(tb testing.TB, e *Engine, pc *webrtc.PeerConnection, kinds ...webrtc.RTPCodecType) *testViewer {
	tb.Helper()
	s := &testSubscriber{
		tb: tb, pc: pc, tracks: make(chan *remoteTrack, 100),
		failed: make(chan struct{}, 100), broken: make(chan error, 1),
	}
	s.connected = connected(s.pc)
	s.pc.OnTrack(s.onTrack)
	view, err := e.NewView(ViewConfig{ID: "viewer", Codecs: allNames, Events: Events{
		Failed: func() { s.failed <- struct{}{} },
		Broken: func(err error) { s.broken <- err },
	}})
	if err != nil {
		tb.Fatalf("NewView: %v", err)
	}
	tb.Cleanup(view.Close)
	s.down = view.down
	for _, kind := range kinds {
		_, err := s.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		if err != nil {
			tb.Fatal(err)
		}
	}
	return &testViewer{s, view}
}

// choose puts tracks into the first places that fit them.
func (v *testViewer) choose(tracks ...conn.UpTrack) error {
	selection := make([]conn.Selection, len(v.view.Places()))
	for _, t := range tracks {
		i := slices.IndexFunc(selection, func(s conn.Selection) bool { return s.Track == nil })
		for i >= 0 && i < len(selection) && (selection[i].Track != nil || !v.view.Fits(i, t)) {
			i++
		}
		if i < 0 || i >= len(selection) {
			return ErrCodecChanged
		}
		selection[i].Track = t
	}
	return v.view.Select(selection)
}

// offer makes a complete offer.
func (v *testViewer) offer(restart bool) string {
	v.tb.Helper()
	gathered := webrtc.GatheringCompletePromise(v.pc)
	offer, err := v.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		v.tb.Fatal(err)
	}
	if err := v.pc.SetLocalDescription(offer); err != nil {
		v.tb.Fatal(err)
	}
	<-gathered
	return v.pc.LocalDescription().SDP
}

// exchange makes an offer and takes the answer.
func (v *testViewer) exchange(restart bool) (answer string) {
	v.tb.Helper()
	offer := v.offer(restart)
	if _, err := v.view.Offer(offer); err != nil {
		v.tb.Fatalf("Offer: %v\n%s", err, offer)
	}
	answer, err := v.view.Gathered(v.tb.Context())
	if err != nil {
		v.tb.Fatalf("Gathered: %v", err)
	}
	if err := v.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		v.tb.Fatalf("answer: %v\n%s", err, answer)
	}
	return answer
}

// showing publishes a stream with one track for each sample.
func showing(tb testing.TB, e *Engine, id string, samples ...sample) (*testPublisher, []*webrtc.TrackLocalStaticRTP) {
	tb.Helper()
	p := newTestPublisher(tb, e, UpConfig{ID: id, Label: "camera", Codecs: allNames})
	var locals []*webrtc.TrackLocalStaticRTP
	for _, s := range samples {
		local, _ := p.add(s.mime, "track-"+s.name, "stream")
		locals = append(locals, local)
	}
	p.connect()
	for i, s := range samples {
		bindTrack(tb, p.up.tracks.Load().own[i], locals[i], s, 0)
	}
	return p, locals
}

const (
	hear = webrtc.RTPCodecTypeAudio
	see  = webrtc.RTPCodecTypeVideo
)

// send sends numbered packets every few milliseconds until the test ends, with a
// keyframe now and then.
func keepSending(tb testing.TB, local *webrtc.TrackLocalStaticRTP, s sample, first uint32) {
	tb.Helper()
	stop, done := make(chan struct{}), make(chan struct{})
	tb.Cleanup(func() {
		close(stop)
		<-done
	})
	go func() {
		defer close(done)
		for n := first; ; n++ {
			_ = local.WriteRTP(s.packet(n, 0, n%20 == 0))
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
}

func TestViewerGetsWhatItOffersToReceive(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		kinds []webrtc.RTPCodecType
		want  int // tracks
	}{
		{"sound and picture", []webrtc.RTPCodecType{hear, see}, 2},
		{"picture and sound", []webrtc.RTPCodecType{see, hear}, 2},
		{"picture", []webrtc.RTPCodecType{see}, 1},
		{"sound", []webrtc.RTPCodecType{hear}, 1},
		{"more than there is", []webrtc.RTPCodecType{see, hear, see, hear}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newTestEngine(t)
			p, locals := showing(t, e, "a", opus, h264)
			keepSending(t, locals[0], opus, 1000)
			keepSending(t, locals[1], h264, 1000)
			v := newTestViewer(t, e, tt.kinds...)
			answer := v.exchange(false)
			if got := strings.Count(answer, "a=sendonly"); got != len(tt.kinds) {
				t.Errorf("%d sections send, want %d:\n%s", got, len(tt.kinds), answer)
			}
			tracks := slices.DeleteFunc(slices.Clone(p.up.Tracks()), func(track conn.UpTrack) bool {
				return !slices.Contains(tt.kinds, kindToPion(track.Kind()))
			})
			if err := v.choose(tracks...); err != nil {
				t.Fatal(err)
			}
			within(t, "connection", v.connected)
			for range tt.want {
				track := within(t, "track", v.tracks)
				first := within(t, "packet", track.packets)
				for range 50 {
					next := within(t, "packet", track.packets)
					// One may be lost on a busy machine.
					if uint16(number(next.Payload)-number(first.Payload)) != next.SequenceNumber-first.SequenceNumber {
						t.Fatalf("packet %d, number %d, follows packet %d, number %d", number(next.Payload), next.SequenceNumber, number(first.Payload), first.SequenceNumber)
					}
					first = next
				}
			}
			if !v.view.Established() {
				t.Error("the connection is not established")
			}
		})
	}
}

func TestViewersBadOffersAreRefused(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	for _, tt := range []struct {
		name   string
		change func(string) string
		lack   bool // it is a codec that is missing
	}{
		{"nonsense", func(string) string { return "nonsense" }, false},
		{"nothing", func(string) string { return "" }, false},
		{"it sends", func(s string) string { return strings.ReplaceAll(s, "a=recvonly", "a=sendonly") }, false},
		{"no such codec", func(s string) string {
			return strings.NewReplacer("VP8", "XP8", "VP9", "XP9", "H264", "X264", "AV1", "XV1").Replace(s)
		}, true},
	} {
		v := newTestViewer(t, e, see)
		offer := v.offer(false)
		answer, err := v.view.Offer(tt.change(offer))
		_, negotiation := errors.AsType[*NegotiationError](err)
		_, lack := errors.AsType[*UnsupportedError](err)
		if answer != "" || !negotiation || lack != tt.lack {
			t.Errorf("%s: Offer = %q, %v, want a NegotiationError, for want of a codec: %v", tt.name, answer, err, tt.lack)
		}
		if _, err := v.view.Offer(offer); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: Offer after that = %v, want ErrClosed", tt.name, err)
		}
	}
}

func TestViewFollowsToAnotherStream(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	first, locals := showing(t, e, "a", opus, vp8)
	keepSending(t, locals[0], opus, 1000)
	keepSending(t, locals[1], vp8, 1000)
	v := newTestViewer(t, e, hear, see)
	v.exchange(false)
	if err := v.choose(first.up.Tracks()...); err != nil {
		t.Fatal(err)
	}
	tracks := []*remoteTrack{within(t, "track", v.tracks), within(t, "track", v.tracks)}
	for _, track := range tracks {
		within(t, "packet", track.packets)
	}
	first.up.Close()

	second, locals := showing(t, e, "b", opus, vp8)
	const far = 1_000_000
	keepSending(t, locals[0], opus, far)
	keepSending(t, locals[1], vp8, far)
	if err := v.choose(second.up.Tracks()...); err != nil {
		t.Fatalf("Select: %v", err)
	}
	for _, track := range tracks {
		var last uint16
		for n := 0; n < 20; {
			p := within(t, "packet of the other stream", track.packets)
			if number(p.Payload) >= far {
				if n > 0 && int16(p.SequenceNumber-last) <= 0 {
					t.Fatalf("number %d follows %d", p.SequenceNumber, last)
				}
				last = p.SequenceNumber
				n++
			}
		}
	}

	third, _ := showing(t, e, "c", opus, h264)
	sound, picture := third.up.Tracks()[0], third.up.Tracks()[1]
	if err := v.view.Select([]conn.Selection{{Track: sound}, {Track: picture}}); !errors.Is(err, ErrCodecChanged) || v.view.Fits(1, picture) {
		t.Errorf("Select of another codec = %v, want ErrCodecChanged; it fits: %v", err, v.view.Fits(1, picture))
	}
	if err := v.view.Select([]conn.Selection{{Track: sound}}); err != nil || !v.view.Fits(0, sound) {
		t.Errorf("Select of sound only: %v; it fits: %v", err, v.view.Fits(0, sound))
	}
	if v.view.Fits(0, picture) || v.view.Fits(2, sound) || v.view.Fits(-1, sound) {
		t.Error("a track fits where there is no section for it")
	}
	if _, ok := errors.AsType[*UnsupportedError](Unsupported(picture)); !ok {
		t.Errorf("Unsupported = %v, want an UnsupportedError", Unsupported(picture))
	}
}

// of returns packets of a section from one that is numbered first or higher on.
func (v *testViewer) of(mid string, tracks map[string]*remoteTrack, first, n uint32) []*rtp.Packet {
	v.tb.Helper()
	for tracks[mid] == nil {
		track := within(v.tb, "track in section "+mid, v.tracks)
		for _, t := range v.pc.GetTransceivers() {
			if t.Receiver() == track.receiver {
				tracks[t.Mid()] = track
			}
		}
	}
	var packets []*rtp.Packet
	for len(packets) < int(n) {
		p := within(v.tb, "packet in section "+mid, tracks[mid].packets)
		if number(p.Payload) >= first && number(p.Payload) < first+100_000 {
			packets = append(packets, p)
		}
	}
	return packets
}

func TestStreamsComeAndGoInAView(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	publish := func(id string, first uint32, samples ...sample) *testPublisher {
		p, locals := showing(t, e, id, samples...)
		for i, local := range locals {
			keepSending(t, local, samples[i], first)
		}
		return p
	}
	v := newTestViewer(t, e, hear, see, see, see)
	answer := v.exchange(false)
	if got := v.view.Places(); !slices.Equal(got, []codecs.Kind{codecs.Audio, codecs.Video, codecs.Video, codecs.Video}) {
		t.Fatalf("the places are %v", got)
	}
	tracks := make(map[string]*remoteTrack)
	put := func(s ...conn.UpTrack) {
		t.Helper()
		selection := make([]conn.Selection, len(s))
		for i, track := range s {
			selection[i].Track = track
		}
		if err := v.view.Select(selection); err != nil {
			t.Fatalf("Select: %v", err)
		}
	}
	first := publish("a", 100_000, opus, vp8).up.Tracks()
	put(first[0], nil, first[1])
	before := v.of("2", tracks, 100_000, 20)
	v.of("0", tracks, 100_000, 20)

	second := publish("b", 200_000, h264)
	put(first[0], nil, first[1], second.up.Tracks()[0])
	v.of("3", tracks, 200_000, 20)
	third := publish("c", 300_000, vp8).up.Tracks()
	second.up.Close()
	put(nil, third[0])
	v.of("1", tracks, 300_000, 20)

	// In an empty place comes what has its codec, and goes on with its numbers.
	fourth, fifth := publish("d", 400_000, vp8).up.Tracks(), publish("e", 500_000, h264).up.Tracks()
	if v.view.Fits(3, fourth[0]) || !v.view.Fits(3, fifth[0]) {
		t.Error("a place does not keep to its codec")
	}
	put(nil, nil, fourth[0], fifth[0])
	after := v.of("2", tracks, 400_000, 20)
	v.of("3", tracks, 500_000, 20)
	if after[0].SSRC != before[0].SSRC {
		t.Errorf("the source has changed from %d to %d", before[0].SSRC, after[0].SSRC)
	}
	last := before[len(before)-1]
	if gap := int16(after[0].SequenceNumber - last.SequenceNumber); gap <= 0 {
		t.Errorf("number %d follows %d", after[0].SequenceNumber, last.SequenceNumber)
	}
	if step := int32(after[0].Timestamp - last.Timestamp); step <= 0 || step > int32(testPatience.Seconds())*90_000 {
		t.Errorf("the timestamps step by %d", step)
	}
	if now := v.pc.RemoteDescription().SDP; now != answer {
		t.Error("something was negotiated")
	}
	for mid, track := range tracks {
		eventually(t, "the counters of section "+mid, func() bool {
			return slices.ContainsFunc(v.view.down.Stats().Tracks, func(s TrackStats) bool {
				return strings.EqualFold(s.Codec, track.Codec().MimeType)
			})
		})
	}
	v.view.Close()
	if err := v.view.Select([]conn.Selection{{Track: fourth[0]}}); !errors.Is(err, ErrClosed) {
		t.Errorf("Select after Close = %v, want ErrClosed", err)
	}
}

func TestSectionsThatNothingFitsStayEmpty(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	v := newTestViewer(t, e, see, hear, see)
	offer := v.offer(false)
	// The first section gets another codec.
	parts := strings.SplitAfter(offer, "\r\nm=")
	codec := regexp.MustCompile("a=(rtpmap|fmtp|rtcp-fb):.*\r\n")
	parts[1] = regexp.MustCompile("SAVPF .*\r\n").ReplaceAllString(codec.ReplaceAllString(parts[1], ""), "SAVPF 77\r\na=rtpmap:77 XP8/90000\r\n")
	answer, err := v.view.Offer(strings.Join(parts, ""))
	if err != nil {
		t.Fatal(err)
	}
	if got := v.view.Places(); !slices.Equal(got, []codecs.Kind{codecs.Audio, codecs.Video}) {
		t.Errorf("the places are %v, want the last two:\n%s", got, answer)
	}
	for i, part := range strings.Split(answer, "\r\nm=")[1:] {
		if strings.Contains(part, "a=sendonly") != (i > 0) {
			t.Errorf("section %d is answered so:\n%s", i, part)
		}
	}
}

func TestViewHasAsManyPlacesAsSectionsAreAllowed(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	v := newTestViewer(t, e, slices.Repeat([]webrtc.RTPCodecType{see}, maxSections)...)
	answer := v.exchange(false)
	if got, sends := len(v.view.Places()), strings.Count(answer, "a=sendonly"); got != maxSections || sends != maxSections {
		t.Errorf("%d places, %d sections that send, want %d", got, sends, maxSections)
	}
	v = newTestViewer(t, e, slices.Repeat([]webrtc.RTPCodecType{hear}, maxSections+1)...)
	if _, err := v.view.Offer(v.offer(false)); !isNegotiationError(err) {
		t.Errorf("Offer of one section more = %v, want a NegotiationError", err)
	}
}

func isNegotiationError(err error) bool {
	_, ok := errors.AsType[*NegotiationError](err)
	return ok
}

func TestPicturesShareWhatASubscriberCanTake(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	v := newTestViewer(t, e, see, hear, see)
	v.exchange(false)
	first, _ := showing(t, e, "a", opus, vp8)
	second, _ := showing(t, e, "b", vp8)
	for _, tt := range []struct {
		tracks []conn.UpTrack
		want   uint64 // for each picture
	}{
		{first.up.Tracks(), 400_000},
		{append(slices.Clone(first.up.Tracks()), second.up.Tracks()...), 200_000},
	} {
		if err := v.choose(tt.tracks...); err != nil {
			t.Fatal(err)
		}
		for _, track := range *v.view.down.active.Load() {
			estimate := &rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 400_000, SSRCs: []uint32{track.source()}}
			track.handleRTCP(estimate)
			want := uint64(400_000)
			if track.isVideo() {
				want = tt.want
			}
			if got := track.allow.Allowed(rtptime.Now()); got != want {
				t.Errorf("%d tracks: a %s track may have %d, want %d", len(tt.tracks), track.format.Kind, got, want)
			}
		}
	}
}

func TestViewGoesOnAfterAnICERestart(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p, locals := showing(t, e, "a", opus)
	v := newTestViewer(t, e, hear)
	before := v.exchange(false)
	if err := v.choose(p.up.Tracks()...); err != nil {
		t.Fatal(err)
	}
	within(t, "connection", v.connected)
	keepSending(t, locals[0], opus, 1000)
	track := within(t, "track", v.tracks)
	within(t, "packet", track.packets)
	after := v.exchange(true)
	if line := lineOf(after, "a=ice-ufrag:"); line == "" || line == lineOf(before, "a=ice-ufrag:") {
		t.Errorf("our credentials are %q as before", line)
	}
	last := track.packets
	for len(last) > 0 {
		<-last
	}
	for range 100 {
		within(t, "packet after the restart", track.packets)
	}
}

// lineOf returns the first line that begins so.
func lineOf(description, start string) string {
	for line := range strings.SplitSeq(description, "\r\n") {
		if strings.HasPrefix(line, start) {
			return line
		}
	}
	return ""
}
