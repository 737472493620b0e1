package rtpconn

import (
	"errors"
	"io"
	"sync/atomic"

	"github.com/pion/webrtc/v4"

	"galene/codecs"
	"galene/conn"
	"galene/rtptime"
	"galene/udpsocket"
)

// maxReadErrors is after how many failed reads in a row a source is given up
// that never says it has ended.
const maxReadErrors = 10000

// onTrack is called by Pion, in a goroutine of its own, when a source's first
// packet has arrived.
func (u *Up) onTrack(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	if !u.enter() {
		return
	}
	defer u.wg.Done()
	defer u.recover("onTrack")
	mid := ""
	if t := receiver.RTPTransceiver(); t != nil {
		mid = t.Mid()
	}
	if isRepair(remote, u.tracks.Load()) {
		return // which overhear takes
	}
	t, replaced := u.adopt(remote, mid)
	if t == nil {
		u.log.Debug("unexpected track", "mid", mid, "rid", remote.RID())
		return
	}
	in := &ingest{track: t, remote: remote, done: make(chan struct{}), declared: uint32(remote.RtxSSRC())}
	ssrc := remote.SSRC()
	u.ingress.add(ssrc, in)
	u.start("reader", func() {
		defer close(in.done)
		defer u.ingress.remove(in)
		u.read(remote, in)
	})
	u.bound.repeat(uint32(ssrc))
	if replaced {
		u.changed()
	}
}

// adopt finds the track that remote is the source of, and binds it. A track
// that had another source before is replaced: its numbering has ended.
func (u *Up) adopt(remote *webrtc.TrackRemote, mid string) (t *upTrack, replaced bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := u.tracks.Load()
	if mid == "" {
		t = list.unbound(remote)
	} else {
		t = list.find(mid, remote.RID())
	}
	if t == nil || t.bind(remote) {
		return t, false
	}
	next := t.successor()
	next.bind(remote)
	u.tracks.Store(list.replace(t, next))
	t.end()
	return next, true
}

// unbound returns the first track of remote's kind without a source, which is
// how a source is understood that no section declares.
func (l *trackList) unbound(remote *webrtc.TrackRemote) *upTrack {
	for _, t := range l.own {
		t.mu.Lock()
		free := t.bound == nil && kindToPion(t.kind) == remote.Kind()
		t.mu.Unlock()
		if free {
			return t
		}
	}
	return nil
}

// read is the reader of what comes through Pion: everything while the lane is not
// open, and little when it is. It returns when the source has ended or another one takes its place.
func (u *Up) read(remote *webrtc.TrackRemote, in *ingest) {
	buffer := make([]byte, maxPacket)
	for failures := 0; failures < maxReadErrors && !in.superseded.Load(); {
		n, attributes, err := remote.Read(buffer)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe), err != nil && in.superseded.Load():
			return
		case err != nil:
			failures++ // an unknown payload type, or too long
			in.track.reject()
			continue
		}
		failures = 0
		if attributes.Get(webrtc.AttributeRtxSsrc) != nil {
			continue // overhear has taken it
		}
		u.ingress.receive(in, buffer[:n])
	}
}

// reject counts a malformed packet.
func (t *upTrack) reject() { t.counters.malformed.Add(1) }

// maxPending is how many packets of one track are handed over together at most. It
// is well below the length of any ring of packetcache, in which they wait.
const maxPending = 32

// ingest turns received packets into what sinks take. Who reads holds the lock of
// the connection's ingress.
type ingest struct {
	track  *upTrack
	remote *webrtc.TrackRemote // what its reader reads; immutable
	done   chan struct{}       // closed when the reader has ended
	// superseded tells the reader to end: another source takes the place of this one.
	superseded atomic.Bool
	source     sourceState
	repair     sourceState // of retransmissions; no SSRC while none have come
	// declared is the SSRC of retransmissions that a description declares, or 0.
	declared uint32
	newest   int64 // greatest sequence number so far; 0 before the first
	marks    bool  // the sender has marked the end of a frame

	unfinished bool // what came last is not the end of its frame, and nobody has been told
	unwrap     rtptime.SequenceUnwrapper
	current    *payload // the codec of the packet before; nil at first
	header     header
	received   received // by header extensions
	// structure is what the track's dependency descriptors refer to.
	structure codecs.Structure
	meta      packetMeta
	pending   []conn.Packet // what came in the present burst, for the sinks
}

// take takes the first n octets of the cache's buffer, whose header is in
// in.header, as a packet that came at now. It reports whether it is pending for
// the sinks now, which it is not if it is malformed, unknown or a duplicate.
// It does not allocate.
func (in *ingest) take(n int, now rtptime.Instant, out *udpsocket.Batch) bool {
	t := in.track
	buffer := t.cache.Buffer()
	h := &in.header
	if n > len(buffer) || !h.unpad(buffer[:n]) || !in.findPrimary(buffer) || !in.setPayloadType(h.payloadType) {
		t.reject()
		return false
	}
	sequence := in.extend(h)
	in.received.read(buffer[:n], h, t.up.ingress.extensions)
	t.up.noteTransport(in.received.transport, h.ssrc, true, now)

	in.meta = packetMeta{
		arrival:     now,
		timestamp:   h.timestamp,
		start:       uint16(h.start),
		end:         uint16(h.end),
		redundant:   uint16(h.redundant),
		payloadType: h.payloadType,
		marker:      h.marker,
		extensions:  in.received.forwarded,
	}
	if h.start < h.end {
		in.current.parse(buffer[h.start:h.end], h.marker, &in.meta.frame)
		if len(in.received.descriptor) > 0 && t.kind == codecs.Video {
			codecs.ParseDependencyDescriptor(in.received.descriptor, &in.structure, &in.meta.frame)
		}
	}
	keyframe := in.meta.frame.Keyframe

	in.makeRoom(sequence, out)
	data, ok := t.cache.Commit(sequence, h.end, keyframe, now, in.meta)
	continues := in.continues(sequence)
	if sequence == in.newest {
		in.unfinished = continues
	}
	t.account(sequence, h, n, keyframe && ok, continues, now) // the copy of a keyframe is none
	t.countLayer(&in.meta.frame, n, now)
	if !ok {
		return false
	}
	if in.pending == nil {
		in.pending = make([]conn.Packet, 0, maxPending)
	}
	in.pending = in.pending[:len(in.pending)+1]
	in.meta.describe(sequence, data, &in.pending[len(in.pending)-1])
	return true
}

// extend returns the whole sequence number of a packet. Retransmissions say
// nothing of where the track is; they come after it has begun.
func (in *ingest) extend(h *header) int64 {
	if behind := int64(int16(uint16(in.newest) - h.sequence)); h.restored && behind >= 0 {
		return in.newest - behind
	}
	sequence := in.unwrap.Unwrap(h.sequence)
	in.newest = max(in.newest, sequence)
	return sequence
}

// makeRoom hands over what is pending before packet sequence could take the place
// of one of them in the cache, and resizes that if it is to hold more or less.
func (in *ingest) makeRoom(sequence int64, out *udpsocket.Batch) {
	cache := in.track.cache
	if len(in.pending) > 0 {
		distance := sequence - in.pending[0].Sequence
		limit := int64(cache.Len() / 2)
		if len(in.pending) == maxPending || distance >= limit || distance <= -limit {
			in.flush(out)
		}
	}
	if capacity := int(in.track.capacity.Load()); capacity != cache.Len() {
		cache.Resize(capacity)
		in.track.setRoom()
	}
}

// setRoom tells what asks for losses how much can come back.
func (t *upTrack) setRoom() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.losses.SetRoom(t.cache.Len())
}

// flush hands what is pending to the sinks.
func (in *ingest) flush(out *udpsocket.Batch) {
	if len(in.pending) > 0 {
		in.track.sinks.write(in.pending, out)
		in.pending = in.pending[:0]
	}
	if in.unfinished {
		in.unfinished = false
		in.track.awaitEnd()
	}
}

// awaitEnd has the feedback goroutine look for the end of a frame, of which the burst that ends
// has brought a part only. Most frames come whole, and wake nobody.
func (t *upTrack) awaitEnd() {
	t.mu.Lock()
	at, ok := t.losses.Next()
	t.mu.Unlock()
	if ok && at < t.up.awake.Load() {
		t.up.poke()
	}
}

// setPayloadType makes the codec of a payload type the present one. It reports
// whether the type is known.
func (in *ingest) setPayloadType(payloadType uint8) bool {
	if in.current != nil && in.current.format.PayloadType == payloadType {
		return true
	}
	t := in.track
	p := t.payloads.Load().find(payloadType)
	if p == nil {
		return false
	}
	in.current, in.structure = p, codecs.Structure{}
	before := t.current.Swap(p)
	if before.format == p.format {
		return true
	}
	if before.format.ClockRate != p.format.ClockRate {
		t.mu.Lock()
		t.setClockRate(p.format.ClockRate)
		t.mu.Unlock()
	}
	t.up.changed()
	return true
}

// continues tells whether the packet in in.header, which is one of video, is the newest but not the last
// of its frame. Padding comes between frames. Not all senders mark where a frame ends.
func (in *ingest) continues(sequence int64) bool {
	h := &in.header
	in.marks = in.marks || h.marker
	return in.marks && !h.marker && h.start < h.end && sequence == in.newest && in.track.kind == codecs.Video
}

// account keeps the books of a packet of n octets. continues says that more of its frame is to come.
func (t *upTrack) account(sequence int64, h *header, n int, keyframe, continues bool, now rtptime.Instant) {
	t.rate.Add(n, now)
	t.mu.Lock()
	if !h.restored {
		t.stats.Receive(sequence, h.timestamp, now)
	}
	work := false
	if t.current.Load().feedback.nack {
		gap, fatal := t.losses.Received(sequence, int64(now))
		work = gap > 0
		if continues {
			t.losses.Continues(int64(now))
		}
		if fatal && t.kind == codecs.Video && !t.sinks.empty() {
			work = t.keyframe.want() || work
		}
		work = t.mendBroken(now) || work
	}
	if keyframe {
		t.keyframe.received()
		t.losses.Forget(sequence)
	}
	t.mu.Unlock()
	if work {
		t.up.poke()
	}
}
