package rtpconn

import (
	"slices"
	"sync"
	"testing"

	"github.com/pion/rtp"

	"galene/codecs"
	"galene/conn"
	"galene/packetcache"
	"galene/rtptime"
	"galene/udpsocket"
)

// fakeTrack is an up track without a publisher.
type fakeTrack struct {
	format codecs.Format
	cache  *packetcache.Cache[packetMeta]
	sinks  fanout
	clock  func(rtptime.Instant) (uint32, bool)

	mu        sync.Mutex // guards the fields below
	keyframes int        // times one was asked for
	wanted    []int64
	gop       bool // whether GroupOfPictures has something
}

var _ conn.UpTrack = (*fakeTrack)(nil)

// newFakeTrack returns a track of one of our formats.
func newFakeTrack(tb testing.TB, name string) *fakeTrack {
	tb.Helper()
	formats, ok := codecs.Formats(name)
	if !ok {
		tb.Fatalf("no codec %q", name)
	}
	return &fakeTrack{format: formats[0], cache: packetcache.New[packetMeta](512, maxPacket), gop: true}
}

func (t *fakeTrack) Kind() codecs.Kind               { return t.format.Kind }
func (t *fakeTrack) TrackID() string                 { return "track" }
func (t *fakeTrack) StreamID() string                { return "stream" }
func (t *fakeTrack) RID() string                     { return "" }
func (t *fakeTrack) Format() codecs.Format           { return t.format }
func (t *fakeTrack) AddSink(s conn.Sink) error       { return t.sinks.add(s) }
func (t *fakeTrack) RemoveSink(s conn.Sink)          { t.sinks.remove(s) }
func (t *fakeTrack) CNAME() string                   { return "me" }
func (t *fakeTrack) Head() (sequence int64, ok bool) { return t.cache.Head() }

func (t *fakeTrack) forgot(sequence int64) bool {
	head, ok := t.cache.Head()
	return ok && sequence <= head-int64(t.cache.Len())
}

func (t *fakeTrack) Clock(at rtptime.Instant) (uint32, bool) {
	if t.clock == nil {
		return 0, false
	}
	return t.clock(at)
}

func (t *fakeTrack) Cached(sequence int64, dst []byte, p *conn.Packet) bool {
	n, meta, ok := t.cache.Get(sequence, dst)
	if !ok || int(meta.end) > n {
		return false
	}
	meta.describe(sequence, dst, p)
	return true
}

func (t *fakeTrack) GroupOfPictures() (first, last int64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.gop {
		return 0, 0, false
	}
	return t.cache.GroupOfPictures(rtptime.Now())
}

func (t *fakeTrack) Want(sequence int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wanted = append(t.wanted, sequence)
}

func (t *fakeTrack) RequestKeyframe() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keyframes++
}

// asked returns how often a keyframe was asked for.
func (t *fakeTrack) asked() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.keyframes
}

// packet describes a packet of one frame; n is its number in the payload.
func (t *fakeTrack) packet(sequence int64, n byte, keyframe bool) conn.Packet {
	return conn.Packet{
		Sequence:    sequence,
		Timestamp:   uint32(sequence) * 3000,
		Arrival:     rtptime.Now(),
		PayloadType: t.format.PayloadType,
		Marker:      true,
		Frame:       codecs.Frame{Known: true, Keyframe: keyframe, Start: true, End: true},
		Payload:     []byte{n, 1, 2, 3},
	}
}

// store puts a packet into the cache, as a reader does before it hands it on.
func (t *fakeTrack) store(p conn.Packet) {
	n := copy(t.cache.Buffer(), p.Payload)
	t.cache.Commit(p.Sequence, n, p.Frame.Keyframe, p.Arrival, packetMeta{
		arrival: p.Arrival, timestamp: p.Timestamp, end: uint16(n),
		payloadType: p.PayloadType, marker: p.Marker, frame: p.Frame,
	})
}

// deliver stores a packet and hands it to the sinks.
func (t *fakeTrack) deliver(p conn.Packet) {
	t.store(p)
	t.sinks.write([]conn.Packet{p}, nil)
}

// recordingEgress keeps what is sent.
type recordingEgress struct {
	mu      sync.Mutex // guards packets
	packets []rtp.Packet
}

func (e *recordingEgress) WriteRTP(h *rtp.Header, payload []byte, _ *udpsocket.Batch) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.packets = append(e.packets, rtp.Packet{Header: h.Clone(), Payload: slices.Clone(payload)})
	return nil
}

// take returns what was sent so far and forgets it.
func (e *recordingEgress) take() []rtp.Packet {
	e.mu.Lock()
	defer e.mu.Unlock()
	packets := e.packets
	e.packets = nil
	return packets
}

// numbers are the payloads' first octets.
func numbers(packets []rtp.Packet) (n []byte) {
	for _, p := range packets {
		if len(p.Payload) == 0 {
			n = append(n, 0) // padding
			continue
		}
		n = append(n, p.Payload[0])
	}
	return n
}

// discardEgress sends nothing.
type discardEgress struct{}

func (discardEgress) WriteRTP(*rtp.Header, []byte, *udpsocket.Batch) error { return nil }

// newBareDown returns a down connection that is good only for owning tracks.
func newBareDown(tb testing.TB) *Down {
	tb.Helper()
	d := &Down{}
	d.log = discardLog()
	d.ctx, d.cancel = tb.Context(), func() {}
	tb.Cleanup(func() {
		d.refuse()
		d.wg.Wait()
	})
	return d
}

// newBareTrack returns a track of a bare connection that is bound to out.
func newBareTrack(tb testing.TB, source conn.UpTrack, out egress) *downTrack {
	tb.Helper()
	d := newDownTrack(newBareDown(tb), conn.Selection{Track: source}, downFormat(source))
	d.bind(out, 1234, d.format.PayloadType)
	return d
}

// resend sends one packet again, as a NACK at now makes the track do; buffer is room for it.
func (d *downTrack) resend(sequence uint16, now rtptime.Instant, buffer []byte, out *udpsocket.Batch) {
	d.resendPacket(sequence, now, &repairRoom{octets: buffer}, out)
}
