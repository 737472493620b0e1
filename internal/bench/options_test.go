package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		args string
		want func(o *options)
	}{
		{"nothing measures everything", "", func(*options) {}},
		{"a quick look", "-short", func(o *options) { o.rounds, o.duration, o.warmUp = 1, 3*time.Second, time.Second }},
		{"a quick look with rounds of one's own", "-short -rounds 2", func(o *options) {
			o.rounds, o.duration, o.warmUp = 2, 3*time.Second, time.Second
		}},
		{"some scenarios, in the order given", "-scenario chat,lecture", func(o *options) {
			o.scenarios = []scenario{*findScenario("chat"), *findScenario("lecture")}
		}},
		{"other servers", "-server /opt/one -server /opt/one,-udp-range,9000", func(o *options) {
			o.others = []subject{{"one", "/opt/one", []string{}}, {"one -udp-range 9000", "/opt/one", []string{"-udp-range", "9000"}}}
		}},
		{"a server with our name", "-server /opt/galene", func(o *options) {
			o.others = []subject{{"/opt/galene", "/opt/galene", []string{}}}
		}},
	} {
		want := options{rounds: 5, duration: 10 * time.Second, warmUp: 3 * time.Second, scenarios: scenarios(), gro: true}
		test.want(&want)
		got, err := parseOptions(strings.Fields(test.args), io.Discard)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", test.name, got, err, want)
		}
	}
}

func TestCommandLineRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ args, says string }{
		{"-fast", "fast"},
		{"-rounds 0", "rounds"},
		{"-rounds 1000", "rounds"},
		{"-duration 1ms", "duration"},
		{"-warm-up -1s", "warm-up"},
		{"-scenario lectures", `"lectures"`},
		{"-scenario lecture,", `""`},
		{"-server ,-x", "path"},
		{"-server a -server a", "twice"},
		{"lecture", `"lecture"`},
	} {
		var stderr bytes.Buffer
		_, err := parseOptions(strings.Fields(test.args), &stderr)
		if !errors.Is(err, errUsage) || !strings.Contains(stderr.String(), test.says) {
			t.Errorf("%s: error %v, printed %q, want %q in it", test.args, err, &stderr, test.says)
		}
		if status := run(t.Context(), strings.Fields(test.args), nil, io.Discard, io.Discard); status != statusUsage {
			t.Errorf("%s: exit status %d, want %d", test.args, status, statusUsage)
		}
	}
	if _, err := parseOptions([]string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: error %v, want %v", err, flag.ErrHelp)
	}
}

func TestCommandLineOfTheLimitIsReadAsWritten(t *testing.T) {
	t.Parallel()
	want := limitOptions{
		shape: shape{publishers: 8, meeting: true}, paced: true, ports: []int{1, 65535},
		warmUp: time.Second, duration: time.Minute, arena: minArena,
	}
	got, err := parseLimitOptions(want.arguments(), io.Discard)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for _, args := range []string{"", "-ports 65536", "-ports 1,", "-ports 1 -subscribers 0", "-ports 1 -arena 100", "-ports 1 -x"} {
		if got, err := parseLimitOptions(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%q was read as %+v", args, got)
		}
	}
}

func TestFramesArePacedAsBrowsersDo(t *testing.T) {
	t.Parallel()
	if got, want := frameBursts(false), []burst{{0, 6}}; !reflect.DeepEqual(got, want) {
		t.Errorf("at once: %v, want %v", got, want)
	}
	// 2.5 times 1.5 Mbit/s are 2344 octets in 5 ms: a little more than two packets.
	want := []burst{{0, 3}, {5 * time.Millisecond, 2}, {10 * time.Millisecond, 1}}
	if got := frameBursts(true); !reflect.DeepEqual(got, want) {
		t.Errorf("paced: %v, want %v", got, want)
	}
}

func TestFlowsOfAShape(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		shape shape
		want  []flow
	}{
		{shape{publishers: 1, subscribers: 2}, []flow{{0, 0}, {0, 1}}},
		{shape{publishers: 2, meeting: true}, []flow{{0, 1}, {1, 0}}},
		{shape{publishers: 1, meeting: true}, nil},
	} {
		if got := test.shape.flows(); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%+v: %v, want %v", test.shape, got, test.want)
		}
	}
}

func TestStreamsNumberTheirPackets(t *testing.T) {
	t.Parallel()
	for _, paced := range []bool{false, true} {
		for _, s := range newStreams(shape{publishers: 2, subscribers: 1}, paced, newRandom()) {
			begin, index, frames := s.due(), uint64(0), 0
			for frames < 3 {
				for i := range s.bursts[s.next].packets {
					p := s.packet(i)
					if p.index != index {
						t.Fatalf("paced %v, audio %v: packet %d follows %d", paced, s.audio, p.index, index-1)
					}
					index++
					if p.marker {
						frames++
					}
				}
				s.advance()
			}
			if got, want := s.due()-begin, 3*s.interval; got != want {
				t.Errorf("paced %v, audio %v: three frames took %v, want %v", paced, s.audio, got, want)
			}
			if want := uint64(3 * len(s.payloads)); index != want {
				t.Errorf("paced %v, audio %v: %d packets in three frames, want %d", paced, s.audio, index, want)
			}
		}
	}
}

func TestResultsAreReplacedBetweenMarkers(t *testing.T) {
	t.Parallel()
	const before, after = "# Title\n\ntext\n\n", "\nmore text\n"
	document := before + markerBegin + "\nold\n" + markerEnd + "\n" + after
	for range 2 { // the second time, what the first has written is replaced
		var err error
		if document, err = replaceResults(document, "new\n"); err != nil {
			t.Fatal(err)
		}
		if want := before + markerBegin + "\n\nnew\n\n" + markerEnd + "\n" + after; document != want {
			t.Errorf("the document is %q, want %q", document, want)
		}
	}
	for _, document := range []string{"", markerBegin + "\n", markerEnd + "\n" + markerBegin + "\n"} {
		if _, err := replaceResults(document, "new"); !errors.Is(err, errMarkers) {
			t.Errorf("%q: error %v, want %v", document, err, errMarkers)
		}
	}
}

func TestAnnouncementsAreWholeLines(t *testing.T) {
	t.Parallel()
	a := newAnnouncements()
	for _, part := range []string{"noise\nmeas", "ure st", "art\nports 1,2\nmeasure", " end"} {
		if n, err := a.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	close(a.lines)
	var got []string
	for line := range a.lines {
		got = append(got, line)
	}
	if want := []string{"measure start", "ports 1,2"}; !reflect.DeepEqual(got, want) {
		t.Errorf("announced %q, want %q", got, want)
	}
	if !strings.HasSuffix(a.tail(), "measure end") || !strings.HasPrefix(a.tail(), "noise") {
		t.Errorf("the tail is %q", a.tail())
	}
}
