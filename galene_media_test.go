package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"galene/codecs"
	"galene/internal/testkit"
)

const (
	// quick is the time between frames of tests that need many of them.
	quick = 5 * time.Millisecond
	// window is how many packets such tests keep under way: fewer than the
	// sockets of a default system have room for.
	window = 40
)

// pacer holds a source back while its packets have not arrived.
type pacer struct {
	source *testkit.Source

	mu     sync.Mutex       // guards the fields below
	tracks []*testkit.Track // whom it waits for
}

// follow makes the source wait for a track.
func (p *pacer) follow(track *testkit.Track) *testkit.Track {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tracks = append(p.tracks, track)
	return track
}

func (p *pacer) hold() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	made := p.source.Made()
	for _, track := range p.tracks {
		packets := track.Packets()
		if len(packets) == 0 {
			return true
		}
		c, err := testkit.ParseContent(packets[len(packets)-1].Payload)
		if err != nil || made > c.Index+window {
			return true
		}
	}
	return len(p.tracks) == 0
}

// meeting is a server with clients, all of which end with the test.
type meeting struct {
	t      *testing.T
	ctx    context.Context
	server *testkit.Server
}

func newMeeting(t *testing.T, groups ...string) *meeting {
	t.Helper()
	var o testkit.ServerOptions
	if len(groups) > 0 {
		o.Groups = make(map[string]string)
	}
	for _, name := range groups {
		o.Groups[name] = testkit.OpenGroup
	}
	return (&meeting{server: testkit.StartServer(t, run, o)}).within(t)
}

// within returns the meeting as a subtest uses it, which has its own time.
func (m *meeting) within(t *testing.T) *meeting {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	t.Cleanup(cancel)
	return &meeting{t, ctx, m.server}
}

// join returns a client that has joined a group.
func (m *meeting) join(group, username string, o testkit.ClientOptions) *testkit.Client {
	m.t.Helper()
	c, err := testkit.Dial(m.ctx, m.server.Endpoint(), o)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(c.Close)
	if _, err := c.Join(m.ctx, group, username, ""); err != nil {
		m.t.Fatal(err)
	}
	return c
}

// watch returns a client that has joined a group and receives everything.
func (m *meeting) watch(group, username string, o testkit.ClientOptions) *testkit.Client {
	m.t.Helper()
	c := m.join(group, username, o)
	if err := c.Subscribe(); err != nil {
		m.t.Fatal(err)
	}
	return c
}

// publish returns a stream of c that media can flow on.
func (m *meeting) publish(c *testkit.Client, o testkit.StreamOptions) *testkit.Publication {
	m.t.Helper()
	p, err := c.Publish(m.ctx, o)
	if err == nil {
		err = p.WaitConnected(m.ctx)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

// play sends a publication's media. The function that it returns ends that, and
// waits.
func (m *meeting) play(p *testkit.Publication) (stop func()) {
	ctx, cancel := context.WithCancel(m.ctx)
	var playing sync.WaitGroup
	playing.Go(func() {
		if err := p.Play(ctx); err != nil {
			m.t.Errorf("play: %v", err)
		}
	})
	stop = func() {
		cancel()
		playing.Wait()
	}
	m.t.Cleanup(stop)
	return stop
}

// stream waits for the next stream that c is offered.
func (m *meeting) stream(c *testkit.Client) *testkit.Stream {
	m.t.Helper()
	s, err := c.WaitStream(m.ctx)
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

// tracks waits for n tracks of a stream.
func (m *meeting) tracks(s *testkit.Stream, n int) []*testkit.Track {
	m.t.Helper()
	tracks, err := s.WaitTracks(m.ctx, n)
	if err != nil {
		m.t.Fatal(err)
	}
	return tracks
}

// received waits until n packets of a track have come, and one with an index
// of at least last, and returns them in the order of their sequence numbers.
func (m *meeting) received(track *testkit.Track, n int, last uint64) []testkit.Packet {
	m.t.Helper()
	packets, err := track.WaitPackets(m.ctx, func(packets []testkit.Packet) bool {
		return unbroken(packets, n, last)
	})
	if err != nil {
		m.t.Fatalf("%v after %d packets of %s, with the indices %v; want %d up to at least %d",
			err, len(packets), track.Remote.Codec().MimeType, ranges(packets), n, last)
	}
	return inOrder(packets)
}

// settling is how many packets a client's stack may see before it knows whose a new
// source is. It may lose some of them.
const settling = 60

// whole returns packets in order, from behind the last hole among the first ones.
func whole(packets []testkit.Packet) []testkit.Packet {
	if len(packets) == 0 {
		return nil
	}
	packets = inOrder(packets)
	begin := 0
	for i := 1; i < min(len(packets), settling); i++ {
		if packets[i].Sequence-packets[i-1].Sequence > 1 {
			begin = i
		}
	}
	return packets[begin:]
}

// settled is received of what comes after the client's stack has lost what it loses. begins tells
// that it has lost nothing.
func (m *meeting) settled(track *testkit.Track, n int, last uint64) (packets []testkit.Packet, begins bool) {
	m.t.Helper()
	all, err := track.WaitPackets(m.ctx, func(packets []testkit.Packet) bool {
		return unbroken(whole(packets), n, last)
	})
	if err != nil {
		m.t.Fatalf("%v after %d packets of %s, with the indices %v; want %d up to at least %d",
			err, len(all), track.Remote.Codec().MimeType, ranges(all), n, last)
	}
	packets = whole(all)
	return packets, len(packets) == len(all)
}

// goesOn waits until a packet of a track has come with an index of at least
// index, whatever was lost before.
func (m *meeting) goesOn(track *testkit.Track, index uint64) {
	m.t.Helper()
	packets, err := track.WaitPackets(m.ctx, func(packets []testkit.Packet) bool {
		return len(packets) > 0 && unbroken(packets[len(packets)-1:], 1, index)
	})
	if err != nil {
		m.t.Fatalf("%v with the indices %v; want at least %d", err, ranges(packets), index)
	}
}

// unbroken reports whether there are n packets, without a hole, that reach to
// the index last.
func unbroken(packets []testkit.Packet, n int, last uint64) bool {
	if len(packets) < n {
		return false
	}
	ordered := inOrder(packets)
	c, err := testkit.ParseContent(ordered[len(ordered)-1].Payload)
	span := int(ordered[len(ordered)-1].Sequence-ordered[0].Sequence) + 1
	return err != nil || c.Index >= last && span <= len(ordered)
}

// ranges lists the indices of packets as they came, in runs without a hole.
func ranges(packets []testkit.Packet) (runs []string) {
	var first, next uint64
	for i, p := range packets {
		c, err := testkit.ParseContent(p.Payload)
		if err != nil {
			return append(runs, err.Error())
		}
		if i > 0 && c.Index != next {
			runs = append(runs, fmt.Sprintf("%d-%d", first, next-1))
		}
		if i == 0 || c.Index != next {
			first = c.Index
		}
		next = c.Index + 1
	}
	return append(runs, fmt.Sprintf("%d-%d", first, next-1))
}

// inOrder returns packets, none of which is half the sequence number space
// after the first, in the order of their sequence numbers.
func inOrder(packets []testkit.Packet) []testkit.Packet {
	packets = slices.Clone(packets)
	first := packets[0].Sequence
	slices.SortStableFunc(packets, func(a, b testkit.Packet) int {
		return int(int16(a.Sequence-first)) - int(int16(b.Sequence-first))
	})
	return packets
}

// verify checks that packets are what source made, one after the other: with
// payloads intact, numbered without holes, and stamped at the source's pace. It
// returns the first one's content.
func verify(t *testing.T, source *testkit.Source, packets []testkit.Packet) testkit.Content {
	t.Helper()
	codec := source.Codec()
	first, err := testkit.ParseContent(packets[0].Payload)
	if err != nil {
		t.Fatal(err)
	}
	ticks := uint32(3000)
	if codec == testkit.Opus {
		ticks = 960
	}
	for i, p := range packets {
		c, err := testkit.ParseContent(p.Payload)
		if err != nil {
			t.Fatalf("%v, packet %d of %d: %v", codec, i, len(packets), err)
		}
		if want := first.Index + uint64(i); c.Index != want {
			t.Fatalf("%v, packet %d of %d has index %d, want %d", codec, i, len(packets), c.Index, want)
		}
		if want := packets[0].Sequence + uint16(i); p.Sequence != want {
			t.Fatalf("%v, packet with index %d has sequence number %d, want %d", codec, c.Index, p.Sequence, want)
		}
		if want := packets[0].Timestamp + (c.Frame-first.Frame)*ticks; p.Timestamp != want {
			t.Fatalf("%v, packet with index %d has timestamp %d, want %d", codec, c.Index, p.Timestamp, want)
		}
		if want := c.Last && codec != testkit.Opus; p.Marker != want {
			t.Fatalf("%v, packet with index %d has marker %v, want %v", codec, c.Index, p.Marker, want)
		}
	}
	return first
}

// index returns a packet's index.
func index(t *testing.T, packet testkit.Packet) uint64 {
	t.Helper()
	c, err := testkit.ParseContent(packet.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return c.Index
}

// verifyKeyframe checks that packet begins a keyframe.
func verifyKeyframe(t *testing.T, codec testkit.Codec, packet testkit.Packet) {
	t.Helper()
	var f codecs.Frame
	codecs.ParserFor(codec.MimeType())(packet.Payload, packet.Marker, &f)
	if !f.Keyframe || !f.Start {
		c, err := testkit.ParseContent(packet.Payload)
		t.Errorf("%v: the first packet, %+v, %v, begins no keyframe: %+v", codec, c, err, f)
	}
}

func TestEveryPacketArrivesIntactAndInOrder(t *testing.T) {
	t.Parallel()
	const count = 300 // packets that must arrive
	starts := []uint16{0, 65535 - count/3, 32767 - count/3}
	var groups []string
	for _, codec := range testkit.Codecs() {
		for _, start := range starts {
			groups = append(groups, fmt.Sprintf("%v-%d", codec, start))
		}
	}
	m := newMeeting(t, groups...)
	for _, codec := range testkit.Codecs() {
		for _, start := range starts {
			group := fmt.Sprintf("%v-%d", codec, start)
			t.Run(group, func(t *testing.T) { // not parallel: each needs its share of time
				m := m.within(t)
				trickle := testkit.ClientOptions{Trickle: start == 0}
				watcher := m.watch(group, "watcher", trickle)
				source := testkit.NewSource(testkit.SourceOptions{
					Codec: codec, Sequence: start, Timestamp: 0xffffffff - 100000, Packets: 5, KeyframeEvery: 30,
				})
				pacer := &pacer{source: source}
				p := m.publish(m.join(group, "publisher", trickle), testkit.StreamOptions{
					Sources: []*testkit.Source{source}, Interval: quick, Hold: pacer.hold,
				})
				stop := m.play(p)
				s := m.stream(watcher)
				if s.Username != "publisher" || s.Label != "camera" || s.ID != p.ID {
					t.Errorf("stream %q of %q, label %q; want %q of publisher, label camera", s.ID, s.Username, s.Label, p.ID)
				}
				track := pacer.follow(m.tracks(s, 1)[0])
				if got := track.Remote.Codec().MimeType; got != codec.MimeType() {
					t.Errorf("codec %s, want %v", got, codec)
				}
				m.settled(track, count, 0)
				stop()
				packets, begins := m.settled(track, count, source.Made()-1)
				verify(t, source, packets)
				if begins && codec != testkit.Opus {
					verifyKeyframe(t, codec, packets[0])
				}
			})
		}
	}
}

func TestALateJoinerBeginsWithAKeyframe(t *testing.T) {
	t.Parallel()
	videos := []testkit.Codec{testkit.VP8, testkit.VP9, testkit.H264, testkit.AV1}
	var groups []string
	for _, codec := range videos {
		groups = append(groups, codec.String())
	}
	m := newMeeting(t, groups...)
	for _, codec := range videos {
		t.Run(codec.String(), func(t *testing.T) {
			m := m.within(t)
			source := testkit.NewSource(testkit.SourceOptions{Codec: codec}) // no keyframe unless asked
			pacer := &pacer{source: source}
			p := m.publish(m.join(codec.String(), "publisher", testkit.ClientOptions{}), testkit.StreamOptions{
				Sources: []*testkit.Source{source}, Interval: quick, Hold: pacer.hold,
			})
			m.play(p)
			early := m.watch(codec.String(), "early", testkit.ClientOptions{})
			m.received(pacer.follow(m.tracks(m.stream(early), 1)[0]), 100, 0)

			late := m.watch(codec.String(), "late", testkit.ClientOptions{})
			packets := m.received(pacer.follow(m.tracks(m.stream(late), 1)[0]), 100, 0)
			// A newcomer who cannot catch up with what it has missed may be given
			// another keyframe, which follows without a hole.
			for begin, i := 0, 1; i <= len(packets); i++ {
				if i < len(packets) && index(t, packets[i]) == index(t, packets[i-1])+1 {
					continue
				}
				verifyKeyframe(t, codec, packets[begin])
				verify(t, source, packets[begin:i])
				if i < len(packets) && packets[i].Sequence != packets[i-1].Sequence+1 {
					t.Errorf("%v: sequence number %d follows %d", codec, packets[i].Sequence, packets[i-1].Sequence)
				}
				begin = i
			}
		})
	}
}

func TestAudioAndVideoOfOneStream(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
	}{
		{"over one port", nil},
		{"over a range of ports", []string{"-udp-range", "20000-60000"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := testkit.StartServer(t, run, testkit.ServerOptions{Args: tt.args})
			testAudioAndVideo(t, (&meeting{server: server}).within(t))
		})
	}
}

func testAudioAndVideo(t *testing.T, m *meeting) {
	t.Helper()
	watcher := m.watch("room", "watcher", testkit.ClientOptions{})
	sources := []*testkit.Source{
		testkit.NewSource(testkit.SourceOptions{Codec: testkit.Opus}),
		testkit.NewSource(testkit.SourceOptions{Codec: testkit.VP8}),
	}
	p := m.publish(m.join("room", "publisher", testkit.ClientOptions{}),
		testkit.StreamOptions{Label: "screenshare", Sources: sources})
	m.play(p)
	s := m.stream(watcher)
	if s.Label != "screenshare" {
		t.Errorf("label %q, want screenshare", s.Label)
	}
	for _, track := range m.tracks(s, 2) {
		source := sources[0]
		if track.Remote.Kind() == testkit.VP8.Kind() {
			source = sources[1]
		}
		if got := track.Remote.StreamID(); got != p.ID {
			t.Errorf("%v: msid %q, want the publisher's %q", source.Codec(), got, p.ID)
		}
		verify(t, source, m.received(track, 50, 0))
	}
}

func TestStreamsOfALeaverAreClosed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		leave func(m *meeting, c *testkit.Client, p *testkit.Publication)
	}{
		{"leaves the group", func(m *meeting, c *testkit.Client, _ *testkit.Publication) {
			if err := c.Leave(m.ctx, "room"); err != nil {
				m.t.Fatal(err)
			}
		}},
		{"closes the stream", func(m *meeting, _ *testkit.Client, p *testkit.Publication) {
			if err := p.Close(); err != nil {
				m.t.Fatal(err)
			}
		}},
		{"disconnects", func(_ *meeting, c *testkit.Client, _ *testkit.Publication) { c.Close() }},
	}
	m := newMeeting(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := m.within(t)
			watcher := m.watch("room", "watcher", testkit.ClientOptions{})
			c := m.join("room", "leaver", testkit.ClientOptions{})
			p := m.publish(c, testkit.StreamOptions{
				Sources: []*testkit.Source{testkit.NewSource(testkit.SourceOptions{})},
			})
			stop := m.play(p)
			s := m.stream(watcher)
			m.received(m.tracks(s, 1)[0], 10, 0)
			stop()
			tt.leave(m, c, p)
			if err := s.WaitClosed(m.ctx); err != nil {
				t.Fatalf("the stream is not closed: %v", err)
			}
			watcher.Close()
			c.Close()
		})
	}
}

func TestAReplacingStreamTakesTheOldOnesPlace(t *testing.T) {
	t.Parallel()
	m := newMeeting(t)
	watcher := m.watch("room", "watcher", testkit.ClientOptions{})
	c := m.join("room", "publisher", testkit.ClientOptions{})
	old := m.publish(c, testkit.StreamOptions{Sources: []*testkit.Source{testkit.NewSource(testkit.SourceOptions{})}})
	stop := m.play(old)
	oldStream := m.stream(watcher)
	m.received(m.tracks(oldStream, 1)[0], 10, 0)
	stop()

	source := testkit.NewSource(testkit.SourceOptions{Codec: testkit.VP8})
	next := m.publish(c, testkit.StreamOptions{Replace: old.ID, Sources: []*testkit.Source{source}})
	m.play(next)
	s := m.stream(watcher)
	if s.ID != next.ID || s.Replace != old.ID {
		t.Errorf("stream %q replaces %q, want %q in place of %q", s.ID, s.Replace, next.ID, old.ID)
	}
	if err := oldStream.WaitClosed(m.ctx); err != nil {
		t.Fatalf("the old stream is not closed: %v", err)
	}
	verify(t, source, m.received(m.tracks(s, 1)[0], 50, 0))
}

func TestAllMembersReceiveEachOther(t *testing.T) {
	t.Parallel()
	const members = 4
	m := newMeeting(t)
	clients := make([]*testkit.Client, members)
	sources := make(map[string]*testkit.Source)
	for i := range clients {
		clients[i] = m.watch("room", fmt.Sprintf("member%d", i), testkit.ClientOptions{Trickle: i%2 == 0})
		source := testkit.NewSource(testkit.SourceOptions{Codec: testkit.VP8, KeyframeEvery: 20})
		p := m.publish(clients[i], testkit.StreamOptions{Sources: []*testkit.Source{source}})
		sources[p.ID] = source
		m.play(p)
	}
	for i, c := range clients {
		seen := make(map[string]bool)
		for range members - 1 {
			s := m.stream(c)
			if seen[s.Source] || s.Source == c.ID() {
				t.Errorf("member %d is offered another stream of %s", i, s.Username)
			}
			seen[s.Source] = true
			verify(t, sources[s.ID], m.received(m.tracks(s, 1)[0], 60, 0))
		}
	}
}
