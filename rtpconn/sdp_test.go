package rtpconn

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"galene/codecs"
)

// describe returns a session description with the given m-sections.
func describe(sections ...string) string {
	text := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
	return text + strings.Join(sections, "")
}

// video returns an m-section with the given attributes.
func video(attributes ...string) string {
	return "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=" +
		strings.Join(attributes, "\r\na=") + "\r\n"
}

func TestReadSections(t *testing.T) {
	t.Parallel()
	types := []uint8{96, 97}
	tests := []struct {
		name string
		text string
		want section
	}{
		{
			"sending", describe(video("mid:0", "sendonly", "msid:stream track")),
			section{kind: codecs.Video, mid: "0", sends: true, streamID: "stream", trackID: "track", payloadTypes: types},
		},
		{
			"both ways", describe(video("mid:0", "sendrecv")),
			section{kind: codecs.Video, mid: "0", sends: true, receives: true, payloadTypes: types},
		},
		{
			"receiving", describe(video("mid:0", "recvonly", "msid:- track")),
			section{kind: codecs.Video, mid: "0", receives: true, trackID: "track", payloadTypes: types},
		},
		{
			"inactive", describe(video("mid:0", "inactive")),
			section{kind: codecs.Video, mid: "0", payloadTypes: types},
		},
		{
			"no direction", describe(video("mid:0")),
			section{kind: codecs.Video, mid: "0", sends: true, receives: true, undirected: true, payloadTypes: types},
		},
		{
			"direction of the session", strings.Replace(describe(video("mid:0")), "m=", "a=sendonly\r\nm=", 1),
			section{kind: codecs.Video, mid: "0", sends: true, undirected: true, payloadTypes: types},
		},
		{
			"rejected", strings.Replace(describe(video("mid:0", "sendonly")), "video 9", "video 0", 1),
			section{kind: codecs.Video, mid: "0", rejected: true, payloadTypes: types},
		},
		{
			"port zero in a bundle", strings.Replace(describe(video("mid:0", "sendonly", "bundle-only")), "video 9", "video 0", 1),
			section{kind: codecs.Video, mid: "0", sends: true, payloadTypes: types},
		},
		{
			"encodings in the order of preference", describe(video("mid:0", "sendonly", "rid:l send", "rid:m send", "rid:h send", "simulcast:send h;m;l")),
			section{kind: codecs.Video, mid: "0", sends: true, rids: []string{"h", "m", "l"}, payloadTypes: types},
		},
		{
			"paused encodings and alternatives", describe(video("mid:0", "sendonly", "rid:1 send pt=96", "rid:2 send", "rid:3 send", "simulcast:recv 9 send ~3,2;~1")),
			section{kind: codecs.Video, mid: "0", sends: true, rids: []string{"3", "1"}, payloadTypes: types},
		},
		{
			"encodings that were not declared", describe(video("mid:0", "sendonly", "rid:a recv", "rid:b send", "simulcast:send a;b;c;b")),
			section{kind: codecs.Video, mid: "0", sends: true, rids: []string{"b"}, payloadTypes: types},
		},
		{
			"encodings without an order", describe(video("mid:0", "sendonly", "rid:b send", "rid:a send")),
			section{kind: codecs.Video, mid: "0", sends: true, rids: []string{"b", "a"}, payloadTypes: types},
		},
		{
			"rids that are none", describe(video("mid:0", "sendonly", "rid:a;b send", "rid: send", "rid", "simulcast")),
			section{kind: codecs.Video, mid: "0", sends: true, payloadTypes: types},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, sections, err := parseDescription(tt.text)
			if err != nil || len(sections) != 1 {
				t.Fatalf("parseDescription: %d sections, %v", len(sections), err)
			}
			if got, want := fmt.Sprintf("%+v", sections[0]), fmt.Sprintf("%+v", tt.want); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestBadDescriptionsAreRefusedInWords(t *testing.T) {
	t.Parallel()
	var rids []string
	for i := range maxTracks + 1 {
		rids = append(rids, fmt.Sprintf("rid:%d send", i))
	}
	var sections []string
	for i := range maxSections + 1 {
		sections = append(sections, video(fmt.Sprintf("mid:%d", i), "inactive"))
	}
	tests := []struct {
		name, text, want string
	}{
		{"garbage", "garbage", "cannot be read"},
		{"too long", strings.Repeat("a", maxSDP+1), "too long"},
		{"a data channel", describe(video("mid:0"), "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n"), `kind "application"`},
		{"an unknown kind", describe("m=text 9 RTP/AVP 98\r\na=mid:1\r\n"), `kind "text"`},
		{"no mid", describe(video("sendonly")), "no identifier"},
		{"one mid twice", describe(video("mid:a"), video("mid:a")), `called "a"`},
		{"a long mid", describe(video("mid:" + strings.Repeat("a", 256))), "too long"},
		{"too many sections", describe(sections...), "More than 32"},
		{"too many tracks", describe(video(append(rids, "mid:0")...)), "More than 16"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := parseDescription(tt.text)
			refusal, ok := errors.AsType[*NegotiationError](err)
			if !ok || !strings.Contains(refusal.Text, tt.want) {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
		})
	}
}

// Whatever a peer sends as a description, it is read within bounds or refused
// by a NegotiationError.
func FuzzParseDescription(f *testing.F) {
	f.Add(describe(video("mid:0", "sendonly", "rid:h send", "rid:l send", "simulcast:send h;~l")))
	f.Add(describe(video("mid:0"), strings.Replace(video("mid:1", "recvonly"), "video", "audio", 1)))
	f.Fuzz(func(t *testing.T, text string) {
		d, sections, err := parseDescription(text)
		if err != nil {
			if _, ok := errors.AsType[*NegotiationError](err); !ok {
				t.Fatalf("error %v (%T)", err, err)
			}
			return
		}
		tracks := 0
		for _, s := range sections {
			if s.sends {
				tracks += max(1, len(s.rids))
			}
			slices.Sort(s.rids)
			if len(slices.Compact(s.rids)) != len(s.rids) {
				t.Fatalf("one rid twice in %q", s.rids)
			}
		}
		if len(sections) > maxSections || tracks > maxTracks {
			t.Fatalf("%d sections, %d tracks", len(sections), tracks)
		}
		if _, err := forPion(text, d, sections, new(candidateBuffer).admit); err != nil {
			t.Fatalf("forPion: %v", err)
		}
	})
}

func TestEverySectionStatesItsDirection(t *testing.T) {
	t.Parallel()
	rejected := strings.Replace(video("mid:1", "sendonly"), "video 9", "video 0", 1)
	text := describe(video("mid:0"), rejected, video("mid:2", "recvonly"))
	d, sections, err := parseDescription(text)
	if err != nil {
		t.Fatal(err)
	}
	stated, err := forPion(text, d, sections, new(candidateBuffer).admit)
	if err != nil {
		t.Fatal(err)
	}
	_, sections, err = parseDescription(stated)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"sendrecv", "inactive", "recvonly"} {
		if s := sections[i]; s.direction() != want || s.undirected {
			t.Errorf("section %d: %+v, want %s\n%s", i, s, want, stated)
		}
	}
	if strings.Contains(stated, "sendonly") {
		t.Errorf("the rejected section sends\n%s", stated)
	}
}

func TestCandidatesOfAllDescriptionsTogetherAreBounded(t *testing.T) {
	t.Parallel()
	var b candidateBuffer
	b.ready = true
	candidate := func(n int) string {
		return fmt.Sprintf("candidate:1 1 udp 1 192.0.2.1 %d typ host", n)
	}
	passed := make(map[string]bool)
	for round := range 20 {
		attributes := []string{"mid:0"}
		for i := range 50 {
			attributes = append(attributes, candidate(50*round+i))
		}
		text := describe(video(attributes...))
		d, sections, err := parseDescription(text)
		if err != nil {
			t.Fatal(err)
		}
		if text, err = forPion(text, d, sections, b.admit); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text) {
			if c, ok := strings.CutPrefix(strings.TrimSpace(line), "a="); ok && strings.HasPrefix(c, "candidate:") {
				passed[c] = true
			}
		}
		apply := func(c Candidate) error {
			passed[c.Candidate] = true
			return nil
		}
		b.flush(apply)
		for i := range 50 {
			_ = b.add(Candidate{Candidate: candidate(10000 + 50*round + i)}, apply)
		}
	}
	if len(passed) != maxKnownCandidates {
		t.Errorf("%d different candidates were passed on, want %d", len(passed), maxKnownCandidates)
	}
	if !b.admit(candidate(0)) {
		t.Error("a candidate that is known already is refused")
	}
}
