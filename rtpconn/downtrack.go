package rtpconn

import (
	"crypto/rand"
	"encoding/binary"
	"sync"

	"github.com/pion/rtp"

	"galene/codecs"
	"galene/conn"
	"galene/estimator"
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
)

// downTrack forwards one kind of media of a stream to one subscriber, under one
// SSRC and in one numbering from activation to deactivation. Its source may
// change meanwhile, as between the encodings of a simulcast.
type downTrack struct {
	// Immutable.
	down    *Down
	format  codecs.Format // as offered; PayloadType 0 may mean that Pion chose
	offered uint8         // the payload type that was really offered

	rate  estimator.Rate // payload octets; Add belongs to who holds mu
	allow estimator.Allowance

	mu      sync.Mutex // guards the fields below
	bound   bool       // out and ssrc are set, for good
	out     egress
	ssrc    uint32
	closed  bool
	state   joinState
	numbers *packetmap.Map
	header  rtp.Header // reused for each packet

	extensions extensionIDs // that the subscriber takes
	payload    payloadTypes // by which the subscriber knows them

	current *feed // what is sent
	target  *feed // what is switched to at its next keyframe, or nil
	stale   *feed // what is to be removed from its track, or nil

	lowest     bool // only the lowest spatial layer of current is sent
	wantLowest bool // lowest at current's next keyframe
	layers     bool // current has had spatial layers above the lowest

	sources    [sourceHistory]source // by source number modulo their count
	sourceID   uint8                 // of the present source
	offset     uint32                // added to the present source's timestamps
	lastTime   uint32                // greatest outgoing timestamp
	lastSent   rtptime.Instant       // when the packet with lastTime arrived; 0 if none
	next       int64                 // while catching up: the next packet to send
	caughtUp   int64                 // packets up to here were sent by catching up, but for missed
	missed     [maxMissed]int64
	missedSize int

	subscriber subscriber
	repair     *repairEgress // where packets are resent; nil: where they were sent
	budget     resendBudget
}

// source is what a retransmission must know of what was sent: where it came
// from and how it was changed.
type source struct {
	id     uint8
	track  conn.UpTrack
	lowest bool
}

// feed is the sink of a down track at one up track.
type feed struct {
	down        *downTrack
	track       conn.UpTrack
	payloadType uint8 // of the packets that carry the down track's codec
}

var _ conn.Sink = (*feed)(nil)

// newDownTrack returns a track that forwards s once it is bound and attached.
func newDownTrack(d *Down, s conn.Selection, format codecs.Format) *downTrack {
	t := &downTrack{
		down:    d,
		format:  format,
		numbers: packetmap.New(randomSequence()),
		header:  rtp.Header{Version: rtpVersion},
	}
	t.lowest = s.LowestLayer && t.isVideo()
	t.wantLowest = t.lowest
	t.current = t.newFeed(s.Track)
	return t
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
	if f == d.target && d.starts(f, p) {
		d.switchTo(f, p)
	}
	if f != d.current || d.closed || !d.admit(f, p) {
		return
	}
	d.forward(p, out)
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
	if p.Frame.SpatialID > 0 {
		d.layers = true
	}
	if p.Frame.Keyframe && d.lowest != d.wantLowest {
		d.limitLayers(p)
	}
	if p.PaddingOnly || d.lowest && p.Frame.SpatialID > 0 {
		d.skip(p, out)
		return
	}
	if !d.matches(d.current, p) {
		d.state = waiting // for the codec to come back, or for a new connection
		return
	}
	sequence, ok := d.numbers.Forward(p.Sequence)
	if !ok {
		return
	}
	timestamp := p.Timestamp + d.offset
	if d.lastSent == 0 || int32(timestamp-d.lastTime) > 0 {
		d.lastTime, d.lastSent = timestamp, p.Arrival
	}
	d.rate.Add(len(p.Payload), p.Arrival)
	d.extend(p, d.sourceID)
	d.send(sequence, timestamp, marks(p, d.lowest), d.choosePayload(p), out)
}

// marks tells whether the outgoing packet has the marker bit. With the upper
// spatial layers left out, the lowest one's end is that of the picture.
func marks(p *conn.Packet, lowest bool) bool {
	return p.Marker || lowest && p.Frame.End
}

// skip numbers past a packet that is not sent. If the subscriber has already
// seen a hole in its place, padding fills it.
func (d *downTrack) skip(p *conn.Packet, out *udpsocket.Batch) {
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
	_ = way.WriteRTP(&d.header, payload, out)
	d.header.Extension = false
}

// limitLayers begins or ends leaving out the upper spatial layers, with
// keyframe p. Numbers go on.
func (d *downTrack) limitLayers(p *conn.Packet) {
	d.lowest = d.wantLowest
	d.beginSource(d.current.track, p.Sequence, d.offset)
}

// beginSource makes what follows, from packet sequence of track on, a source of
// its own, which retransmissions are told by.
func (d *downTrack) beginSource(track conn.UpTrack, sequence int64, offset uint32) {
	d.sourceID++
	if d.sourceID < firstSource {
		d.sourceID = firstSource + 1 // it has gone round
	}
	d.sources[d.sourceID%sourceHistory] = source{d.sourceID, track, d.lowest}
	d.offset = offset
	d.numbers.Switch(d.sourceID, sequence, offset)
}

// close makes the track silent for good and returns its feeds, which the
// caller removes from their tracks without holding locks.
func (d *downTrack) close() []*feed {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	var feeds []*feed
	for _, f := range []*feed{d.current, d.target, d.stale} {
		if f != nil {
			feeds = append(feeds, f)
		}
	}
	return feeds
}
