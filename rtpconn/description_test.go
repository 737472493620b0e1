package rtpconn

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

// changing matches what differs from one description to the next.
var changing = regexp.MustCompile(`a=(ice-|candidate|end-of|ssrc-group)|^c=`)

// sectionsOf returns the lines of a description in order, section by section,
// the session's first, without what differs each time. SSRCs are called N.
func sectionsOf(description string) [][]string {
	ssrc := regexp.MustCompile(`a=ssrc:\d+`)
	sections := [][]string{nil}
	for line := range strings.Lines(description) {
		line = ssrc.ReplaceAllString(strings.TrimSpace(line), "a=ssrc:N")
		if strings.HasPrefix(line, "m=") {
			sections = append(sections, nil)
		}
		if !changing.MatchString(line) {
			sections[len(sections)-1] = append(sections[len(sections)-1], line)
		}
	}
	return sections
}

// checkSection checks that a section has just the lines that are wanted,
// whatever their order.
func checkSection(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	got = slices.Sorted(slices.Values(got))
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Existing clients were made against these descriptions: one payload type per
// codec, feedback for video only and no more of it than we use, the extensions
// that tell tracks apart, and the publisher's names for its tracks. To what
// they do not know they are not held: once they have declined it, it is gone.
func TestDescriptionsSayWhatClientsExpect(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p := newPublisherOf(t, e, UpConfig{ID: "a", Label: "camera", Codecs: []string{"opus", "h264"}}, newPlainPC(t))
	p.add(webrtc.MimeTypeOpus, "voice", "me")
	p.add(webrtc.MimeTypeH264, "face", "me")
	feedback := func(payloadType string) []string {
		var lines []string
		for _, f := range []string{"goog-remb", "nack", "nack pli", "ccm fir"} {
			lines = append(lines, "a=rtcp-fb:"+payloadType+" "+f)
		}
		return lines
	}
	const profile = " level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"

	answer := p.offer(nil)
	sections := sectionsOf(answer)
	if len(sections) != 3 {
		t.Fatalf("the answer has %d sections, want one of audio and one of video:\n%s", len(sections)-1, answer)
	}
	for _, line := range []string{"a=group:BUNDLE 0 1", "a=extmap-allow-mixed"} {
		if !slices.Contains(sections[0], line) {
			t.Errorf("the answer lacks %q:\n%s", line, answer)
		}
	}
	checkSection(t, "audio in the answer", sections[1],
		"m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0", "a=setup:passive", "a=recvonly", "a=rtcp-mux", "a=rtcp-rsize",
		"a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1")
	checkSection(t, "video in the answer", sections[2], append(feedback("106"),
		"m=video 9 UDP/TLS/RTP/SAVPF 106", "a=mid:1", "a=setup:passive", "a=recvonly", "a=rtcp-mux", "a=rtcp-rsize",
		"a=rtpmap:106 H264/90000", "a=fmtp:106"+profile,
		"a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
		"a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
		"a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id")...)

	s := newTestSubscriber(t, e, p.up)
	s.selectAll(p.up.Tracks()...)
	offer := s.offer(false)
	sections = sectionsOf(offer)
	if len(sections) != 3 {
		t.Fatalf("the offer has %d sections, want one of audio and one of video:\n%s", len(sections)-1, offer)
	}
	checkSection(t, "audio in the offer", sections[1],
		"m=audio 9 UDP/TLS/RTP/SAVPF 111 63", "a=mid:0", "a=setup:actpass", "a=sendonly", "a=rtcp-mux", "a=rtcp-rsize",
		"a=rtpmap:63 red/48000/2", "a=fmtp:63 111/111",
		"a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1", "a=msid:me voice", "a=rtcp-fb:111 nack",
		"a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
		"a=extmap:5 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
		"a=ssrc:N cname:me", "a=ssrc:N msid:me voice", "a=ssrc:N mslabel:me", "a=ssrc:N label:voice")
	checkSection(t, "video in the offer", sections[2], append(feedback("108"),
		"m=video 9 UDP/TLS/RTP/SAVPF 108 109", "a=mid:1", "a=setup:actpass", "a=sendonly", "a=rtcp-mux", "a=rtcp-rsize",
		"a=rtpmap:108 H264/90000", "a=fmtp:108"+profile, "a=msid:me face",
		"a=rtpmap:109 rtx/90000", "a=fmtp:109 apt=108",
		"a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
		"a=extmap:6 urn:3gpp:video-orientation",
		"a=extmap:7 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
		"a=extmap:8 https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
		"a=extmap:9 http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00",
		"a=ssrc:N cname:me", "a=ssrc:N msid:me face", "a=ssrc:N mslabel:me", "a=ssrc:N label:face",
		"a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
		"a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
		"a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
		"a=ssrc:N cname:me", "a=ssrc:N msid:me face", "a=ssrc:N mslabel:me", "a=ssrc:N label:face")...)

	s.pc = newPlainPC(t)
	s.answer(offer)
	offer = s.offer(false)
	sections = sectionsOf(offer)
	checkSection(t, "audio in the offer that follows", sections[1],
		"m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0", "a=setup:actpass", "a=sendonly", "a=rtcp-mux", "a=rtcp-rsize",
		"a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1", "a=msid:me voice",
		"a=ssrc:N cname:me", "a=ssrc:N msid:me voice", "a=ssrc:N mslabel:me", "a=ssrc:N label:voice")
	checkSection(t, "video in the offer that follows", sections[2], append(feedback("108"),
		"m=video 9 UDP/TLS/RTP/SAVPF 108", "a=mid:1", "a=setup:actpass", "a=sendonly", "a=rtcp-mux", "a=rtcp-rsize",
		"a=rtpmap:108 H264/90000", "a=fmtp:108"+profile, "a=msid:me face",
		"a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
		"a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
		"a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
		"a=ssrc:N cname:me", "a=ssrc:N msid:me face", "a=ssrc:N mslabel:me", "a=ssrc:N label:face")...)
}
