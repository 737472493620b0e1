package rtpconn

import (
	"errors"
	"io"

	"github.com/pion/webrtc/v4"

	"galene/conn"
	"galene/rtptime"
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
	t, replaced := u.adopt(remote, mid)
	if t == nil {
		u.log.Debug("unexpected track", "mid", mid, "rid", remote.RID())
		return
	}
	u.start("reader", func() { t.read(remote) })
	u.start("publisher's RTCP", func() { t.readRTCP(receiver) })
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

// read is the track's reader. It returns when the source has ended.
func (t *upTrack) read(remote *webrtc.TrackRemote) {
	in := ingest{track: t}
	for failures := 0; failures < maxReadErrors; {
		n, _, err := remote.Read(t.cache.Buffer())
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe):
			return
		case err != nil:
			failures++ // an unknown payload type, or too long
			t.reject()
			continue
		}
		failures = 0
		if in.packet(n, rtptime.Now()) {
			t.sinks.write(&in.out)
			// What arrives together cannot be told from here: Pion hands over
			// one packet at a time. Each is a burst of its own.
			t.sinks.endBurst()
		}
	}
}

// reject counts a malformed packet.
func (t *upTrack) reject() {
	t.mu.Lock()
	t.rejected++
	t.mu.Unlock()
}

// ingest turns received packets into what sinks take. It belongs to the reader.
type ingest struct {
	track   *upTrack
	unwrap  rtptime.SequenceUnwrapper
	current *payload // the codec of the packet before; nil at first
	header  header
	meta    packetMeta
	out     conn.Packet
}

// packet takes the first n octets of the cache's buffer as a packet that came
// at now. It reports whether in.out is to be handed to the sinks, which it is
// not if the packet is malformed, unknown or a duplicate. It does not allocate.
func (in *ingest) packet(n int, now rtptime.Instant) bool {
	t := in.track
	buffer := t.cache.Buffer()
	h := &in.header
	if n > len(buffer) || !parseHeader(buffer[:n], h) || !in.setPayloadType(h.payloadType) {
		t.reject()
		return false
	}
	sequence := in.unwrap.Unwrap(h.sequence)

	in.meta = packetMeta{
		arrival:     now,
		timestamp:   h.timestamp,
		start:       uint16(h.start),
		end:         uint16(h.end),
		payloadType: h.payloadType,
		marker:      h.marker,
	}
	if h.start < h.end {
		in.current.parse(buffer[h.start:h.end], h.marker, &in.meta.frame)
	}
	keyframe := in.meta.frame.Keyframe

	t.account(sequence, h, n, keyframe, now)
	if capacity := int(t.capacity.Load()); capacity != t.cache.Len() {
		t.cache.Resize(capacity)
	}
	data, ok := t.cache.Commit(sequence, h.end, keyframe, now, in.meta)
	if !ok {
		return false
	}
	in.meta.describe(sequence, data, &in.out)
	return true
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
	in.current = p
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

// account keeps the books of a packet of n octets.
func (t *upTrack) account(sequence int64, h *header, n int, keyframe bool, now rtptime.Instant) {
	t.rate.Add(n, now)
	t.mu.Lock()
	t.stats.Receive(sequence, h.timestamp, now)
	work := false
	if t.current.Load().feedback.nack {
		gap, fatal := t.losses.Received(sequence, int64(now))
		work = gap > 0
		if fatal && !t.sinks.empty() {
			work = t.keyframe.want() || work
		}
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
