package loadtest

import (
	"math"
	"time"

	"galene/nack"
)

// receptionWindow is how many packets back a packet that arrives late is still told from a duplicate.
const receptionWindow = 2048

// What the timestamps of each kind of stream count (RFC 7741 §4.1, RFC 7587 §4.1), per second.
const (
	videoClock = 90000
	audioClock = 48000
)

// reception is what is known of one source that is received. Its owner serialises all calls. Times are nanoseconds on the
// run's clock.
type reception struct {
	ssrc  uint32
	clock int64         // of the timestamps, per second
	nack  *nack.Tracker // nil if missing packets are not to be asked for

	started  bool
	highest  int64                        // unwrapped sequence number
	distinct uint64                       // packets, each once
	octets   uint64                       // of all datagrams
	seen     [receptionWindow / 64]uint64 // which of the last packets were received, by sequence number
	asked    [receptionWindow / 64]uint64 // which of them were asked for

	jitter    float64 // RFC 3550 §6.4.1, in units of the clock
	transit   int64   // of the packet before
	first     int64   // unwrapped sequence number of the first packet
	reported  int64   // highest, at the last report
	reportedN uint64  // distinct, at the last report
	sender    uint32  // middle of the NTP time of the last sender report; 0 if none came
	senderAt  int64   // when that was

	span span
}

// span counts the packets from one sequence number to before another.
type span struct {
	from, until                    int64
	received, recovered, duplicate uint64
}

func newReception(ssrc uint32, video, ask bool) *reception {
	r := &reception{ssrc: ssrc, clock: audioClock, span: span{from: math.MaxInt64, until: math.MaxInt64}}
	if video {
		r.clock = videoClock
		if ask {
			r.nack = nack.New(nack.Config{})
		}
	}
	return r
}

// receive counts a packet with the given sequence number and timestamp. It reports whether the packet is new, not a
// duplicate or too old to tell.
func (r *reception) receive(sequence uint16, timestamp uint32, octets int, now int64) (fresh bool) {
	r.octets += uint64(octets)
	seq := r.unwrap(sequence)
	if seq > r.highest {
		r.advance(seq)
		r.measureJitter(timestamp, now)
	}
	inside := seq >= r.span.from && seq < r.span.until
	if seq <= r.highest-receptionWindow || get(&r.seen, seq) {
		if inside {
			r.span.duplicate++
		}
		return false
	}
	set(&r.seen, seq)
	r.distinct++
	if r.nack != nil {
		r.nack.Received(seq, now)
	}
	if inside {
		r.span.received++
		if get(&r.asked, seq) {
			r.span.recovered++
		}
	}
	return true
}

// unwrap extends a sequence number to 64 bits (RFC 3550 appendix A.1). The first one begins the stream.
func (r *reception) unwrap(sequence uint16) int64 {
	if !r.started {
		r.started = true
		r.first = int64(sequence) + 1<<16 // leaves room for packets before it
		r.highest, r.reported = r.first-1, r.first-1
		r.span.from = max(r.span.from, r.first)
		return r.first
	}
	return r.highest + int64(int16(sequence-uint16(r.highest)))
}

// advance makes seq the highest.
func (r *reception) advance(seq int64) {
	for s := max(r.highest+1, seq-receptionWindow+1); s <= seq; s++ {
		unset(&r.seen, s)
		unset(&r.asked, s)
	}
	r.highest = seq
}

// measureJitter updates the jitter (RFC 3550 appendix A.8).
func (r *reception) measureJitter(timestamp uint32, now int64) {
	ticks := now / 1000 * r.clock / 1_000_000
	transit := ticks - int64(timestamp)
	if r.distinct > 0 {
		d := int64(int32(transit - r.transit)) // timestamps wrap
		r.jitter += (math.Abs(float64(d)) - r.jitter) / 16
	}
	r.transit = transit
}

// due appends the packets to ask for at now to dst.
func (r *reception) due(now int64, dst []int64) []int64 {
	if r.nack == nil {
		return dst
	}
	start := len(dst)
	dst = r.nack.Due(now, 0, dst)
	for _, seq := range dst[start:] {
		if seq > r.highest-receptionWindow {
			set(&r.asked, seq)
		}
	}
	return dst
}

// begin starts counting with the next packet, or with the first if none has come yet.
func (r *reception) begin() {
	r.span = span{until: math.MaxInt64}
	if r.started {
		r.span.from = r.highest + 1
	}
}

// end stops counting with the next packet: what is still missing of those before it counts when it comes.
func (r *reception) end() {
	r.span.until = r.span.from
	if r.started {
		r.span.until = r.highest + 1
	}
}

// expected is how many packets the counted ones should be.
func (s *span) expected() uint64 {
	if s.until == math.MaxInt64 {
		return 0
	}
	return uint64(max(s.until-s.from, 0))
}

// loss returns what a receiver report says: the fraction lost since the last one, in 256ths, and the total number
// lost (RFC 3550 appendix A.3).
func (r *reception) loss() (fraction uint8, total uint32) {
	expected := r.highest - r.reported
	received := int64(r.distinct - r.reportedN)
	r.reported, r.reportedN = r.highest, r.distinct
	if lost := expected - received; lost > 0 && expected > 0 {
		fraction = uint8(min(lost<<8/expected, 255))
	}
	const most = 1<<23 - 1
	total = uint32(min(max(r.highest-r.first+1-int64(r.distinct), 0), most))
	return fraction, total
}

// delaySince returns how long ago the last sender report came, in 65536ths of a second; 0 if none did.
func (r *reception) delaySince(now int64) uint32 {
	if r.sender == 0 {
		return 0
	}
	return uint32((now - r.senderAt) * 65536 / int64(time.Second))
}

func get(b *[receptionWindow / 64]uint64, seq int64) bool {
	return b[uint64(seq)%receptionWindow/64]>>(uint64(seq)%64)&1 != 0
}

func set(b *[receptionWindow / 64]uint64, seq int64) {
	b[uint64(seq)%receptionWindow/64] |= 1 << (uint64(seq) % 64)
}

func unset(b *[receptionWindow / 64]uint64, seq int64) {
	b[uint64(seq)%receptionWindow/64] &^= 1 << (uint64(seq) % 64)
}
