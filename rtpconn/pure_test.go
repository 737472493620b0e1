package rtpconn

import (
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"galene/codecs"
	"galene/rtptime"
)

// epoch is some instant.
const epoch = rtptime.Instant(time.Hour)

func TestNegotiationKeepsOneOfferOutstanding(t *testing.T) {
	t.Parallel()
	type result struct {
		next    negotiationState
		now     bool // of offer
		again   bool // of answer
		restart bool
		ok      bool
	}
	offer := func(restart bool) func(negotiationState) result {
		return func(s negotiationState) result {
			next, now := s.offer(restart)
			return result{next: next, now: now}
		}
	}
	answer := func(s negotiationState) result {
		again, restart, ok := s.answer()
		return result{next: stable, again: again, restart: restart, ok: ok}
	}
	tests := []struct {
		name string
		from negotiationState
		do   func(negotiationState) result
		want result
	}{
		{"an offer is made at once", stable, offer(false), result{next: offering, now: true}},
		{"so is a restart", stable, offer(true), result{next: offering, now: true}},
		{"a second one is remembered", offering, offer(false), result{next: pending}},
		{"as is a restart", offering, offer(true), result{next: pendingRestart}},
		{"a third one changes nothing", pending, offer(false), result{next: pending}},
		{"a restart wins", pending, offer(true), result{next: pendingRestart}},
		{"and stays", pendingRestart, offer(false), result{next: pendingRestart}},
		{"a second restart is one", pendingRestart, offer(true), result{next: pendingRestart}},
		{"an answer ends it", offering, answer, result{next: stable, ok: true}},
		{"what was remembered follows", pending, answer, result{next: stable, again: true, ok: true}},
		{"with its restart", pendingRestart, answer, result{next: stable, again: true, restart: true, ok: true}},
		{"an answer to nothing is refused", stable, answer, result{next: stable}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.do(tt.from); got != tt.want {
				t.Errorf("from state %d: got %+v, want %+v", tt.from, got, tt.want)
			}
		})
	}
}

func TestNegotiationRemembersARestartUntilTheNextOffer(t *testing.T) {
	t.Parallel()
	var n negotiation
	n.offer(false, epoch)
	n.offer(true, epoch)
	if again, ok := n.answer(); !again || !ok {
		t.Fatalf("answer = %v, %v, want true, true", again, ok)
	}
	if restart, made, _ := n.offer(false, epoch); !restart || !made {
		t.Errorf("the next offer: restart %v, made %v, want both", restart, made)
	}
	n.answer()
	if restart, _, _ := n.offer(false, epoch); restart {
		t.Error("the one after that restarts again")
	}
}

func TestUnansweredOfferIsRepeatedOnceAndThenGivenUp(t *testing.T) {
	t.Parallel()
	var n negotiation
	if got := n.check(epoch); got != patience {
		t.Fatalf("before any offer: %d", got)
	}
	n.offer(false, epoch)
	steps := []struct {
		after time.Duration
		want  verdict
	}{
		{0, patience},
		{negotiationTimeout - 1, patience},
		{negotiationTimeout, repeat},
		{negotiationTimeout + 1, patience},
	}
	for _, s := range steps {
		if got := n.check(epoch.Add(s.after)); got != s.want {
			t.Fatalf("after %v: %d, want %d", s.after, got, s.want)
		}
	}
	if _, made, again := n.offer(true, epoch.Add(negotiationTimeout)); made || !again {
		t.Fatalf("the overdue offer: made %v, again %v, want it again", made, again)
	}
	if _, made, again := n.offer(false, epoch.Add(negotiationTimeout)); made || again {
		t.Fatal("another offer at once is not remembered")
	}
	if got := n.check(epoch.Add(2 * negotiationTimeout)); got != giveUp {
		t.Fatalf("after twice the time: %d, want giveUp", got)
	}
	if got := n.check(epoch.Add(9 * negotiationTimeout)); got != patience {
		t.Errorf("given up twice: %d", got)
	}
}

func TestKeyframeRequestsAreSpacedAndRepeatedUntilAnswered(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		roundTrip time.Duration
		want      []time.Duration // when requests are sent
	}{
		{"near", 20 * time.Millisecond, []time.Duration{0, 300, 900, 2100, 4100, 6100}},
		{"far", 500 * time.Millisecond, []time.Duration{0, 510, 1530, 3530, 5530, 7530}},
		{"very far", 3 * time.Second, []time.Duration{0, 3010, 6020, 9030, 12040, 15050}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var k keyframeRequester
			if k.due(epoch, tt.roundTrip) {
				t.Fatal("a request that nobody wants")
			}
			if !k.want() || k.want() {
				t.Fatal("requests are not coalesced")
			}
			now := epoch
			for _, want := range tt.want {
				for !k.due(now, tt.roundTrip) {
					now = now.Add(time.Millisecond)
					if now.Sub(epoch) > time.Minute {
						t.Fatalf("no request at %d ms", want)
					}
				}
				if got := now.Sub(epoch) / time.Millisecond; got != want {
					t.Fatalf("request at %d ms, want %d ms", got, want)
				}
			}
			k.received()
			if _, ok := k.next(tt.roundTrip); ok {
				t.Error("still wanted after a keyframe")
			}
			k.want()
			if k.due(now.Add(time.Millisecond), tt.roundTrip) {
				t.Error("the next one is not spaced from the last")
			}
			if !k.due(now.Add(max(300*time.Millisecond, tt.roundTrip+10*time.Millisecond)), tt.roundTrip) {
				t.Error("the spacing is not reset by a keyframe")
			}
		})
	}
}

func TestOneSubscriberHasThreeKeyframesInTenSeconds(t *testing.T) {
	t.Parallel()
	var l keyframeLimiter
	var granted []time.Duration
	for after := time.Duration(0); after < 25*time.Second; after += time.Second {
		if l.allow(epoch.Add(after)) {
			granted = append(granted, after/time.Second)
		}
	}
	want := []time.Duration{0, 1, 2, 10, 11, 12, 20, 21, 22}
	if len(granted) != len(want) {
		t.Fatalf("granted at %d, want %d", granted, want)
	}
	for i := range want {
		if granted[i] != want[i] {
			t.Fatalf("granted at %d, want %d", granted, want)
		}
	}
}

func TestFullIntraRequestsAreNewByTheirNumber(t *testing.T) {
	t.Parallel()
	var f firFilter
	steps := []struct {
		sender uint32
		number uint8
		want   bool
	}{
		{1, 0, true},
		{1, 0, false},
		{1, 1, true},
		{1, 1, false},
		{1, 0, true},
		{2, 0, true},
		{2, 255, true},
		{2, 0, true},
		{2, 0, false},
	}
	for i, s := range steps {
		if got := f.isNew(s.sender, s.number); got != s.want {
			t.Errorf("step %d: sender %d, number %d: new %v, want %v", i, s.sender, s.number, got, s.want)
		}
	}
}

func TestAnswersListCodecsInOurOrder(t *testing.T) {
	t.Parallel()
	offered := []webrtc.RTPCodecParameters{
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "video/VP8"}, PayloadType: 1},
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "video/VP9", SDPFmtpLine: "profile-id=2"}, PayloadType: 2},
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "video/H264"}, PayloadType: 3},
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "video/VP9", SDPFmtpLine: "profile-id=0"}, PayloadType: 4},
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "video/AV1"}, PayloadType: 5},
	}
	tests := []struct {
		names []string
		want  []webrtc.PayloadType
	}{
		{nil, []webrtc.PayloadType{1, 2, 3, 4, 5}},
		{[]string{"vp9", "vp8"}, []webrtc.PayloadType{2, 4, 1, 3, 5}},
		{[]string{"av1", "h264", "opus", "vp8"}, []webrtc.PayloadType{5, 3, 1, 2, 4}},
	}
	for _, tt := range tests {
		sorted := byPreference(offered, tt.names)
		for i, c := range sorted {
			if c.PayloadType != tt.want[i] {
				t.Errorf("byPreference(%v) has %d at %d, want %d", tt.names, c.PayloadType, i, tt.want[i])
			}
		}
	}
}

func TestTokenNeverBreaksADescription(t *testing.T) {
	t.Parallel()
	tests := []struct {
		words []string
		want  string
	}{
		{[]string{"{5f0a-1}", "x"}, "{5f0a-1}"},
		{[]string{"", "h", "video"}, "h"},
		{[]string{"", "", "video"}, "video"},
		{[]string{"-", "camera"}, "camera"},
		{[]string{"", "my camera", "dummy"}, "dummy"},
		{[]string{"a\r\nm=audio", "dummy"}, "dummy"},
		{[]string{"é", "dummy"}, "dummy"},
		{[]string{strings.Repeat("a", 300), "dummy"}, "dummy"},
		{[]string{"", ""}, "dummy"},
	}
	for _, tt := range tests {
		if got := token(tt.words...); got != tt.want {
			t.Errorf("token(%q) = %q, want %q", tt.words, got, tt.want)
		}
	}
}

func TestSameCodec(t *testing.T) {
	t.Parallel()
	format := func(mime, fmtp string) codecs.Format {
		f, _ := codecs.ForDown(mime, 90000, 0, fmtp)
		return f
	}
	tests := []struct {
		a, b codecs.Format
		want bool
	}{
		{format("video/VP8", ""), format("video/vp8", ""), true},
		{format("video/VP8", ""), format("video/VP9", ""), false},
		{format("video/VP9", ""), format("video/VP9", "profile-id=0"), true},
		{format("video/VP9", ""), format("video/VP9", "profile-id=2"), false},
		{format("video/H264", "profile-level-id=42e01f"), format("video/H264", "profile-level-id=42e034"), true},
		{format("video/H264", "profile-level-id=42e01f"), format("video/H264", "profile-level-id=42001f"), false},
		{format("video/H264", "profile-level-id=640c1f"), format("video/H264", "profile-level-id=640c1f"), true},
		{format("video/H264", "profile-level-id=640c1f"), format("video/H264", "profile-level-id=4d001f"), false},
	}
	for _, tt := range tests {
		if got := sameCodec(tt.a, tt.b); got != tt.want {
			t.Errorf("sameCodec(%+v, %+v) = %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}
