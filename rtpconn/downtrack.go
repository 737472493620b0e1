package rtpconn

import (
	"crypto/rand"
	"encoding/binary"
	"sync"

	"github.com/pion/rtp"

	"galene/codecs"
	"galene/conn"
	"galene/estimator"
	"galene/layers"
	"galene/packetmap"
	"galene/rtptime"
	"galene/udpsocket"
)

const (
	// sourceHistory is how many sources back a retransmission is still found.
	sourceHistory = 4
	// maxMissed is how many packets may be missing in what a newcomer is
	// started from before it is given up for a keyframe.
	maxMissed = 32
	// maxOvertaken is how many packets that have overtaken the first one of a source
	// are sent behind it.
	maxOvertaken = 64
)

// downTrack forwards one kind of media of a stream to one subscriber, under one
// SSRC and in one numbering from activation to deactivation. Its source may
// change meanwhile, as between the encodings of a simulcast.
type downTrack struct {
	// Immutable.
	down    *Down
	offered uint8         // the payload type that was really offered
	format  codecs.Format // as offered; PayloadType 0 may mean that Pion chose

	allow estimator.Allowance

	mu sync.Mutex // guards the fields below

	// What each packet touches stands together: there are many tracks, and each comes into the
	// processor's cache anew for each picture.
	bound      bool // out and ssrc are set, for good
	closed     bool
	state      joinState
	sourceID   uint8        // of the present source
	payload    payloadTypes // by which the subscriber knows them
	extensions extensionIDs // that the subscriber takes
	current    *feed        // what is sent
	numbers    *packetmap.Map
	out        egress
	selector   *layers.Selector // chooses among current's layers; nil for audio
	caughtUp   int64            // packets up to here were sent by catching up, but for missed
	offset     uint32           // added to the present source's timestamps
	lastTime   uint32           // greatest outgoing timestamp
	lastSent   rtptime.Instant  // when the packet with lastTime arrived; 0 if none
	rate       estimator.Rate   // payload octets; Add belongs to who holds mu
	header     rtp.Header       // reused for each packet

	ssrc   uint32
	target *feed        // what is switched to at its next keyframe, or nil
	stale  *feed        // what is to be removed from its track, or nil
	owed   conn.UpTrack // of which a keyframe is to be asked for later, or nil

	scratch    []byte // where payloads are rewritten; nil until one is
	descriptor []byte // where dependency descriptors are
	ladder     ladder // what may be sent, and what of it is

	sources    [sourceHistory]source // by source number modulo their count
	next       int64                 // while catching up: the next packet to send
	missed     [maxMissed]int64
	missedSize int

	subscriber subscriber
	repair     *repairEgress // where packets are resent; nil: where they were sent
	budget     resendBudget

	counters counters // any goroutine's; far from what each packet touches
}

// source is what a retransmission must know of what was sent: where it came
// from. How each packet was changed is noted in the numbering.
type source struct {
	id    uint8
	track conn.UpTrack
}

// feed is the sink of a down track at one up track.
type feed struct {
	down        *downTrack
	track       conn.UpTrack
	payloadType uint8 // of the packets that carry the down track's codec
	highest     int64 // the greatest sequence number delivered
}

var _ conn.Sink = (*feed)(nil)

// newDownTrack returns a track that forwards s once it is bound and attached.
func newDownTrack(d *Down, s conn.Selection, format codecs.Format) *downTrack {
	t := &downTrack{
		down:    d,
		format:  format,
		numbers: packetmap.New(randomSequence(), remembered(format.Kind)),
		header:  rtp.Header{Version: rtpVersion},
	}
	t.counters.direction, t.counters.kind, t.counters.clockRate = downward, format.Kind, format.ClockRate
	t.counters.rate = &t.rate
	if t.isVideo() {
		t.selector = layers.NewSelector(format.MimeType)
	}
	t.choose(s)
	t.current = t.newFeed(s.Track)
	return t
}

// remembered is how many packets of a kind can be sent again: a few seconds of either.
func remembered(kind codecs.Kind) int {
	if kind == codecs.Audio {
		return 256
	}
	return 1024
}

// randomSequence returns the first sequence number of a track (RFC 3550 §5.1).
// The upper half is left out, so that SRTP's rollover counter, which starts
// with the first packet received, cannot be guessed wrongly (RFC 3711 §3.3.1).
func randomSequence() uint16 {
	var b [2]byte
	rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint16(b[:]) & 0x7fff
}

func (d *downTrack) newFeed(track conn.UpTrack) *feed {
	return &feed{down: d, track: track, payloadType: track.Format().PayloadType}
}

// bind gives the track its way out. It is called before the track is attached.
func (d *downTrack) bind(out egress, ssrc uint32, payloadType uint8) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.out, d.ssrc, d.bound = out, ssrc, true
	d.header.SSRC, d.header.PayloadType = ssrc, payloadType
	d.payload.plain = payloadType
	if !d.closed {
		d.down.engine.count(&d.counters)
	}
}

// WritePackets implements conn.Sink.
func (f *feed) WritePackets(packets []conn.Packet, out *udpsocket.Batch) {
	d := f.down
	defer d.down.recover("forwarding")
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range packets {
		d.write(f, &packets[i], out)
	}
}

// ClockChanged implements conn.Sink: the subscriber is told at once.
func (f *feed) ClockChanged() { f.down.down.clockChanged() }

// AllowedRate implements conn.Sink.
func (f *feed) AllowedRate(now rtptime.Instant) uint64 { return f.down.allow.Allowed(now) }

// write takes one packet from a feed. The caller holds the lock.
func (d *downTrack) write(f *feed, p *conn.Packet, out *udpsocket.Batch) {
	before, begun := f.highest, f == d.current && d.state == live
	f.highest = max(before, p.Sequence)
	if f == d.target && d.starts(f, p) {
		d.switchTo(f, p)
	}
	if f != d.current || d.closed || !d.admit(f, p) {
		return
	}
	d.forward(p, out)
	if !begun && before > p.Sequence && d.state == live {
		d.overtaken(f, p.Sequence, before, out)
	}
}

// overtaken sends what has overtaken packet first, with which the source begins, and was not
// wanted when it came.
func (d *downTrack) overtaken(f *feed, first, last int64, out *udpsocket.Batch) {
	var p conn.Packet
	buffer := make([]byte, maxPacket)
	for sequence := max(first+1, last-maxOvertaken); sequence <= last; sequence++ {
		if f.track.Cached(sequence, buffer, &p) {
			d.forward(&p, out)
		}
	}
}

// matches tells whether a packet is in the codec that was negotiated with the
// subscriber. A publisher may change its payload type for the same codec.
func (d *downTrack) matches(f *feed, p *conn.Packet) bool {
	if p.PayloadType == f.payloadType {
		return true
	}
	if !sameCodec(d.format, downFormat(f.track)) || f.track.Format().PayloadType != p.PayloadType {
		return false
	}
	f.payloadType = p.PayloadType
	return true
}

// starts tells whether the subscriber's decoder can begin with p.
func (d *downTrack) starts(f *feed, p *conn.Packet) bool {
	return (d.format.Kind == codecs.Audio || p.Frame.Keyframe) && !p.PaddingOnly && d.matches(f, p)
}

// forward sends a packet of the present source, or numbers past it.
func (d *downTrack) forward(p *conn.Packet, out *udpsocket.Batch) {
	if p.PaddingOnly {
		d.skip(p, out)
		return
	}
	if !d.matches(d.current, p) {
		d.state = waiting // for the codec to come back, or for a new connection
		return
	}
	change := layers.Change{Marker: p.Marker}
	if d.selector != nil && !d.selector.Passes(&p.Frame) && !d.selects(p, &change) {
		d.skip(p, out)
		return
	}
	sequence, ok := d.numbers.Forward(p.Sequence, change.Pack())
	if !ok {
		return
	}
	timestamp := p.Timestamp + d.offset
	if d.lastSent == 0 || int32(timestamp-d.lastTime) > 0 {
		d.lastTime, d.lastSent = timestamp, p.Arrival
	}
	d.rate.Add(len(p.Payload), p.Arrival)
	d.sendChanged(d.out, d.sourceID, sequence, timestamp, &change, p, out)
}

// selects lets the selector decide about a packet. It reports whether it is sent, and how it is
// changed.
func (d *downTrack) selects(p *conn.Packet, change *layers.Change) bool {
	v := d.selector.Select(p.Sequence, p.Timestamp, p.Marker, &p.Frame)
	if v.Close {
		d.numbers.Close(p.Sequence)
	}
	if d.selector.WantsKeyframe() {
		d.lackKeyframe(p.Arrival)
	}
	*change = v.Change
	return v.Forward
}

// sendChanged sends a packet of a source as a change tells: now, or again.
func (d *downTrack) sendChanged(way egress, from uint8, sequence uint16, timestamp uint32, change *layers.Change, p *conn.Packet, out *udpsocket.Batch) {
	payload := p.Payload
	if d.payload.redundant != 0 {
		payload = d.choosePayload(p)
	}
	if change.Rewrites(&p.Frame) {
		d.scratch = append(d.scratch[:0], payload...)
		payload = d.scratch
		codecs.Renumber(payload, &p.Frame, change.Renumbering)
	}
	if d.extensions.any && p.Extensions.Any() {
		d.extend(p, from, change)
	}
	d.sendTo(way, sequence, timestamp, change.Marker, payload, out)
}

// skip numbers past a packet that is not sent. If the subscriber has already
// seen a hole in its place, padding fills it.
func (d *downTrack) skip(p *conn.Packet, out *udpsocket.Batch) {
	if !p.PaddingOnly {
		d.counters.layerDrops.Add(1)
	}
	if d.numbers.Drop(p.Sequence) {
		return
	}
	if sequence, ok := d.numbers.Pad(p.Sequence); ok {
		d.header.Padding, d.header.PaddingSize = true, 1
		d.send(sequence, p.Timestamp+d.offset, false, nil, out)
		d.header.Padding, d.header.PaddingSize = false, 0
	}
}

// send writes one packet. The caller holds the lock. An error means that the
// connection is gone, which others notice.
func (d *downTrack) send(sequence uint16, timestamp uint32, marker bool, payload []byte, out *udpsocket.Batch) {
	d.sendTo(d.out, sequence, timestamp, marker, payload, out)
}

// sendTo is send by another way than usual.
func (d *downTrack) sendTo(way egress, sequence uint16, timestamp uint32, marker bool, payload []byte, out *udpsocket.Batch) {
	d.header.SequenceNumber, d.header.Timestamp, d.header.Marker = sequence, timestamp, marker
	if way.WriteRTP(&d.header, payload, out) != nil {
		d.counters.sendErrors.Add(1)
	}
	d.header.Extension = false
}

// beginSource makes what follows, from packet sequence of track on, a source of
// its own, which retransmissions are told by.
func (d *downTrack) beginSource(track conn.UpTrack, sequence int64, offset uint32) {
	d.sourceID++
	if d.sourceID < firstSource {
		d.sourceID = firstSource + 1 // it has gone round
	}
	d.sources[d.sourceID%sourceHistory] = source{d.sourceID, track}
	d.offset = offset
	if d.selector != nil {
		d.selector.Begin()
	}
	d.numbers.Switch(d.sourceID, sequence, offset)
}

// close makes the track silent for good and returns its feeds, which the
// caller removes from their tracks without holding locks.
func (d *downTrack) close() []*feed {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.down.engine.retire(&d.counters)
	var feeds []*feed
	for _, f := range []*feed{d.current, d.target, d.stale} {
		if f != nil {
			feeds = append(feeds, f)
		}
	}
	return feeds
}
