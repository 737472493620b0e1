package rtpconn

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"galene/codecs"
	"galene/conn"
	"galene/estimator"
	"galene/jitter"
	"galene/layers"
	"galene/nack"
	"galene/packetcache"
	"galene/rtptime"
)

const (
	// leastVideoCache and leastAudioCache are the packets that a track's cache holds
	// at least. A keyframe can be many times what its track's rate suggests, and
	// is what newcomers and retransmissions need most.
	leastVideoCache = 256
	leastAudioCache = 64
)

// packetMeta is what the cache keeps of a packet beside its octets.
type packetMeta struct {
	arrival     rtptime.Instant
	timestamp   uint32
	start, end  uint16 // of the payload within the packet
	redundant   uint16 // where the payload with redundancy begins, or 0
	payloadType uint8
	marker      bool
	extensions  conn.Extensions
	frame       codecs.Frame
}

// upTrack is one RTP stream of an up connection: a section, or an encoding of
// one. It is known from the answer on, before anything is received, until it
// ends; then another one takes its place if need be.
type upTrack struct {
	// Immutable.
	up                *Up
	kind              codecs.Kind
	mid, rid          string
	streamID, trackID string

	payloads atomic.Pointer[payloads]
	current  atomic.Pointer[payload] // what is received, or expected at first

	sinks fanout
	cache *packetcache.Cache[packetMeta]
	clock atomic.Pointer[jitter.TrackClock]
	cname atomic.Pointer[string]

	roundTrip atomic.Int64 // to the publisher, in nanoseconds
	wished    atomic.Int64 // when a subscriber would last take this encoding, an Instant
	capacity  atomic.Int64 // what the cache should hold; the reader resizes it
	rate      estimator.Rate
	layerRate [codecs.Layers]estimator.Rate // of video, by codecs.LayerIndex

	mu       sync.Mutex // guards the fields below
	bound    *webrtc.TrackRemote
	ended    bool
	done     chan struct{} // closed when ended
	stats    *jitter.Statistics
	losses   *nack.Tracker
	keyframe keyframeRequester

	counters counters // any goroutine's; far from what each packet touches
}

var _ conn.UpTrack = (*upTrack)(nil)

// newUpTrack returns the track of an accepted section's encoding.
func newUpTrack(u *Up, s acceptedSection, rid string) *upTrack {
	t := &upTrack{
		up:       u,
		kind:     s.kind,
		mid:      s.mid,
		rid:      rid,
		streamID: s.streamID,
		trackID:  s.trackID,
		done:     make(chan struct{}),
	}
	t.payloads.Store(s.payloads)
	t.reset(&s.payloads.entries[0])
	return t
}

// successor returns a fresh track in the place of t, for when the publisher
// sends it anew on another SSRC.
func (t *upTrack) successor() *upTrack {
	n := &upTrack{
		up: t.up, kind: t.kind, mid: t.mid, rid: t.rid,
		streamID: t.streamID, trackID: t.trackID,
		done: make(chan struct{}),
	}
	n.payloads.Store(t.payloads.Load())
	n.reset(t.current.Load())
	return n
}

// reset gives a new track its state, for the codec that is expected.
func (t *upTrack) reset(expected *payload) {
	t.counters.direction, t.counters.kind, t.counters.rate = upward, t.kind, &t.rate
	t.current.Store(expected)
	config := nack.Config{}
	if t.kind == codecs.Audio {
		// Audio that comes too late is useless.
		config = nack.Config{MaxTries: 3, MaxAge: 300 * time.Millisecond}
	}
	// The reader makes room when packets really come: a description can
	// announce a great many tracks.
	t.cache = packetcache.New[packetMeta](1, maxPacket)
	t.fitCache(0, 0)
	t.roundTrip.Store(int64(defaultRoundTrip))
	t.setClockRate(expected.format.ClockRate)
	t.losses = nack.New(config)
}

// fitCache sets how many packets the cache is to hold, by the rate at which they come
// and the longest round trip.
func (t *upTrack) fitCache(packetsPerSecond float64, roundTrip time.Duration) {
	least := leastVideoCache
	if t.kind == codecs.Audio {
		least = leastAudioCache
	}
	t.capacity.Store(int64(max(packetcache.Capacity(packetsPerSecond, roundTrip), least)))
}

// setClockRate begins the statistics anew, for a codec of that clock rate.
func (t *upTrack) setClockRate(clockRate uint32) {
	t.stats = jitter.NewStatistics(clockRate)
	t.counters.mostLost.Store(0)
	t.clock.Store(jitter.NewTrackClock(t.up.clock, clockRate))
}

// setPayloads tells the track what the payload types mean from now on.
func (t *upTrack) setPayloads(p *payloads) { t.payloads.Store(p) }

// Kind implements conn.UpTrack.
func (t *upTrack) Kind() codecs.Kind { return t.kind }

// TrackID implements conn.UpTrack.
func (t *upTrack) TrackID() string { return t.trackID }

// StreamID implements conn.UpTrack.
func (t *upTrack) StreamID() string { return t.streamID }

// RID implements conn.UpTrack.
func (t *upTrack) RID() string { return t.rid }

// Format implements conn.UpTrack.
func (t *upTrack) Format() codecs.Format { return t.current.Load().format }

// AddSink implements conn.UpTrack.
func (t *upTrack) AddSink(s conn.Sink) error {
	idle := t.sinks.empty()
	if err := t.sinks.add(s); err != nil {
		return err
	}
	if idle {
		t.up.taken.Store(true)
		t.up.poke()
	}
	return nil
}

// RemoveSink implements conn.UpTrack.
func (t *upTrack) RemoveSink(s conn.Sink) { t.sinks.remove(s) }

// CNAME implements conn.UpTrack.
func (t *upTrack) CNAME() string {
	if name := t.cname.Load(); name != nil {
		return *name
	}
	return ""
}

// Clock implements conn.UpTrack.
func (t *upTrack) Clock(at rtptime.Instant) (timestamp uint32, ok bool) {
	return t.clock.Load().RTPAt(at)
}

// Cached implements conn.UpTrack. dst must be able to hold a whole packet.
func (t *upTrack) Cached(sequence int64, dst []byte, p *conn.Packet) bool {
	n, meta, ok := t.cache.Get(sequence, dst)
	if !ok || int(meta.end) > n {
		return false
	}
	meta.describe(sequence, dst, p)
	return true
}

// describe fills p from a cached packet's octets and m.
func (m *packetMeta) describe(sequence int64, packet []byte, p *conn.Packet) {
	*p = conn.Packet{
		Sequence:    sequence,
		Timestamp:   m.timestamp,
		Arrival:     m.arrival,
		PayloadType: m.payloadType,
		Marker:      m.marker,
		PaddingOnly: m.start == m.end,
		Frame:       m.frame,
		Payload:     packet[m.start:m.end:m.end],
		Extensions:  m.extensions,
		Header:      packet[:m.start:m.start],
	}
	if m.redundant > 0 {
		p.Redundant = packet[m.redundant:m.end:m.end]
	}
}

// GroupOfPictures implements conn.UpTrack.
func (t *upTrack) GroupOfPictures() (first, last int64, ok bool) {
	return t.cache.GroupOfPictures(rtptime.Now())
}

// Head implements conn.UpTrack.
func (t *upTrack) Head() (sequence int64, ok bool) { return t.cache.Head() }

// forgot implements forgetful.
func (t *upTrack) forgot(sequence int64) bool {
	head, ok := t.cache.Head()
	return ok && sequence <= head-int64(t.cache.Len())
}

// Want implements conn.UpTrack.
func (t *upTrack) Want(sequence int64) {
	t.mu.Lock()
	if !t.ended && t.current.Load().feedback.nack {
		t.losses.Want(sequence, int64(rtptime.Now()))
	}
	t.mu.Unlock()
	t.up.poke()
}

// RequestKeyframe implements conn.UpTrack.
func (t *upTrack) RequestKeyframe() {
	if t.kind != codecs.Video {
		return
	}
	t.mu.Lock()
	news := !t.ended && t.keyframe.want()
	t.mu.Unlock()
	if news {
		t.up.poke()
	}
}

// layerRates implements metered. The lowest layer has what the others leave of the whole.
func (t *upTrack) layerRates(now rtptime.Instant) (rates [codecs.Layers]uint64, highest layers.Layer) {
	rates[0], _ = t.rate.Rate(now)
	for i := 1; i < len(rates); i++ {
		rates[i], _ = t.layerRate[i].Rate(now)
		rates[0] -= min(rates[0], rates[i])
	}
	return rates, t.highestLayer(now)
}

// highestLayer returns the highest layers in which anything comes.
func (t *upTrack) highestLayer(now rtptime.Instant) (highest layers.Layer) {
	for i := 1; i < codecs.Layers; i++ {
		if rate, _ := t.layerRate[i].Rate(now); rate > 0 {
			highest.Spatial = max(highest.Spatial, uint8(i/codecs.LayerIndex(1, 0)))
			highest.Temporal = max(highest.Temporal, uint8(i%codecs.LayerIndex(1, 0)))
		}
	}
	return highest
}

// countLayer counts n octets of a frame's layer, unless it is the lowest.
func (t *upTrack) countLayer(f *codecs.Frame, n int, now rtptime.Instant) {
	if layers := f.SpatialID | f.TemporalID; layers > 0 && layers < 4 {
		t.layerRate[codecs.LayerIndex(f.SpatialID, f.TemporalID)].Add(n, now)
	}
}

// bind makes remote the track's source. It fails if the track has one, or has
// ended.
func (t *upTrack) bind(remote *webrtc.TrackRemote) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended || t.bound != nil {
		return false
	}
	t.bound = remote
	t.up.engine.count(&t.counters)
	return true
}

// end makes the track refuse sinks and forget those it has. Its reader ends
// with its source.
func (t *upTrack) end() {
	t.mu.Lock()
	if !t.ended {
		t.ended = true
		t.up.engine.retire(&t.counters)
		close(t.done)
	}
	t.mu.Unlock()
	t.sinks.close()
}
