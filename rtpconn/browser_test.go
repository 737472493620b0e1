package rtpconn

import (
	"slices"
	"strings"
	"testing"

	"galene/conn"
)

// session begins a typical offer of a browser.
const session = `v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS me
`

// transport is what each section of it says of the way.
const transport = `c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:8hhY
a=ice-pwd:asd88fgpdd777uzjYhagZgaa
a=ice-options:trickle
a=fingerprint:sha-256 49:66:12:17:0D:1C:91:AE:57:4C:C6:36:DD:D5:97:D2:7D:62:C9:9A:7F:B9:A3:F4:70:03:E7:43:91:73:23:5E
a=setup:actpass
a=rtcp-mux
`

const chromium = session + `m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
` + transport + `a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendonly
a=msid:me voice
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:1000 cname:c
a=ssrc:1000 msid:me voice
m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 35 36 116 117 118
` + transport + `a=mid:1
a=extmap:14 urn:ietf:params:rtp-hdrext:toffset
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:13 urn:3gpp:video-orientation
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay
a=extmap:6 http://www.webrtc.org/experiments/rtp-hdrext/video-content-type
a=extmap:7 http://www.webrtc.org/experiments/rtp-hdrext/video-timing
a=extmap:8 http://www.webrtc.org/experiments/rtp-hdrext/color-space
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id
a=sendonly
a=msid:me face
a=rtcp-rsize
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 goog-remb
a=rtcp-fb:96 transport-cc
a=rtcp-fb:96 ccm fir
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:98 VP9/90000
a=rtcp-fb:98 goog-remb
a=rtcp-fb:98 transport-cc
a=rtcp-fb:98 ccm fir
a=rtcp-fb:98 nack
a=rtcp-fb:98 nack pli
a=fmtp:98 profile-id=0
a=rtpmap:99 rtx/90000
a=fmtp:99 apt=98
a=rtpmap:35 AV1/90000
a=rtpmap:36 rtx/90000
a=fmtp:36 apt=35
a=rtpmap:116 red/90000
a=rtpmap:117 rtx/90000
a=fmtp:117 apt=116
a=rtpmap:118 ulpfec/90000
a=ssrc-group:FID 2000 2001
a=ssrc:2000 cname:c
a=ssrc:2000 msid:me face
a=ssrc:2001 cname:c
a=ssrc:2001 msid:me face
`

const firefox = session + `m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101
` + transport + `a=mid:0
a=sendonly
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level
a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
a=fmtp:101 0-15
a=msid:me voice
a=rtpmap:109 opus/48000/2
a=rtpmap:9 G722/8000/1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=ssrc:1000 cname:{c}
m=video 9 UDP/TLS/RTP/SAVPF 120 124 121 125
` + transport + `a=mid:1
a=sendonly
a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:5 urn:ietf:params:rtp-hdrext:toffset
a=extmap:6/recvonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay
a=extmap:7 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=fmtp:120 max-fs=12288;max-fr=60
a=fmtp:124 apt=120
a=fmtp:121 max-fs=12288;max-fr=60
a=fmtp:125 apt=121
a=msid:me face
a=rtcp-fb:120 nack
a=rtcp-fb:120 nack pli
a=rtcp-fb:120 ccm fir
a=rtcp-fb:120 goog-remb
a=rtcp-fb:120 transport-cc
a=rtpmap:120 VP8/90000
a=rtpmap:124 rtx/90000
a=rtpmap:121 VP9/90000
a=rtpmap:125 rtx/90000
a=ssrc:2000 cname:{c}
a=ssrc:2001 cname:{c}
a=ssrc-group:FID 2000 2001
`

// What browsers typically offer is answered with all that repairs losses, and no
// more of the rest than before.
func TestBrowsersAreAnswered(t *testing.T) {
	t.Parallel()
	common := []string{"a=setup:passive", "a=recvonly", "a=rtcp-mux", "a=rtcp-rsize"}
	const wide = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
	tests := []struct {
		name, offer  string
		audio, video []string
	}{
		{
			"Chromium", chromium,
			[]string{
				"m=audio 9 UDP/TLS/RTP/SAVPF 111 63", "a=mid:0",
				"a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1", "a=rtcp-fb:111 transport-cc",
				"a=rtpmap:63 red/48000/2", "a=fmtp:63 111/111",
				"a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level", "a=extmap:3 " + wide, "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
			},
			[]string{
				"m=video 9 UDP/TLS/RTP/SAVPF 96 97", "a=mid:1", "a=rtpmap:96 VP8/90000", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96",
				"a=rtcp-fb:96 goog-remb", "a=rtcp-fb:96 transport-cc", "a=rtcp-fb:96 ccm fir", "a=rtcp-fb:96 nack", "a=rtcp-fb:96 nack pli",
				"a=extmap:13 urn:3gpp:video-orientation", "a=extmap:3 " + wide,
				"a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay", "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
				"a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", "a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
			},
		},
		{
			"Firefox", firefox,
			[]string{
				"m=audio 9 UDP/TLS/RTP/SAVPF 109", "a=mid:0",
				"a=rtpmap:109 opus/48000/2", "a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1",
				"a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level", "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid",
			},
			[]string{
				"m=video 9 UDP/TLS/RTP/SAVPF 120 124", "a=mid:1", "a=rtpmap:120 VP8/90000", "a=fmtp:120 max-fs=12288;max-fr=60",
				"a=rtpmap:124 rtx/90000", "a=fmtp:124 apt=120",
				"a=rtcp-fb:120 goog-remb", "a=rtcp-fb:120 transport-cc", "a=rtcp-fb:120 ccm fir", "a=rtcp-fb:120 nack", "a=rtcp-fb:120 nack pli",
				"a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:7 " + wide,
			},
		},
	}
	for _, tt := range tests {
		e := newTestEngine(t)
		up, err := e.NewUp(UpConfig{ID: "a"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(up.Close)
		answer, err := up.Offer(strings.ReplaceAll(tt.offer, "\n", "\r\n"))
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		sections := sectionsOf(answer)
		if len(sections) != 3 {
			t.Fatalf("%s: %d sections in\n%s", tt.name, len(sections)-1, answer)
		}
		checkSection(t, tt.name+", audio", sections[1], append(slices.Clone(tt.audio), common...)...)
		checkSection(t, tt.name+", video", sections[2], append(slices.Clone(tt.video), common...)...)
	}
}

// A browser that offers to receive is answered with all that repairs losses.
func TestBrowsersThatViewAreAnswered(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	p, _ := showing(t, e, "a", opus, vp8)
	view, err := e.NewView(DownConfig{Up: p.up})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(view.Close)
	var selection []conn.Selection
	for _, track := range p.up.Tracks() {
		selection = append(selection, conn.Selection{Track: track})
	}
	if err := view.Select(selection); err != nil {
		t.Fatal(err)
	}
	var offer strings.Builder
	for line := range strings.Lines(strings.ReplaceAll(chromium, "a=sendonly", "a=recvonly")) {
		if !strings.HasPrefix(line, "a=ssrc") && !strings.HasPrefix(line, "a=msid:") {
			offer.WriteString(strings.TrimSuffix(line, "\n") + "\r\n")
		}
	}
	answer, err := view.Offer(offer.String())
	if err != nil {
		t.Fatal(err)
	}
	sections := sectionsOf(answer)
	if len(sections) != 3 {
		t.Fatalf("%d sections in\n%s", len(sections)-1, answer)
	}
	for i, want := range [][]string{
		{"m=audio 9 UDP/TLS/RTP/SAVPF 111 63", "a=sendonly", "a=rtpmap:63 red/48000/2", "a=fmtp:63 111/111"},
		{
			"m=video 9 UDP/TLS/RTP/SAVPF 96 97", "a=sendonly", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96",
			"a=rtcp-fb:96 nack", "a=rtcp-fb:96 nack pli", "a=extmap:13 urn:3gpp:video-orientation",
		},
	} {
		for _, line := range want {
			if !slices.Contains(sections[i+1], line) {
				t.Errorf("%q is not in\n%s", line, strings.Join(sections[i+1], "\n"))
			}
		}
	}
	if !strings.Contains(answer, "a=ssrc-group:FID ") {
		t.Errorf("no source of retransmissions is declared in\n%s", answer)
	}
}
