package loadtest

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// detached returns a subscription to publisher 1 without a connection.
func detached(s Scenario) *subscription {
	r := &run{scenario: s, start: time.Now(), pattern: newPattern()}
	r.chat = newChat(r)
	sub := &subscription{
		client: &client{run: r}, publisher: 1, dice: rand.New(rand.NewPCG(1, 2)), numbering: make(map[uint32]*numbering),
	}
	r.clients = []*client{sub.client}
	sub.kinds[videoType].Store(kindVideo + 1)
	sub.kinds[audioType].Store(kindAudio + 1)
	return sub
}

// packet returns a packet of a stream as Pion gives it out.
func (s *subscription) packet(sequence uint16, c content) *rtp.Packet {
	b := make([]byte, 500)
	n := describeVP8(b, picture{first: true})
	s.client.run.pattern.put(b[n:], c)
	return &rtp.Packet{Header: rtp.Header{SequenceNumber: sequence, SSRC: 7}, Payload: b}
}

func TestOneInSomePacketsIsChecked(t *testing.T) {
	t.Parallel()
	s := valid()
	s.Verify = 4
	sub := detached(s)
	passed := 0
	for i := range uint16(400) {
		if !sub.arrived(rtpPacket(i, 7, videoType), int64(i)+1) {
			passed++
		}
		if !sub.arrived(rtpPacket(i, 8, 126), int64(i)+1) {
			continue
		}
		t.Fatal("a packet of unknown type was kept from Pion")
	}
	if passed != 100 {
		t.Errorf("%d of 400 packets were passed on, want 100", passed)
	}
	if len(sub.sources) != 1 || sub.sources[0].distinct != 400 || sub.client.run.withMedia.Load() != 1 || sub.first.Load() != 1 {
		t.Errorf("%d sources, first %v, of %d streams with media", len(sub.sources), sub.first.Load(), sub.client.run.withMedia.Load())
	}
	for ssrc := range uint32(10) {
		sub.arrived(rtpPacket(1, 100+ssrc, videoType), 1)
	}
	if len(sub.sources) != maxSources {
		t.Errorf("%d sources are counted, want %d at most", len(sub.sources), maxSources)
	}
}

func TestCheckedPacketsGiveTheDelay(t *testing.T) {
	t.Parallel()
	s := valid()
	s.Verify = 1
	sub := detached(s)
	sub.begin()
	for i := range uint16(10) {
		at := int64(time.Second) + int64(i)*int64(time.Millisecond)
		sub.arrived(rtpPacket(i, 7, videoType), at)
		sub.check(sub.packet(i, content{stream: 2, index: uint32(i), sent: at - int64(3*time.Millisecond)}), 2)
	}
	sub.end()
	sub.check(sub.packet(3, content{stream: 2}), 2) // nothing is known of it
	r := sub.client.run
	if r.corrupt.Load() != 0 || r.delay.count() != 10 || r.delay.max() != 3 {
		t.Errorf("%d corrupt, %d delays, at most %v ms, want 0, 10, 3", r.corrupt.Load(), r.delay.count(), r.delay.max())
	}
	var p Packets
	var tally tally
	sub.count(&p, &tally)
	if p.Expected != 10 || p.Received != 10 || tally.passed != 10 || tally.checked != 10 || tally.withheld != 0 || tally.silent != 0 {
		t.Errorf("%+v, %+v", p, tally)
	}
}

func TestWhatIsWrongIsJudged(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		play    func(sub *subscription)
		corrupt uint64
		want    string // part of the failures
	}{
		{"a changed octet", func(sub *subscription) {
			sub.arrived(rtpPacket(1, 7, videoType), 1)
			p := sub.packet(1, content{stream: 2})
			p.Payload[100]++
			sub.check(p, 2)
		}, 1, "changed"},
		{"another publisher's", func(sub *subscription) {
			sub.arrived(rtpPacket(1, 7, videoType), 1)
			sub.check(sub.packet(1, content{stream: 4}), 2)
		}, 1, "of stream 4"},
		{"what cannot be decrypted", func(sub *subscription) {
			for i := range uint16(10) {
				sub.arrived(rtpPacket(i, 7, videoType), 1)
			}
		}, 10, "decrypted"},
		{"what the server has left out", func(sub *subscription) {
			for i := range uint16(10) {
				sub.arrived(rtpPacket(i, 7, videoType), 1)
				sub.check(sub.packet(i, content{stream: 2, index: 2 * uint32(i)}), 2)
			}
		}, 0, "left out at least 9 packets"},
		{"padding", func(sub *subscription) {
			sub.arrived(rtpPacket(1, 7, videoType), 1)
			sub.check(&rtp.Packet{Header: rtp.Header{SequenceNumber: 1, SSRC: 7}}, 2)
		}, 0, ""},
		{"silence", func(sub *subscription) {
			sub.end()
			sub.measuring = false
			sub.arrived(rtpPacket(1, 7, videoType), 1)
		}, 0, "nothing while measuring"},
	}
	for _, tt := range tests {
		s := valid()
		s.Verify = 1
		sub := detached(s)
		sub.begin()
		tt.play(sub)
		sub.end()
		r := sub.client.run
		r.receive(sub)
		m := &measurement{run: r, start: r.start, end: time.Now()}
		result := m.result()
		if got := strings.Join(result.Failures, "; "); !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%s: failures %q, want one about %q", tt.name, got, tt.want)
		}
		if result.Packets.Corrupt != tt.corrupt || (tt.corrupt > 0) != strings.Contains(errorText(result.Err()), "corrupt") {
			t.Errorf("%s: %d corrupt, %v, want %d", tt.name, result.Packets.Corrupt, result.Err(), tt.corrupt)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestVideoIsDroppedOnPurpose(t *testing.T) {
	t.Parallel()
	s := valid()
	s.Drop = 50
	sub := detached(s)
	for i := range uint16(1000) {
		sub.arrived(rtpPacket(i, 7, videoType), 1)
		sub.arrived(rtpPacket(i, 8, audioType), 1)
	}
	for _, r := range sub.sources {
		if r.clock == audioClock && r.distinct != 1000 || r.clock == videoClock && (r.distinct < 400 || r.distinct > 600) {
			t.Errorf("%d packets of the source with clock %d are left of 1000", r.distinct, r.clock)
		}
	}
}

func TestReceiversReportOnceASecond(t *testing.T) {
	t.Parallel()
	sub := detached(valid())
	if packets := sub.feedback(1); len(packets) != 0 {
		t.Errorf("before anything came: %v", packets)
	}
	for i, sequence := range []uint16{0, 1, 3, 4, 5} {
		sub.arrived(rtpPacket(sequence, 7, videoType), int64(i)+1)
	}
	at := int64(time.Second)
	if packets := sub.feedback(at); len(packets) != 3 {
		t.Errorf("%v, want a report, an estimate and a request", packets)
	}
	if packets := sub.feedback(at + 1); len(packets) != 0 {
		t.Errorf("at once after that: %v", packets)
	}
	sub.arrived(rtpPacket(2, 7, videoType), at)
	if packets := sub.feedback(at + int64(reportInterval)); len(packets) != 2 {
		t.Errorf("a second later: %v, want a report and an estimate", packets)
	}
}

func TestArrivingDoesNotAllocate(t *testing.T) { // not parallel: it counts
	sub := detached(valid())
	b := rtpPacket(0, 7, videoType)
	at := int64(1)
	got := testing.AllocsPerRun(1000, func() {
		at++
		b[2], b[3] = byte(at>>8), byte(at)
		sub.arrived(b, at)
	})
	if got != 0 {
		t.Errorf("%v allocations for a packet, want 0", got)
	}
}

func BenchmarkArrived(b *testing.B) {
	sub := detached(valid())
	packet := rtpPacket(0, 7, videoType)
	b.ReportAllocs()
	b.SetBytes(int64(len(packet)))
	at := int64(1)
	for b.Loop() {
		at++
		packet[2], packet[3] = byte(at>>8), byte(at)
		sub.arrived(packet, at)
	}
}

func TestChatOfTheRunIsCounted(t *testing.T) {
	t.Parallel()
	r := &run{scenario: valid(), start: time.Now()}
	r.chat = newChat(r)
	c, speaker := &client{run: r}, &client{run: r}
	speaker.speaks.Store(true)
	tests := []struct {
		name   string
		client *client
		value  string // of the message
		ours   bool
		counts uint64
	}{
		{"measured", c, string(r.chat.tag) + " measured 1", true, 1},
		{"before measuring", c, string(r.chat.tag) + " 1", true, 0},
		{"its own echo", speaker, string(r.chat.tag) + " measured 1", true, 0},
		{"somebody else's", c, "load test measured 1", false, 0},
		{"without a time", c, string(r.chat.tag) + " measured ", true, 0},
	}
	for _, tt := range tests {
		before := r.chat.deliveries.Load()
		ours := r.chat.note(tt.client, []byte(`{"type":"chat","source":"x","value":"`+tt.value+`","time":"2026-01-02T03:04:05Z"}`))
		if counts := r.chat.deliveries.Load() - before; ours != tt.ours || counts != tt.counts {
			t.Errorf("%s: note = %t, counted %d, want %t, %d", tt.name, ours, counts, tt.ours, tt.counts)
		}
	}
	r.chat.note(c, []byte(string(r.chat.tag)+" measured 123")) // cut short
}
