package layers

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"galene/codecs"
	"galene/packetmap"
)

// outgoing is one packet as a subscriber receives it.
type outgoing struct {
	of       *packet
	source   uint8
	sequence uint16
	marker   bool
	bytes    []byte
	frame    codecs.Frame // what the receiver reads
}

// sender does what a down track does with a selector.
type sender struct {
	selector *Selector
	numbers  *packetmap.Map
	source   uint8
	live     bool
	feed     int // which publisher is being sent
	want     int
	out      []outgoing
	padded   map[uint16]bool
	kept     []map[int64]*packet // by publisher
	highest  [2]int64            // sequence number seen, by publisher
	frames   map[*packet]codecs.Frame
}

func newSender(mime string, start uint16) *sender {
	return &sender{
		selector: NewSelector(mime), numbers: packetmap.New(start, 1024),
		padded: map[uint16]bool{}, kept: []map[int64]*packet{{}, {}}, frames: map[*packet]codecs.Frame{},
	}
}

// write takes a packet of a publisher.
func (s *sender) write(source int, p *packet, f codecs.Frame) {
	s.kept[source][p.sequence] = p
	s.frames[p] = f
	early := s.highest[source]
	s.highest[source] = max(early, p.sequence)
	if source == s.want && f.Keyframe && (!s.live || source != s.feed) {
		s.live, s.feed = true, source
		s.source++
		s.selector.Begin()
		s.numbers.Switch(s.source, p.sequence, 0)
		s.forward(p, f)
		// What has overtaken the keyframe is known already.
		for sequence := p.sequence + 1; sequence <= early; sequence++ {
			if p := s.kept[source][sequence]; p != nil {
				s.forward(p, s.frames[p])
			}
		}
		return
	}
	if s.live && source == s.feed {
		s.forward(p, f)
	}
}

// forward sends a packet of the present source, or numbers past it.
func (s *sender) forward(p *packet, f codecs.Frame) {
	v := s.selector.Select(p.sequence, p.timestamp, p.marker, &f)
	if v.Close {
		s.numbers.Close(p.sequence)
	}
	if !v.Forward {
		if !s.numbers.Drop(p.sequence) {
			if out, ok := s.numbers.Pad(p.sequence); ok {
				s.padded[out] = true
			}
		}
		return
	}
	out, ok := s.numbers.Forward(p.sequence, v.Change.Pack())
	if !ok {
		return
	}
	s.out = append(s.out, outgoing{of: p, source: s.source, sequence: out, marker: v.Change.Marker, bytes: rewrite(p, &f, v.Change)})
}

// rewrite returns the octets that are sent.
func rewrite(p *packet, f *codecs.Frame, c Change) []byte {
	payload := bytes.Clone(p.payload)
	codecs.Renumber(payload, f, c.Renumbering)
	marker := byte(0)
	if c.Marker {
		marker = 1
	}
	b := append([]byte{marker, byte(len(payload))}, payload...)
	if p.extension == nil {
		return b
	}
	return codecs.RewriteDependencyDescriptor(b, p.extension, f, c.Renumbering, c.ActiveLayers(&f.Dependency))
}

// arrival shuffles packets as a network does: some are up to 50 late, some are lost, and some of these come
// much later.
func arrival(random *rand.Rand, packets []packet, reorder, loss bool) []*packet {
	type at struct {
		p    *packet
		time int
	}
	var list []at
	for i := range packets {
		when := 10 * i
		switch {
		case i == 0: // what comes before it is not understood
		case reorder && random.IntN(8) == 0:
			when += 10*random.IntN(50) + 5
		case loss && random.IntN(20) == 0:
			if random.IntN(2) == 0 {
				continue
			}
			when += 10*random.IntN(200) + 5
		}
		list = append(list, at{&packets[i], when})
	}
	slices.SortStableFunc(list, func(a, b at) int { return cmp.Compare(a.time, b.time) })
	var out []*packet
	for _, a := range list {
		out = append(out, a.p)
	}
	return out
}

// life is one random run.
type life struct {
	s              structure
	reorder, loss  bool
	random         *rand.Rand
	starts         [3]uint16
	changes, swaps bool
	pictures       int
}

// run sends random pictures of two publishers through a sender.
func (l *life) run() (*sender, [][]*packet) {
	publishers := []*publisher{
		newPublisher(l.s, 0, l.random, l.starts[0]), newPublisher(l.s, 1, l.random, l.starts[1]),
	}
	sender := newSender(l.s.mime, l.starts[2])
	ingests := []*ingest{{parse: codecs.ParserFor(l.s.mime)}, {parse: codecs.ParserFor(l.s.mime)}}
	arrivals := make([][]*packet, 2)
	for source, p := range publishers {
		var packets []packet
		for i := range l.pictures {
			packets = append(packets, p.next(i > 0 && l.random.IntN(40) == 0)...)
		}
		arrivals[source] = arrival(l.random, packets, l.reorder, l.loss)
	}
	for i := 0; i < max(len(arrivals[0]), len(arrivals[1])); i++ {
		for source := range publishers {
			if i >= len(arrivals[source]) {
				continue
			}
			p := arrivals[source][i]
			sender.write(source, p, ingests[source].frame(p))
		}
		if l.changes && l.random.IntN(60) == 0 {
			sender.selector.Target.Set(Layer{uint8(l.random.IntN(4)), uint8(l.random.IntN(4))})
		}
		if l.swaps && l.random.IntN(400) == 0 {
			sender.want = 1 - sender.want
		}
	}
	return sender, arrivals
}

func drawLife(t *rapid.T, s structure) *life {
	starts := []uint16{0, 1, 32767, 32768, 65535}
	l := &life{
		s:       s,
		reorder: rapid.Bool().Draw(t, "reorder"),
		loss:    rapid.Bool().Draw(t, "loss"),
		changes: rapid.Bool().Draw(t, "changes"),
		swaps:   rapid.Bool().Draw(t, "switches"),
		random:  rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)),
	}
	for i := range l.starts {
		l.starts[i] = rapid.SampledFrom(starts).Draw(t, "start")
	}
	l.pictures = rapid.IntRange(20, 120).Draw(t, "pictures")
	return l
}

// unwrapped sorts what was sent by its numbers, in the order of the stream.
func unwrapped(out []outgoing) []int64 {
	var numbers []int64
	var highest int64
	for i, o := range out {
		if i == 0 {
			highest = int64(o.sequence) + 1<<16
			numbers = append(numbers, highest)
			continue
		}
		n := highest + int64(int16(o.sequence-uint16(highest)))
		numbers = append(numbers, n)
		highest = max(highest, n)
	}
	return numbers
}

// What a subscriber receives cannot be told from a stream that was encoded so: numbers, picture ids,
// TL0PICIDX and KEYIDX are contiguous, each frame is whole and those that it is predicted from are
// there, and each picture's last packet has the marker.
func TestSubscriberSeesAWholeStream(t *testing.T) {
	t.Parallel()
	for _, s := range structures {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				l := drawLife(t, s)
				sender, arrivals := l.run()
				check(t, l, sender, arrivals)
			})
		})
	}
}

func check(t *rapid.T, l *life, s *sender, arrivals [][]*packet) {
	t.Helper()
	numbers := unwrapped(s.out)
	order := make([]int, len(s.out))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(numbers[a], numbers[b]) })
	sorted := make([]outgoing, len(s.out))
	for i, at := range order {
		sorted[i] = s.out[at]
		if i == 0 {
			continue
		}
		switch n, before := numbers[at], numbers[order[i-1]]; {
		case n == before:
			t.Fatalf("number %d was sent twice", uint16(n))
		case !l.loss && !(l.reorder && l.swaps):
			// What is late when the source changes is not sent any more.
			for missing := before + 1; missing < n; missing++ {
				if !s.padded[uint16(missing)] && sorted[i].source == sorted[i-1].source {
					t.Fatalf("number %d is missing", uint16(missing))
				}
			}
		}
	}
	for i := range sorted {
		sorted[i].of.frame.sent++
	}
	checkFrames(t, l, sorted)
	checkIdentifiers(t, l, sorted, overtaken(arrivals))
	checkResends(t, s)
}

// checkFrames looks whether frames are whole and decodable. What is lost on the way in is not
// the selector's fault: then a frame may be cut short, but must not have been left out.
func checkFrames(t *rapid.T, l *life, out []outgoing) {
	t.Helper()
	end := len(out)
	for i, o := range out {
		f := o.of.frame
		last := i+1 == end || out[i+1].source != o.source
		cut := last || i+1 < end && out[end-1].of.frame == f
		if !l.loss && f.sent != f.packets && !cut && !l.swaps {
			t.Fatalf("source %d picture %d layer %d,%d: %d of %d packets were sent", f.source, f.picture, f.spatial, f.temporal, f.sent, f.packets)
		}
		for _, r := range f.refs {
			if !l.loss && r.sent == 0 && !l.swaps {
				t.Fatalf("source %d picture %d layer %d,%d is predicted from picture %d layer %d,%d, which was not sent",
					f.source, f.picture, f.spatial, f.temporal, r.picture, r.spatial, r.temporal)
			}
		}
		ends := last || out[i+1].of.frame.picture != f.picture
		if !last && !l.loss && !l.swaps && o.marker != ends && !(l.s.alone && o.marker) {
			t.Fatalf("source %d picture %d layer %d,%d: marker %v at the end %v", f.source, f.picture, f.spatial, f.temporal, o.marker, ends)
		}
	}
}

// overtaken tells of which pictures nothing had come when a packet of a later one did.
func overtaken(arrivals [][]*packet) map[[2]int]bool {
	late := map[[2]int]bool{}
	for source, list := range arrivals {
		seen := map[int]bool{}
		highest := int64(0)
		pictures := 0
		for _, p := range list {
			pictures = max(pictures, p.frame.picture)
			if !seen[p.frame.picture] && p.sequence < highest {
				late[[2]int{source, p.frame.picture}] = true
			}
			seen[p.frame.picture] = true
			highest = max(highest, p.sequence)
		}
		for n := range pictures {
			if !seen[n] {
				late[[2]int{source, n}] = true // lost
			}
		}
	}
	return late
}

// checkIdentifiers looks at the numbers inside packets.
func checkIdentifiers(t *rapid.T, l *life, out []outgoing, late map[[2]int]bool) {
	t.Helper()
	parse := codecs.ParserFor(l.s.mime)
	var structures codecs.Structure
	for i := range out {
		o := &out[i]
		payload := o.bytes[2 : 2+o.bytes[1]]
		parse(payload, o.marker, &o.frame)
		if l.s.described && !codecs.ParseDependencyDescriptor(o.bytes[2+o.bytes[1]:], &structures, &o.frame) && !l.loss {
			t.Fatalf("descriptor %x is not understood", o.bytes[2+o.bytes[1]:])
		}
	}
	for i := 1; i < len(out); i++ {
		a, b := &out[i-1], &out[i]
		from, to := a.of.frame, b.of.frame
		same := a.source == b.source
		steps := to.picture - from.picture
		if !same {
			steps = 1
		}
		if l.s.described && !l.loss {
			want := uint16(1)
			if same {
				want = uint16((to.picture-from.picture)*l.s.spatial + to.spatial - from.spatial)
			}
			if got := b.frame.Dependency.Number - a.frame.Dependency.Number; got != want && (same || !l.reorder && !l.s.alone) {
				t.Fatalf("frame number %d after %d, want %d more", b.frame.Dependency.Number, a.frame.Dependency.Number, want)
			}
		}
		if l.s.bare || !same && (l.reorder || l.loss) {
			continue // numbers are kept for what is late, which a change of source cuts off
		}
		if same && l.s.mime == "video/VP8" && steps > 0 {
			steps = 1
			for n := from.picture + 1; n < to.picture; n++ {
				if late[[2]int{to.source, n}] {
					steps++
				}
			}
		}
		if got := uint16(b.frame.PictureID-a.frame.PictureID) & 0x7fff; int(got) != steps && !(l.reorder && l.swaps && int(got) <= steps) {
			t.Fatalf("picture %d has id %d, picture %d has %d: want %d more", from.picture, a.frame.PictureID, to.picture, b.frame.PictureID, steps)
		}
		if !l.loss && !(l.reorder && l.swaps) {
			checkCounters(t, l, a, b)
		}
	}
}

// checkCounters looks at TL0PICIDX and KEYIDX.
func checkCounters(t *rapid.T, l *life, a, b *outgoing) {
	t.Helper()
	if l.s.flexible {
		return
	}
	next := a.source != b.source || a.of.frame.picture != b.of.frame.picture
	want := uint8(0)
	if next && b.of.frame.temporal == 0 {
		want = 1
	}
	if got := uint8(b.frame.TL0PicIdx - a.frame.TL0PicIdx); got != want {
		t.Fatalf("TL0PICIDX %d after %d at picture %d, temporal layer %d", b.frame.TL0PicIdx, a.frame.TL0PicIdx, b.of.frame.picture, b.of.frame.temporal)
	}
	want = 0
	if next && b.of.frame.key {
		want = 1
	}
	if got := (b.frame.KeyIdx - a.frame.KeyIdx) & 31; l.s.mime == "video/VP8" && got != want {
		t.Fatalf("KEYIDX %d after %d at picture %d", b.frame.KeyIdx, a.frame.KeyIdx, b.of.frame.picture)
	}
}

// checkResends looks whether what is sent again has the same octets.
func checkResends(t *rapid.T, s *sender) {
	t.Helper()
	sources := map[uint8]int{}
	for _, o := range s.out {
		sources[o.source] = o.of.frame.source
	}
	for _, o := range s.out[max(0, len(s.out)-900):] {
		entry, ok := s.numbers.Lookup(o.sequence)
		if !ok {
			continue // beyond the ring
		}
		p := s.kept[sources[entry.Source]][entry.Ingest]
		f := s.frames[p]
		if again := rewrite(p, &f, Unpack(entry.Note)); !bytes.Equal(again, o.bytes) {
			t.Fatalf("packet %d is sent again as %x, was %x", o.sequence, again, o.bytes)
		}
	}
}
