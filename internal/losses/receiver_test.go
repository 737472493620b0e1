package losses

import (
	"slices"
	"sync"
	"time"

	"galene/internal/testkit"
)

// What the model takes over from libwebrtc, on which browsers are built.
const (
	// nackInterval is how often a packet is asked for that does not come. A browser that
	// only receives knows no round trip, and assumes this.
	nackInterval = 100 * time.Millisecond
	// nackTries is how often a packet is asked for at most.
	nackTries = 10
	// maxMissing is how many missing packets are too many: then a keyframe is asked for.
	maxMissing = 1000
	// frameWait is how long a receiver waits for a frame before it asks for a keyframe,
	// and keyframeWait for that before it asks again.
	frameWait    = 3 * time.Second
	keyframeWait = time.Second
	// firstWait is how long it waits for the first keyframe, and then for each further one.
	firstWait = 200 * time.Millisecond
)

// receiver models how a browser receives one track: it asks for what is missing, decodes the frames
// that are complete in their order, goes on at the next keyframe if it cannot, and asks for
// one if that takes too long. Audio has no order to keep.
//
// Times count from the beginning of a cell. Any goroutine may use it.
type receiver struct {
	audio   bool
	packets int // of a frame

	mu      sync.Mutex // guards the fields below
	started bool
	highest int64 // sequence number, unwrapped
	missing map[int64]*hole

	frames    map[uint32]*frame        // not decoded yet
	decodable bool                     // something has been decoded
	decoded   uint32                   // the last frame that was decoded
	at        map[uint32]time.Duration // when frames were decoded
	last      time.Duration            // when the last one was
	asked     time.Duration            // when a keyframe was asked for last
	damaged   int                      // packets that are not what was sent

	requested, keyframes int             // packets and keyframes asked for
	recoveries           []time.Duration // from finding that a packet is missing to its coming
}

// hole is a packet that is missing.
type hole struct {
	since, asked time.Duration
	tries        int
}

// frame is what has come of a frame.
type frame struct {
	have     uint64 // packets, a bit each
	first    int64  // sequence number that came, the least
	keyframe bool
}

func newReceiver(codec testkit.Codec, packets int) *receiver {
	return &receiver{
		audio: codec == testkit.Opus, packets: packets,
		missing: make(map[int64]*hole),
		frames:  make(map[uint32]*frame),
		at:      make(map[uint32]time.Duration),
	}
}

// receive takes a packet of the track, first or again. It reports whether packets are missing now
// that were not before.
func (r *receiver) receive(sequence uint16, payload []byte, now time.Duration) (gap bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	number, gap := r.note(sequence, now)
	content, err := testkit.ParseContent(payload)
	if err != nil {
		r.damaged++
		return gap
	}
	if r.decodable && !r.audio && content.Frame <= r.decoded {
		return gap // too late
	}
	if _, ok := r.at[content.Frame]; ok {
		return gap
	}
	f := r.frames[content.Frame]
	if f == nil {
		f = &frame{keyframe: content.Keyframe, first: number}
		r.frames[content.Frame] = f
	}
	f.first = min(f.first, number)
	f.have |= 1 << (content.Index % uint64(r.packets))
	if r.complete(f) {
		r.decode(content.Frame, now)
	}
	return gap
}

// note takes note that a packet came, and returns its whole number.
func (r *receiver) note(sequence uint16, now time.Duration) (number int64, gap bool) {
	if !r.started {
		r.started, r.highest, r.last = true, int64(sequence)+1<<16, now
		return r.highest, false
	}
	number = r.highest + int64(int16(sequence-uint16(r.highest)))
	if number <= r.highest {
		if h := r.missing[number]; h != nil {
			delete(r.missing, number)
			if h.tries > 0 {
				r.recoveries = append(r.recoveries, now-h.since)
			}
		}
		return number, false
	}
	for n := r.highest + 1; n < number; n++ {
		r.missing[n] = &hole{since: now}
		gap = true
	}
	r.highest = number
	return number, gap
}

// complete tells whether all of a frame has come.
func (r *receiver) complete(f *frame) bool { return f.have == 1<<r.packets-1 }

// decode decodes what it can, now that a frame is complete.
func (r *receiver) decode(number uint32, now time.Duration) {
	f := r.frames[number]
	switch {
	case r.audio, f.keyframe, r.decodable && number == r.decoded+1:
	default:
		return
	}
	for f != nil && r.complete(f) {
		r.at[number], r.last, r.decodable = now, now, true
		r.decoded = max(r.decoded, number)
		if f.keyframe && !r.audio {
			r.skip(f.first)
		}
		delete(r.frames, number)
		number++
		f = r.frames[number]
	}
	if !r.audio {
		for n := range r.frames {
			if n <= r.decoded {
				delete(r.frames, n)
			}
		}
	}
}

// skip stops asking for what came before a packet.
func (r *receiver) skip(first int64) {
	for n := range r.missing {
		if n < first {
			delete(r.missing, n)
		}
	}
}

// due returns what is to be asked for now: packets, and a keyframe.
func (r *receiver) due(now time.Duration) (packets []uint16, keyframe bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.started {
		return nil, false
	}
	if len(r.missing) > maxMissing {
		clear(r.missing)
		keyframe = !r.audio
	}
	for n, h := range r.missing {
		switch {
		case h.tries > 0 && now-h.asked < nackInterval:
		case h.tries == nackTries:
			delete(r.missing, n)
		default:
			h.tries++
			h.asked = now
			packets = append(packets, uint16(n))
		}
	}
	patient, again := frameWait, keyframeWait
	if !r.decodable {
		patient, again = firstWait, firstWait
	}
	if !r.audio && now-r.last > patient && now-r.asked > again {
		keyframe = true
	}
	if keyframe {
		r.asked = now
		r.keyframes++
	}
	slices.SortFunc(packets, func(a, b uint16) int { return int(int16(a - b)) })
	r.requested += len(packets)
	return packets, keyframe
}

// forget begins the books anew, but for what came of frames.
func (r *receiver) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requested, r.keyframes, r.recoveries = 0, 0, nil
}

// running tells whether anything has been decoded.
func (r *receiver) running() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.decodable
}

// outcome is what came of a track's frames, of those that were sent in a time.
type outcome struct {
	sent, inTime, late int
	longest            time.Duration // without a frame
	requested          int           // packets
	keyframes          int           // asked for by the receiver
	damaged            int
	recoveries         []time.Duration // sorted
}

// outcome says what came of the frames first and later, which were sent at those times, and have to be
// decoded within deadline.
func (r *receiver) outcome(first uint32, sent []time.Duration, deadline time.Duration) outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := outcome{
		sent: len(sent), requested: r.requested, keyframes: r.keyframes, damaged: r.damaged,
		recoveries: slices.Sorted(slices.Values(r.recoveries)),
	}
	var times []time.Duration
	for i, begun := range sent {
		at, ok := r.at[first+uint32(i)]
		switch {
		case !ok:
			continue
		case at-begun <= deadline:
			o.inTime++
		default:
			o.late++
		}
		times = append(times, at)
	}
	slices.Sort(times)
	if len(times) == 0 {
		o.longest = sent[len(sent)-1] - sent[0]
		return o
	}
	for i := range times[1:] {
		o.longest = max(o.longest, times[i+1]-times[i])
	}
	// Whether it has ended as it began.
	o.longest = max(o.longest, sent[len(sent)-1]-times[len(times)-1])
	return o
}

// percent returns what part of the frames so many are.
func (o *outcome) percent(frames int) float64 { return 100 * float64(frames) / float64(max(o.sent, 1)) }

// recovery returns the time within which so many per cent of the packets came that were asked for.
func (o *outcome) recovery(percentile int) time.Duration {
	if len(o.recoveries) == 0 {
		return 0
	}
	return o.recoveries[(len(o.recoveries)-1)*percentile/100]
}
