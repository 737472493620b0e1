package rtpconn

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"galene/codecs"
	"galene/conn"
	"galene/rtptime"
	"galene/udpsocket"
)

// stream is a publisher with one video track that is known to the engine.
type stream struct {
	*testPublisher
	track *webrtc.TrackLocalStaticRTP
	up    *upTrack
	next  uint32 // number of the next packet
	start uint16
}

// newStream publishes VP8, numbered from start.
func newStream(t *testing.T, e *Engine, start uint16) *stream {
	t.Helper()
	p := newTestPublisher(t, e, UpConfig{ID: "a", Label: "camera"})
	track, _ := p.add(webrtc.MimeTypeVP8, "video", "stream")
	p.connect()
	up := p.up.tracks.Load().own[0]
	s := &stream{p, track, up, 0, start}
	s.next = bindTrack(t, up, track, vp8, start)
	return s
}

// write publishes packets that continue the stream.
func (s *stream) write(count int, keyframe bool) {
	s.tb.Helper()
	for i := range count {
		if err := s.track.WriteRTP(vp8.packet(s.next, s.start, keyframe && i == 0)); err != nil {
			s.tb.Error(err)
			return
		}
		s.next++
	}
}

// arrived waits until the engine has all packets.
func (s *stream) arrived() {
	s.tb.Helper()
	eventually(s.tb, "all packets have arrived", func() bool {
		head, ok := s.up.Head()
		return ok && uint16(head) == s.start+uint16(s.next-1)
	})
}

// age waits until the cached keyframe is too old to start from.
func (s *stream) age() {
	s.tb.Helper()
	eventually(s.tb, "the cached keyframe is too old", func() bool {
		_, _, ok := s.up.GroupOfPictures()
		return !ok
	})
}

func TestNewcomerStartsWithTheCachedKeyframe(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 65500)
	sub := newTestSubscriber(t, e, s.testPublisher.up)
	sub.selectAll(s.testPublisher.up.Tracks()...)
	sub.negotiate(false)

	// The keyframe is renewed until just before the subscriber is attached.
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				s.write(20, true)
			}
		}
	})
	within(t, "connection of the subscriber", sub.connected)
	sub.attached()
	close(stop)
	wg.Wait()
	s.write(50, false)
	remote := within(t, "track", sub.tracks)
	checkStream(t, remote, vp8, s.start, s.next-1)

	s.up.mu.Lock()
	defer s.up.mu.Unlock()
	if s.up.keyframe.number != 0 {
		t.Errorf("the publisher was asked for %d keyframes, want none", s.up.keyframe.number)
	}
}

func TestNewcomerWithoutACachedKeyframeWaitsForOne(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 10)
	requests := readRTCP(t, s.pc.GetSenders()[0])
	s.age()
	sub := newTestSubscriber(t, e, s.testPublisher.up)
	sub.connect(s.testPublisher.up.Tracks()...)
	nextPLI(t, requests)
	s.write(10, false)
	s.arrived()
	s.write(10, true)
	s.write(10, false)
	checkStream(t, within(t, "track", sub.tracks), vp8, s.start, s.next-1)
}

func TestPaddingIsNumberedPast(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 65530)
	sub := newTestSubscriber(t, e, s.testPublisher.up)
	sub.connect(s.testPublisher.up.Tracks()...)
	sub.attached()
	s.write(5, true)
	remote := within(t, "track", sub.tracks)

	// Packets with numbers of their own but no payload, between the others.
	for range 10 {
		padding := vp8.packet(s.next, s.start, false)
		padding.Payload, padding.Header.Padding, padding.Header.PaddingSize = nil, true, 200
		if err := s.track.WriteRTP(padding); err != nil {
			t.Fatal(err)
		}
		s.start++ // of which the stream's own count knows nothing
		s.write(2, false)
	}
	var last uint16
	seen := 0
	for n := uint32(0); n != s.next-1; {
		p := within(t, "packet", remote.packets)
		if len(p.Payload) == 0 {
			t.Fatalf("padding was forwarded as %v", p)
		}
		if seen > 0 && p.SequenceNumber != last+1 {
			t.Fatalf("number %d after %d: the padding has left a hole", p.SequenceNumber, last)
		}
		last, n = p.SequenceNumber, number(p.Payload)
		seen++
	}

	// Padding that comes late fills the hole that it has left.
	padding := vp8.packet(s.next, s.start, false)
	padding.Payload, padding.Header.Padding, padding.Header.PaddingSize = nil, true, 100
	s.next++
	s.write(1, false)
	if err := s.track.WriteRTP(padding); err != nil {
		t.Fatal(err)
	}
	if p := within(t, "packet after the hole", remote.packets); p.SequenceNumber != last+2 {
		t.Fatalf("number %d after %d, want a hole", p.SequenceNumber, last)
	}
	if p := within(t, "padding", remote.packets); p.SequenceNumber != last+1 || len(p.Payload) != 0 || !p.Header.Padding {
		t.Errorf("the hole is filled by %v", p)
	}
}

// lossyEgress drops packets instead of sending them.
type lossyEgress struct {
	egress
	mu   sync.Mutex
	drop func(h *rtp.Header) bool
	sent map[uint16][][]byte // every packet that was to be sent
}

func (l *lossyEgress) WriteRTP(h *rtp.Header, payload []byte, out *udpsocket.Batch) error {
	raw, err := (&rtp.Packet{Header: *h, Payload: payload}).Marshal()
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.sent[h.SequenceNumber] = append(l.sent[h.SequenceNumber], raw)
	drop := l.drop(h)
	l.mu.Unlock()
	if drop {
		return nil
	}
	return l.egress.WriteRTP(h, payload, out)
}

// lose makes a down track lose packets.
func lose(d *downTrack, drop func(h *rtp.Header) bool) *lossyEgress {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := &lossyEgress{egress: d.out, drop: drop, sent: make(map[uint16][][]byte)}
	d.out = l
	return l
}

func TestSubscribersAreResentWhatTheyLack(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 40000)
	sub := newSubscriberOf(t, e, s.testPublisher.up, newPlainPC(t))
	sub.connect(s.testPublisher.up.Tracks()...)
	remote := s.settle(sub)

	down := sub.down.sending()[0]
	lost := make(map[uint16]bool)
	egress := lose(down, func(h *rtp.Header) bool {
		first := h.SequenceNumber%4 == 0 && !lost[h.SequenceNumber]
		lost[h.SequenceNumber] = lost[h.SequenceNumber] || first
		return first
	})
	s.write(1, true)
	s.write(100, false)
	s.write(1, false)
	s.arrived()

	// A receiver that asks for each hole until it is filled.
	got := make(map[uint16]*rtp.Packet)
	eventually(t, "every packet has arrived", func() bool {
		for {
			select {
			case p := <-remote.packets:
				got[p.SequenceNumber] = p
				continue
			case <-time.After(20 * time.Millisecond):
			}
			break
		}
		var missing []uint16
		egress.mu.Lock()
		for sequence := range egress.sent {
			if got[sequence] == nil {
				missing = append(missing, sequence)
			}
		}
		egress.mu.Unlock()
		if len(missing) == 0 {
			return len(got) > 100
		}
		err := sub.pc.WriteRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{
			SenderSSRC: 1, MediaSSRC: uint32(remote.SSRC()),
			Nacks: rtcp.NackPairsFromSequenceNumbers(missing),
		}})
		if err != nil {
			t.Fatal(err)
		}
		return false
	})
	egress.mu.Lock()
	defer egress.mu.Unlock()
	resent := 0
	for sequence, copies := range egress.sent {
		for _, c := range copies[1:] {
			resent++
			if !bytes.Equal(c, copies[0]) {
				t.Errorf("packet %d was sent again with other bytes:\n%x\n%x", sequence, copies[0], c)
			}
		}
	}
	if resent < 20 {
		t.Errorf("%d packets were sent again, want a quarter of a hundred", resent)
	}
}

func TestSectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p := newTestPublisher(t, e, UpConfig{ID: "a"})
	audio, _ := p.add(webrtc.MimeTypeOpus, "audio", "stream")
	video, _ := p.add(webrtc.MimeTypeVP8, "video", "stream")
	p.connect()
	own := p.up.tracks.Load().own
	nextAudio := bindTrack(t, own[0], audio, opus, 0)
	next := bindTrack(t, own[1], video, vp8, 0)

	sub := newTestSubscriber(t, e, p.up)
	sub.connect(own[0], own[1])
	for cycle := range 12 {
		if !sub.selectAll(own[0]) {
			t.Fatal("removing video needs no offer")
		}
		offer := sub.negotiate(false)
		if got := strings.Count(offer, "m="); got != 2 {
			t.Fatalf("cycle %d: %d sections without video, want 2", cycle, got)
		}
		if !strings.Contains(offer, "a=inactive") {
			t.Fatalf("cycle %d: no section is inactive\n%s", cycle, offer)
		}
		if !sub.selectAll(own[0], own[1]) {
			t.Fatal("adding video needs no offer")
		}
		offer = sub.negotiate(false)
		if got := strings.Count(offer, "m="); got != 2 || strings.Contains(offer, "a=inactive") {
			t.Fatalf("cycle %d: %d sections with video, want 2 active ones\n%s", cycle, got, offer)
		}
	}
	if sub.selectAll(own[0], own[1]) {
		t.Error("selecting the same again needs an offer")
	}

	// Both kinds still flow.
	var remotes []*remoteTrack
	eventually(t, "audio and video flow", func() bool {
		if err := audio.WriteRTP(opus.packet(nextAudio, 0, false)); err != nil {
			t.Fatal(err)
		}
		if err := video.WriteRTP(vp8.packet(next, 0, true)); err != nil {
			t.Fatal(err)
		}
		nextAudio++
		next++
		select {
		case r := <-sub.tracks:
			remotes = append(remotes, r)
		case <-time.After(10 * time.Millisecond):
		}
		return flows(remotes, webrtc.RTPCodecTypeAudio) && flows(remotes, webrtc.RTPCodecTypeVideo)
	})
}

// flows tells whether any track of a kind has received something.
func flows(tracks []*remoteTrack, kind webrtc.RTPCodecType) bool {
	return slices.ContainsFunc(tracks, func(r *remoteTrack) bool {
		return r.Kind() == kind && len(r.packets) > 0
	})
}

func TestSourceIsSwappedWithoutNegotiation(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	// Two publishers stand for two encodings: other numbers, other timestamps.
	high, low := newStream(t, e, 100), newStream(t, e, 33333)
	sub := newTestSubscriber(t, e, high.testPublisher.up)
	sub.connect(high.up)
	sub.attached()
	high.write(30, true)
	remote := within(t, "track", sub.tracks)
	lowRequests := readRTCP(t, low.pc.GetSenders()[0])

	var last *rtp.Packet
	read := func(source *stream) {
		t.Helper()
		for {
			p := within(t, "packet", remote.packets)
			if last != nil && (p.SequenceNumber != last.SequenceNumber+1 || int32(p.Timestamp-last.Timestamp) <= 0 || p.SSRC != last.SSRC) {
				t.Fatalf("packet %v after %v", p.Header, last.Header)
			}
			if last != nil && p.Timestamp-last.Timestamp > 90000*60 {
				t.Fatalf("the time jumps by %d ticks", p.Timestamp-last.Timestamp)
			}
			last = p
			if number(p.Payload) == source.next-1 {
				return
			}
		}
	}
	read(high)
	if sub.selectAll(low.up) {
		t.Error("a swap needs an offer")
	}
	nextPLI(t, lowRequests)
	low.write(10, false) // no keyframe yet: the old source goes on
	low.arrived()
	high.write(10, false)
	high.arrived()
	read(high)
	low.write(1, true)
	low.write(30, false)
	read(low)
	eventually(t, "the old source is left alone", high.up.sinks.empty)
	high.write(10, true) // and no more of it
	high.arrived()
	low.write(10, false)
	read(low)

	// And back.
	sub.selectAll(high.up)
	high.write(20, true)
	read(high)
	eventually(t, "the other source is left alone", low.up.sinks.empty)
	if rounds := sub.down.sending(); len(rounds) != 1 {
		t.Errorf("%d tracks", len(rounds))
	}
}

func TestCodecTheSubscriberLacksIsNamed(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 0)
	sub := newTestSubscriber(t, e, s.testPublisher.up)
	sub.selectAll(s.up)
	offer, _, err := sub.down.Offer(false)
	if err != nil {
		t.Fatal(err)
	}
	// A client that knows no VP8 rejects the section.
	media := &webrtc.MediaEngine{}
	if err := media.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP9, ClockRate: 90000},
		PayloadType:        98,
	}, webrtc.RTPCodecTypeVideo); err != nil {
		t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(media)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.GracefulClose()
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		t.Fatal(err)
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = sub.down.Answer(answer.SDP)
	refusal, ok := errors.AsType[*NegotiationError](err)
	if !ok || !strings.Contains(refusal.Text, "video/VP8") {
		t.Errorf("error = %v, want one that names video/VP8", err)
	}
	lack, ok := errors.AsType[*UnsupportedError](err)
	if !ok || lack.Kind != codecs.Video || lack.MimeType != webrtc.MimeTypeVP8 {
		t.Errorf("cause = %+v, want video and its codec", lack)
	}
}

func TestChangedCodecTakesANewConnection(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 0)
	other := newTestPublisher(t, e, UpConfig{ID: "b", Codecs: []string{"h264"}})
	other.add(webrtc.MimeTypeH264, "v", "s")
	other.connect()

	sub := newTestSubscriber(t, e, s.testPublisher.up)
	sub.connect(s.up)
	_, err := sub.down.Select([]conn.Selection{{Track: other.up.Tracks()[0]}})
	if !errors.Is(err, ErrCodecChanged) {
		t.Errorf("Select while active: %v, want ErrCodecChanged", err)
	}
	sub.selectAll()
	sub.negotiate(false)
	if _, err := sub.down.Select([]conn.Selection{{Track: other.up.Tracks()[0]}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := sub.down.Offer(false); !errors.Is(err, ErrCodecChanged) {
		t.Errorf("Offer after it was inactive: %v, want ErrCodecChanged", err)
	}
}

func TestOffersWaitForTheAnswer(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 0)
	sub := newTestSubscriber(t, e, s.testPublisher.up)
	if _, err := sub.down.Answer("v=0"); err == nil {
		t.Error("an answer to nothing is taken")
	}
	sub.connect(s.up)
	sub.attached() // else there would be nothing to restart
	first := sub.offer(false)
	if _, ok, err := sub.down.Offer(true); ok || err != nil {
		t.Fatalf("a second Offer = %v, %v, want it remembered", ok, err)
	}
	if !sub.answer(first) {
		t.Fatal("the second offer was forgotten")
	}
	second := sub.negotiate(false)
	if ufrag(first) == ufrag(second) {
		t.Error("its restart was forgotten")
	}
	s.write(5, true)
	remote := within(t, "track", sub.tracks)
	eventually(t, "media flows after the restart", func() bool {
		s.write(1, true)
		for {
			select {
			case p := <-remote.packets:
				if number(p.Payload) == s.next-1 {
					return true
				}
			case <-time.After(50 * time.Millisecond):
				return false
			}
		}
	})
}

func TestRestartBeforeTheConnectionStandsIsNone(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 0)
	sub := newTestSubscriber(t, e, s.testPublisher.up)
	sub.selectAll(s.up)
	sub.negotiate(true)
	sub.negotiate(true)
	within(t, "connection", sub.connected)
}

func TestOverdueOfferIsRepeated(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 0)
	sub := newTestSubscriber(t, e, s.testPublisher.up)
	sub.selectAll(s.up)
	first, _, err := sub.down.Offer(false)
	if err != nil {
		t.Fatal(err)
	}
	expire := func() {
		sub.down.mu.Lock()
		sub.down.negotiation.deadline = 1
		sub.down.mu.Unlock()
	}
	expire()
	within(t, "wish for another offer", sub.renegotiate)
	second, ok, err := sub.down.Offer(true)
	if err != nil || !ok || ufrag(first) != ufrag(second) {
		t.Fatalf("Offer = %v, %v, want the same one again", ok, err)
	}
	sub.answerTo(second)
	expire()
	if err := within(t, "end of patience", sub.broken); !errors.Is(err, errUnanswered) {
		t.Errorf("broken by %v, want %v", err, errUnanswered)
	}
}

func TestSenderReportsFollowThePublishersClock(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 0)
	sub := newTestSubscriber(t, e, s.testPublisher.up)
	sub.connect(s.up)
	sub.attached()
	s.write(10, true)
	remote := within(t, "track", sub.tracks)
	within(t, "packet", remote.packets)
	select {
	case r := <-remote.rtcp:
		t.Errorf("%v before the publisher's clock is known", r)
	case <-time.After(2 * serveInterval):
	}

	ssrc := uint32(s.pc.GetSenders()[0].GetParameters().Encodings[0].SSRC)
	// The publisher's wall clock is years off.
	err := s.pc.WriteRTCP([]rtcp.Packet{
		&rtcp.SenderReport{SSRC: ssrc, NTPTime: 12345 << 32, RTPTime: 1_000_000},
		&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
			Source: ssrc, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "me"}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	sent := time.Now()
	var report *rtcp.SenderReport
	var name string
	eventually(t, "a report with a name", func() bool {
		switch r := within(t, "report", remote.rtcp).(type) {
		case *rtcp.SenderReport:
			report = r
		case *rtcp.SourceDescription:
			name = r.Chunks[0].Items[0].Text
		}
		return report != nil && name == "me"
	})
	elapsed := time.Since(sent).Seconds()
	down := sub.down.sending()[0]
	if report.SSRC != uint32(remote.SSRC()) || report.PacketCount != uint32(down.rate.Packets()) ||
		report.OctetCount != uint32(down.rate.Bytes()) {
		t.Errorf("report %+v, want %d packets and %d octets of payload", report, down.rate.Packets(), down.rate.Bytes())
	}
	// 1 000 000 when it was sent, and 90 000 ticks a second since then.
	if report.RTPTime < 990_000 || float64(report.RTPTime) > 1_000_000+(elapsed+1)*90_000 {
		t.Errorf("RTP time %d, %.3f s after 1000000", report.RTPTime, elapsed)
	}
	wall := time.Unix(int64(report.NTPTime>>32)-2_208_988_800, 0)
	if d := time.Since(wall); d < -2*time.Second || d > time.Minute {
		t.Errorf("NTP time is %v off our wall clock", d)
	}
}

func TestReportsAreMoreFrequentAtFirst(t *testing.T) {
	t.Parallel()
	reported := 0
	const visits = 100
	for visit := range visits {
		if visit > 30 && reportDue(visit, reported) {
			reported++
		}
		if want := min(max(visit-30, 0), earlyReports); visit <= 30+earlyReports && reported != want {
			t.Errorf("%d reports by visit %d, the first at visit 31, want %d", reported, visit, want)
		}
	}
	if want := earlyReports + (visits-31-earlyReports)/reportVisits; reported < want || reported > want+1 {
		t.Errorf("%d reports in %d visits, want about %d", reported, visits, want)
	}
}

func TestPublisherThatKeepsChangingItsNameIsNotReportedOfEachTime(t *testing.T) {
	t.Parallel()
	s := newStream(t, newTestEngine(t), 0)
	sub := newTestSubscriber(t, s.testPublisher.up.engine, s.testPublisher.up)
	sub.connect(s.up)
	sub.attached()
	s.write(10, true)
	remote := within(t, "track", sub.tracks)
	ssrc := uint32(s.pc.GetSenders()[0].GetParameters().Encodings[0].SSRC)
	const changes = 300
	start := time.Now()
	for n := range changes {
		err := s.pc.WriteRTCP([]rtcp.Packet{
			&rtcp.SenderReport{SSRC: ssrc, NTPTime: 12345 << 32, RTPTime: 1_000_000},
			&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
				Source: ssrc, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: fmt.Sprint(n)}},
			}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	eventually(t, "the last name is reported", func() bool {
		d, ok := within(t, "report", remote.rtcp).(*rtcp.SourceDescription)
		return ok && d.Chunks[0].Items[0].Text == fmt.Sprint(changes-1)
	})
	reports := sub.down.sending()[0].reportCount()
	// One at each tick, and one out of turn between two of them.
	if limit := 2*int(time.Since(start)/serveInterval) + 4; reports > limit {
		t.Errorf("%d reports of %d changes, want at most %d", reports, changes, limit)
	}
}

// reportCount is how many sender reports were made.
func (d *downTrack) reportCount() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.subscriber.reported
}

func TestSubscribersFeedbackIsTaken(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 0)
	sub := newTestSubscriber(t, e, s.testPublisher.up)
	sub.connect(s.up)
	sub.attached()
	s.write(5, true)
	s.arrived()
	remote := within(t, "track", sub.tracks)
	ssrc := uint32(remote.SSRC())
	down := sub.down.sending()[0]
	if got := down.current.AllowedRate(rtptime.Now()); got != 512_000 {
		t.Errorf("without feedback %d is allowed, want 512000", got)
	}
	requests := readRTCP(t, s.pc.GetSenders()[0])
	eventually(t, "REMB and losses count", func() bool {
		err := sub.pc.WriteRTCP([]rtcp.Packet{
			&rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: ssrc, FractionLost: 128}}},
			&rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: 1, Bitrate: 300_000, SSRCs: []uint32{ssrc}},
			&rtcp.FullIntraRequest{SenderSSRC: 1, FIR: []rtcp.FIREntry{{SSRC: ssrc, SequenceNumber: 0}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
		return down.current.AllowedRate(rtptime.Now()) < 100_000
	})
	nextPLI(t, requests)
	down.mu.Lock()
	defer down.mu.Unlock()
	if got := down.subscriber.keyframes.next; got != 1 {
		t.Errorf("FIR number 0, repeated, counts as %d requests, want 1", got)
	}
}

func TestConnectionsMayBeClosedAtAnyTime(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	s := newStream(t, e, 0)
	var wg sync.WaitGroup
	for i := range 8 {
		sub := newTestSubscriber(t, e, s.testPublisher.up)
		sub.selectAll(s.up)
		if i%4 > 0 {
			offer, _, err := sub.down.Offer(false)
			if err != nil {
				t.Fatal(err)
			}
			if i%4 > 1 {
				sub.answer(offer)
			}
			if i%4 > 2 {
				within(t, "connection", sub.connected)
			}
		}
		wg.Go(sub.down.Close)
		wg.Go(sub.down.Close)
		s.write(3, true)
	}
	wg.Wait()
	if !s.up.sinks.empty() {
		t.Error("closed connections are still called")
	}
	sub := newTestSubscriber(t, e, s.testPublisher.up)
	sub.down.Close()
	if _, err := sub.down.Select(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Select after Close: %v", err)
	}
	if _, _, err := sub.down.Offer(false); !errors.Is(err, ErrClosed) {
		t.Errorf("Offer after Close: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.NewUp(UpConfig{}); !errors.Is(err, ErrClosed) {
		t.Errorf("NewUp after Close: %v, want ErrClosed", err)
	}
}

func TestSubscribersComeAndGoWhileMediaFlows(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	a, b := newStream(t, e, 65000), newStream(t, e, 0)
	done := make(chan struct{})
	var publishers sync.WaitGroup
	for _, s := range []*stream{a, b} {
		publishers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				case <-time.After(2 * time.Millisecond):
					s.write(3, n%50 == 0)
				}
			}
		})
	}
	t.Run("subscribers", func(t *testing.T) {
		for range 4 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for range 3 {
					visit(t, e, a, b)
				}
			})
		}
	})
	close(done)
	publishers.Wait()
	if !a.up.sinks.empty() || !b.up.sinks.empty() {
		t.Error("some subscribers are still called")
	}
}

// visit subscribes to a, to b and to a again, and checks that the numbering
// has no gap.
func visit(t *testing.T, e *Engine, a, b *stream) {
	t.Helper()
	sub := newTestSubscriber(t, e, a.testPublisher.up)
	sub.connect(a.up)
	remote := within(t, "track", sub.tracks)
	last := within(t, "packet", remote.packets)
	for n := range 60 {
		switch n {
		case 20:
			sub.selectAll(b.up)
		case 40:
			sub.selectAll(a.up)
		}
		p := within(t, "packet", remote.packets)
		if p.SequenceNumber != last.SequenceNumber+1 {
			t.Errorf("number %d after %d", p.SequenceNumber, last.SequenceNumber)
		}
		last = p
	}
	sub.down.Close()
	_ = sub.pc.GracefulClose()
}
