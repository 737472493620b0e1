package rtpconn

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"galene/codecs"
	"galene/conn"
	"galene/udpmux"
)

// simulcast adds a track with encodings to a publisher, and returns what writes to each.
func (p *testPublisher) simulcast(rids ...string) map[string]*webrtc.TrackLocalStaticRTP {
	p.tb.Helper()
	tracks := make(map[string]*webrtc.TrackLocalStaticRTP)
	var sender *webrtc.RTPSender
	for _, rid := range rids {
		track, err := webrtc.NewTrackLocalStaticRTP(
			webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "video", "camera",
			webrtc.WithRTPStreamID(rid),
		)
		if err != nil {
			p.tb.Fatal(err)
		}
		tracks[rid] = track
		if sender == nil {
			t, err := p.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{
				Direction: webrtc.RTPTransceiverDirectionSendonly,
			})
			if err != nil {
				p.tb.Fatal(err)
			}
			sender = t.Sender()
		} else if err := sender.AddEncoding(track); err != nil {
			p.tb.Fatal(err)
		}
	}
	return tracks
}

// identify adds the extensions that tell which encoding a packet is of.
func (p *testPublisher) identify(packet *rtp.Packet, mid, rid string) *rtp.Packet {
	p.tb.Helper()
	for _, e := range p.pc.GetSenders()[0].GetParameters().HeaderExtensions {
		value := ""
		switch e.URI {
		case sdp.SDESMidURI:
			value = mid
		case sdp.SDESRTPStreamIDURI:
			value = rid
		}
		if value != "" {
			if err := packet.SetExtension(uint8(e.ID), []byte(value)); err != nil {
				p.tb.Fatal(err)
			}
		}
	}
	return packet
}

func TestEncodingsAreListedInTheOrderOfTheDescription(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p := newTestPublisher(t, e, UpConfig{ID: "a"})
	tracks := p.simulcast("h", "l")
	p.connect()

	own := p.up.tracks.Load().own
	sinks := []*collector{newCollector(), newCollector()}
	for i, rid := range []string{"h", "l"} {
		if got := own[i].RID(); got != rid {
			t.Fatalf("track %d is %q, want %q", i, got, rid)
		}
		if err := own[i].AddSink(sinks[i]); err != nil {
			t.Fatal(err)
		}
	}
	// The low one's packets come first.
	for i, rid := range []string{"l", "h"} {
		index := 1 - i
		n := uint32(0)
		eventually(t, "packets of encoding "+rid, func() bool {
			packet := p.identify(vp8.packet(n, 1000, true), "0", rid)
			packet.Timestamp += uint32(index) << 20
			if err := tracks[rid].WriteRTP(packet); err != nil {
				t.Fatal(err)
			}
			n++
			return len(sinks[index].packets) > 0
		})
		got := <-sinks[index].packets
		if got.Timestamp>>20 != uint32(index) || !got.Frame.Keyframe {
			t.Errorf("encoding %q delivered %+v", rid, got)
		}
	}
	if got := p.up.Tracks(); len(got) != 2 || got[0].RID() != "h" || got[1].RID() != "l" {
		t.Errorf("the order has changed: %v", got)
	}
}

func TestTheGroupsCodecOrderRulesTheAnswer(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	for _, names := range [][]string{{"vp9", "vp8"}, {"h264", "vp8"}, {"vp8", "h264"}} {
		p := newTestPublisher(t, e, UpConfig{ID: "a", Codecs: names})
		p.add(webrtc.MimeTypeVP8, "v", "s")
		answer := p.offer(nil)
		d, sections, err := parseDescription(answer)
		if err != nil || len(sections) != 1 {
			t.Fatalf("answer: %v\n%s", err, answer)
		}
		codec, err := d.GetCodecForPayloadType(sections[0].payloadTypes[0])
		if err != nil || !strings.EqualFold(codec.Name, names[0]) {
			t.Errorf("codecs %v: the answer begins with %v, %v", names, codec, err)
		}
		if got := p.up.Tracks()[0].Format().Name; got != names[0] {
			t.Errorf("codecs %v: the track expects %q", names, got)
		}
		if !strings.Contains(answer, "a=recvonly") || !strings.Contains(answer, "a=setup:passive") {
			t.Errorf("answer without recvonly or setup:passive:\n%s", answer)
		}
	}
}

func TestRefusedOffersLeaveNothing(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	pc := newRemotePC(t)
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264}, "v", "s")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
		t.Fatal(err)
	}
	h264, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pc.CreateDataChannel("data", nil); err != nil {
		t.Fatal(err)
	}
	data, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, offer string
		codecs      []string
		want        string
	}{
		{"garbage", "\x00garbage", nil, "cannot be read"},
		{"empty", "", nil, "nothing to send"},
		{"a data channel", data.SDP, nil, `kind "application"`},
		{"no codec in common", h264.SDP, []string{"g722"}, "None of the offered codecs"},
		{"no fingerprint", strings.ReplaceAll(h264.SDP, "a=fingerprint", "a=nothing"), []string{"h264"}, "cannot be used"},
		{"no credentials", strings.ReplaceAll(h264.SDP, "a=ice-ufrag", "a=nothing"), []string{"h264"}, "cannot be used"},
	}
	for _, tt := range tests {
		up, err := e.NewUp(UpConfig{ID: "a", Codecs: tt.codecs})
		if err != nil {
			t.Fatal(err)
		}
		_, err = up.Offer(tt.offer)
		refusal, ok := errors.AsType[*NegotiationError](err)
		if !ok || !strings.Contains(refusal.Text, tt.want) {
			t.Errorf("%s: error = %v, want one with %q", tt.name, err, tt.want)
		}
		if _, err := up.Offer(h264.SDP); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: the next offer: %v, want ErrClosed", tt.name, err)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.connections) != 0 {
		t.Errorf("%d connections are left", len(e.connections))
	}
}

func TestCandidatesMayComeAtAnyTime(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p := newTestPublisher(t, e, UpConfig{ID: "a"})
	tests := []struct {
		name      string
		candidate string
		wantError bool
	}{
		{"before the offer", "candidate:1 1 udp 2122260223 127.0.0.1 9 typ host", false},
		{"the end", "", false},
		{"of a browser that hides its address", "candidate:2 1 udp 2122260223 0a1b2c3d-0000-4000-8000-000000000000.local 50000 typ host", false},
		{"too long", strings.Repeat("a", maxCandidateText+1), true},
	}
	for _, tt := range tests {
		if err := p.up.AddCandidate(Candidate{Candidate: tt.candidate}); (err != nil) != tt.wantError {
			t.Errorf("%s: error %v", tt.name, err)
		}
	}
	p.add(webrtc.MimeTypeVP8, "v", "s")
	p.connect()
	for _, tt := range tests[1:3] {
		if err := p.up.AddCandidate(Candidate{Candidate: tt.candidate}); err != nil {
			t.Errorf("%s, afterwards: error %v", tt.name, err)
		}
	}
	if err := p.up.AddCandidate(Candidate{Candidate: "garbage"}); err == nil {
		t.Error("garbage is taken")
	}
	refusedAfter := 0
	for refusedAfter <= maxCandidates && p.up.AddCandidate(Candidate{Candidate: tests[0].candidate}) == nil {
		refusedAfter++
	}
	if refusedAfter > maxCandidates {
		t.Errorf("more than %d candidates are taken", maxCandidates)
	}
	p.up.Close()
	if err := p.up.AddCandidate(Candidate{Candidate: tests[0].candidate}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
}

func TestSectionsComeAndGo(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p := newTestPublisher(t, e, UpConfig{ID: "a"})
	audio, _ := p.add(webrtc.MimeTypeOpus, "audio", "s")
	p.connect()
	first := p.up.tracks.Load().own[0]
	bindTrack(t, first, audio, opus, 7)

	video, sender := p.add(webrtc.MimeTypeVP8, "video", "s")
	p.offer(nil)
	within(t, "news of the second track", p.changed)
	tracks := p.up.Tracks()
	if len(tracks) != 2 || tracks[0] != conn.UpTrack(first) || tracks[1].Kind() != codecs.Video {
		t.Fatalf("tracks after adding video: %v", tracks)
	}
	second := p.up.tracks.Load().own[1]
	bindTrack(t, second, video, vp8, 9)

	if err := p.pc.RemoveTrack(sender); err != nil {
		t.Fatal(err)
	}
	p.offer(nil)
	if tracks := p.up.Tracks(); len(tracks) != 1 || tracks[0] != conn.UpTrack(first) {
		t.Fatalf("tracks after removing video: %v", tracks)
	}
	if err := second.AddSink(newCollector()); !errors.Is(err, conn.ErrClosed) {
		t.Errorf("AddSink to the removed track: %v, want ErrClosed", err)
	}

	sink := newCollector()
	if err := first.AddSink(sink); err != nil {
		t.Fatal(err)
	}
	if err := audio.WriteRTP(opus.packet(9999, 7, false)); err != nil {
		t.Fatal(err)
	}
	within(t, "packet of the track that stayed", sink.packets)
	p.up.Close()
	if err := first.AddSink(newCollector()); !errors.Is(err, conn.ErrClosed) {
		t.Errorf("AddSink after Close: %v, want ErrClosed", err)
	}
}

func TestPublisherMayRestartICE(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p := newTestPublisher(t, e, UpConfig{ID: "a"})
	track, _ := p.add(webrtc.MimeTypeVP8, "v", "s")
	p.connect()
	up := p.up.tracks.Load().own[0]
	next := bindTrack(t, up, track, vp8, 0)

	before := p.up.pc.LocalDescription().SDP
	p.offer(&webrtc.OfferOptions{ICERestart: true})
	if ufrag(before) == ufrag(p.up.pc.LocalDescription().SDP) {
		t.Error("the answer to a restart has the old credentials")
	}
	sink := newCollector()
	if err := up.AddSink(sink); err != nil {
		t.Fatal(err)
	}
	eventually(t, "media flows after the restart", func() bool {
		if err := track.WriteRTP(vp8.packet(next, 0, false)); err != nil {
			t.Fatal(err)
		}
		next++
		return len(sink.packets) > 0
	})
	if up != p.up.tracks.Load().own[0] {
		t.Error("the restart has replaced the track")
	}
}

func TestPublisherMayUseASectionAgain(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p := newTestPublisher(t, e, UpConfig{ID: "a"})
	p.add(webrtc.MimeTypeOpus, "audio", "s")
	track, sender := p.add(webrtc.MimeTypeVP8, "video", "s")
	p.connect()
	first := p.up.tracks.Load().own[1]
	bindTrack(t, first, track, vp8, 0)
	if err := p.pc.RemoveTrack(sender); err != nil {
		t.Fatal(err)
	}
	p.offer(nil)
	if _, err := p.pc.AddTrack(track); err != nil {
		t.Fatal(err)
	}
	p.offer(nil)
	list := p.up.tracks.Load().own
	if len(list) != 2 || list[1] == first || list[1].mid != first.mid {
		t.Fatalf("tracks %v, want a new one in section %q", list, first.mid)
	}
	bindTrack(t, list[1], track, vp8, 1000)
}

func TestAnswerHasCandidatesOnceTheyAreGathered(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p := newTestPublisher(t, e, UpConfig{ID: "a"})
	if _, err := p.up.Gathered(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Gathered before an offer: %v", err)
	}
	p.add(webrtc.MimeTypeVP8, "v", "s")
	p.offer(nil)
	answer, err := p.up.Gathered(t.Context())
	if err != nil || !strings.Contains(answer, "a=candidate:") {
		t.Errorf("Gathered: %v\n%s", err, answer)
	}
	if offer := p.up.RemoteDescription(); ufrag(offer) != ufrag(p.pc.LocalDescription().SDP) {
		t.Errorf("the remote description is not the offer:\n%s", offer)
	}
}

func TestOnlyNegotiatedFeedbackIsSent(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p := newTestPublisher(t, e, UpConfig{ID: "a"})
	track, sender := p.add(webrtc.MimeTypeVP8, "v", "s")
	p.munge = strings.NewReplacer(" nack pli\r\n", " nack rpsi\r\n", " nack\r\n", " ack rpsi\r\n").Replace
	p.connect()
	up := p.up.tracks.Load().own[0]
	next := bindTrack(t, up, track, vp8, 0)
	requests := readRTCP(t, sender)
	sink := newCollector()
	if err := up.AddSink(sink); err != nil {
		t.Fatal(err)
	}
	if err := track.WriteRTP(vp8.packet(next+5, 0, false)); err != nil { // with a gap
		t.Fatal(err)
	}
	up.RequestKeyframe()
	ssrc := uint32(sender.GetParameters().Encodings[0].SSRC)
	var numbers []uint8
	for len(numbers) < 2 {
		switch r := within(t, "FIR", requests).(type) {
		case *rtcp.FullIntraRequest:
			if r.MediaSSRC != 0 || len(r.FIR) != 1 || r.FIR[0].SSRC != ssrc {
				t.Errorf("FIR %+v, want one entry for %d", r, ssrc)
			}
			numbers = append(numbers, r.FIR[0].SequenceNumber)
		case *rtcp.PictureLossIndication, *rtcp.TransportLayerNack:
			t.Errorf("%T although it was not negotiated", r)
		}
	}
	if numbers[0] != numbers[1] {
		t.Errorf("FIR numbers %d, want the same for a request repeated", numbers)
	}
}

func TestConnectionClosedByThePeerIsBroken(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	broken := make(chan error, 1)
	p := newTestPublisher(t, e, UpConfig{ID: "a", Events: Events{Broken: func(err error) { broken <- err }}})
	p.add(webrtc.MimeTypeVP8, "v", "s")
	p.connect()
	if err := p.pc.GracefulClose(); err != nil {
		t.Fatal(err)
	}
	if err := within(t, "news of it", broken); !errors.Is(err, errPeerClosed) {
		t.Errorf("broken by %v, want %v", err, errPeerClosed)
	}
}

func TestPanicEndsOneConnection(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	broken := make(chan error, 1)
	p := newTestPublisher(t, e, UpConfig{ID: "a", Events: Events{Broken: func(err error) { broken <- err }}})
	p.up.start("careless", func() { panic("oops") })
	if err := within(t, "news of it", broken); err == nil || !strings.Contains(err.Error(), "careless") {
		t.Errorf("broken by %v, want the goroutine's name", err)
	}
	p.up.Close()
}

// ufrag returns the first ICE user name of a description.
func ufrag(text string) string {
	_, rest, _ := strings.Cut(text, "a=ice-ufrag:")
	ufrag, _, _ := strings.Cut(rest, "\r\n")
	return ufrag
}

func TestLostPacketsAreAskedForAgain(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p := newTestPublisher(t, e, UpConfig{ID: "a"})
	track, sender := p.add(webrtc.MimeTypeVP8, "v", "s")
	p.connect()
	const start = 65500
	up := p.up.tracks.Load().own[0]
	next := bindTrack(t, up, track, vp8, start)
	sink := newCollector()
	if err := up.AddSink(sink); err != nil {
		t.Fatal(err)
	}
	requests := readRTCP(t, sender)

	// Every packet whose number divides by 5 is lost at first.
	first, last := next, next+100
	for ; next <= last; next++ {
		if next%5 != 0 || next == last {
			if err := track.WriteRTP(vp8.packet(next, start, false)); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := make(map[uint32]bool)
	asked := make(map[uint16]int)
	deadline := time.After(testPatience)
	for n := first; n <= last; {
		select {
		case r := <-requests:
			if nack, ok := r.(*rtcp.TransportLayerNack); ok {
				for _, pair := range nack.Nacks {
					for _, sequence := range pair.PacketList() {
						asked[sequence]++
						if err := track.WriteRTP(vp8.packet(uint32(sequence-start), start, false)); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		case packet := <-sink.packets:
			got[number(packet.Payload)] = true
			for got[n] {
				n++
			}
		case <-deadline:
			t.Fatalf("%d of %d packets, asked for %v", len(got), last-first+1, asked)
		}
	}
	for n := first; n < last; n++ {
		if lost := n%5 == 0; (asked[start+uint16(n)] > 0) != lost {
			t.Errorf("packet %d, lost: %v, was asked for %d times", n, lost, asked[start+uint16(n)])
		}
	}
}

// readRTCP collects what a publisher is told about its track.
func readRTCP(t *testing.T, sender *webrtc.RTPSender) <-chan rtcp.Packet {
	t.Helper()
	c := make(chan rtcp.Packet, 10000)
	go func() {
		for {
			packets, _, err := sender.ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				c <- p
			}
		}
	}()
	return c
}

func TestKeyframeRequestsNeedNoPackets(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p := newTestPublisher(t, e, UpConfig{ID: "a"})
	track, sender := p.add(webrtc.MimeTypeVP8, "v", "s")
	p.connect()
	up := p.up.tracks.Load().own[0]
	next := bindTrack(t, up, track, vp8, 0)
	requests := readRTCP(t, sender)
	sink := newCollector()
	if err := up.AddSink(sink); err != nil {
		t.Fatal(err)
	}
	up.RequestKeyframe()
	for range 3 { // while not a single packet flows
		pli := nextPLI(t, requests)
		if pli.SenderSSRC == 0 || pli.SenderSSRC != p.up.ssrc {
			t.Errorf("PLI from SSRC %d, want ours, %d", pli.SenderSSRC, p.up.ssrc)
		}
	}
	if err := track.WriteRTP(vp8.packet(next, 0, true)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the keyframe ends the request", func() bool {
		up.mu.Lock()
		defer up.mu.Unlock()
		return !up.keyframe.wanted
	})
}

// nextPLI waits for a PLI.
func nextPLI(t *testing.T, requests <-chan rtcp.Packet) *rtcp.PictureLossIndication {
	t.Helper()
	for {
		if pli, ok := within(t, "PLI", requests).(*rtcp.PictureLossIndication); ok {
			return pli
		}
	}
}

func TestPublisherIsReportedTo(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p := newTestPublisher(t, e, UpConfig{ID: "a"})
	track, sender := p.add(webrtc.MimeTypeVP8, "v", "s")
	p.connect()
	up := p.up.tracks.Load().own[0]
	next := bindTrack(t, up, track, vp8, 65530)
	for ; next < 20; next++ {
		if err := track.WriteRTP(vp8.packet(next, 65530, false)); err != nil {
			t.Fatal(err)
		}
	}
	sinks := []*collector{{rate: 700_000}, {rate: 900_000}}
	for _, s := range sinks {
		if err := up.AddSink(s); err != nil {
			t.Fatal(err)
		}
	}
	var report *rtcp.ReceiverReport
	var remb *rtcp.ReceiverEstimatedMaximumBitrate
	requests := readRTCP(t, sender)
	eventually(t, "a report of all packets and the subscribers' rate", func() bool {
		switch r := within(t, "report", requests).(type) {
		case *rtcp.ReceiverReport:
			if len(r.Reports) > 0 {
				report = r
			}
		case *rtcp.ReceiverEstimatedMaximumBitrate:
			remb = r
		}
		return report != nil && report.Reports[0].LastSequenceNumber == 1<<16|13 &&
			remb != nil && remb.Bitrate < 710_000
	})
	ssrc := uint32(sender.GetParameters().Encodings[0].SSRC)
	if report.SSRC != p.up.ssrc || report.Reports[0].SSRC != ssrc || report.Reports[0].TotalLost != 0 {
		t.Errorf("report %+v, want one from %d about %d without loss", report, p.up.ssrc, ssrc)
	}
	// REMB has a mantissa of 18 bits.
	if remb.Bitrate < 690_000 || !slices.Equal(remb.SSRCs, []uint32{ssrc}) {
		t.Errorf("REMB %v for %d, want 700000 for %d", remb.Bitrate, remb.SSRCs, ssrc)
	}
	for _, s := range sinks {
		up.RemoveSink(s)
	}
	eventually(t, "the least rate without subscribers", func() bool {
		r, ok := within(t, "report", requests).(*rtcp.ReceiverEstimatedMaximumBitrate)
		return ok && r.Bitrate > 204_000 && r.Bitrate <= 204_800
	})
}

func TestClockAndNameOfThePublisherAreKept(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p := newTestPublisher(t, e, UpConfig{ID: "a"})
	track, sender := p.add(webrtc.MimeTypeVP8, "v", "s")
	p.connect()
	up := p.up.tracks.Load().own[0]
	bindTrack(t, up, track, vp8, 0)
	sink := newCollector()
	if err := up.AddSink(sink); err != nil {
		t.Fatal(err)
	}
	if _, ok := up.Clock(1); ok || up.CNAME() != "" {
		t.Fatalf("Clock known: %v, CNAME %q before any report", ok, up.CNAME())
	}
	ssrc := uint32(sender.GetParameters().Encodings[0].SSRC)
	eventually(t, "clock and name are known", func() bool {
		err := p.pc.WriteRTCP([]rtcp.Packet{
			&rtcp.SenderReport{SSRC: ssrc, NTPTime: 1 << 60, RTPTime: 12345},
			&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
				Source: ssrc, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "me"}},
			}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, ok := up.Clock(1)
		return ok && up.CNAME() == "me"
	})
	within(t, "news of the clock", sink.clock)
	within(t, "news of the name", sink.clock)
}

func TestCodecMayChangeInMidStream(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p := newTestPublisher(t, e, UpConfig{ID: "a", Codecs: []string{"vp8", "h264"}})
	track, sender := p.add(webrtc.MimeTypeVP8, "v", "s")
	p.connect()
	up := p.up.tracks.Load().own[0]
	next := bindTrack(t, up, track, vp8, 0)
	sink := newCollector()
	if err := up.AddSink(sink); err != nil {
		t.Fatal(err)
	}
	other, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{
		MimeType:    webrtc.MimeTypeH264,
		SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
	}, "v", "s")
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.ReplaceTrack(other); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the codec has changed", func() bool {
		if err := other.WriteRTP(h264.packet(next, 0, true)); err != nil {
			t.Fatal(err)
		}
		next++
		return up.Format().Name == "h264"
	})
	within(t, "news of the codec", p.changed)
	for {
		packet := within(t, "packet in the new codec", sink.packets)
		if packet.PayloadType == up.Format().PayloadType {
			if !packet.Frame.Keyframe {
				t.Errorf("parsed as %+v, want a keyframe", packet.Frame)
			}
			return
		}
	}
}

func TestPublisherThatKeepsChangingItsCodecIsNotNewsEachTime(t *testing.T) {
	t.Parallel()
	p := newTestPublisher(t, newTestEngine(t), UpConfig{Codecs: []string{"vp8", "h264"}})
	begun := time.Now()
	for range 1000 {
		p.up.changed()
		time.Sleep(100 * time.Microsecond)
	}
	within(t, "news of the first change", p.changed)
	within(t, "news of the later ones", p.changed)
	took := time.Since(begun)
	if n := len(p.changed); n > int(took/changeInterval) {
		t.Errorf("%d more events of a thousand changes within %v", n, took)
	}
}

func TestOffersMayFollowEachOtherWhileCandidatesAreGathered(t *testing.T) { // the race detector's affair
	t.Parallel()
	mux, err := udpmux.Listen(udpmux.Options{Loopback: true, Log: discardLog()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mux.Close() })
	e, err := NewEngine(Options{Mux: mux, Loopback: true, Log: discardLog()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	for range 20 {
		p := newTestPublisher(t, e, UpConfig{Codecs: allNames})
		p.add(vp8.mime, "track", "stream")
		first, err := p.pc.CreateOffer(nil)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 4 { // each with other credentials
			name := fmt.Sprintf("a=ice-ufrag:name%d\r\na=ice-pwd:%024d\r\n", n, n)
			offer := regexp.MustCompile(`a=ice-ufrag:.*\r\na=ice-pwd:.*\r\n`).ReplaceAllString(first.SDP, name)
			if _, err := p.up.Offer(offer); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestPanicInACallbackOfPionEndsOneConnection(t *testing.T) {
	t.Parallel()
	broken := make(chan error, 1)
	u, err := newTestEngine(t).NewUp(UpConfig{Events: Events{
		Candidate: func(Candidate) { panic("on purpose") },
		Broken:    func(err error) { broken <- err },
	}})
	if err != nil {
		t.Fatal(err)
	}
	u.foundCandidate(&webrtc.ICECandidate{Protocol: webrtc.ICEProtocolUDP, Typ: webrtc.ICECandidateTypeHost})
	within(t, "end of the connection", broken)
	u.Close()
}
