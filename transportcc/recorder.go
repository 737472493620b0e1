package transportcc

import "galene/rtptime"

const (
	// window is how many of the latest packets are remembered; a power of two. It
	// is what comes in a tenth of a second at 200 Mbit/s.
	window = 2048
	mask   = window - 1

	// maxLate is how far behind the newest packet one may be that is still
	// reported: the sender has taken it for lost long ago.
	maxLate = 512
)

// Recorder remembers which packets came, and when. The zero value is not ready for
// use.
type Recorder struct {
	sender uint32 // our SSRC
	unwrap rtptime.SequenceUnwrapper

	arrivals [window]rtptime.Instant // by sequence number modulo its length; 0: not yet
	first    int64                   // where the next feedback begins
	newest   int64                   // greatest sequence number so far; 0 before the first
	pending  int                     // packets that were not reported yet
	count    uint8                   // of feedback messages
}

// New returns a recorder for reports in the name of sender, an SSRC.
func New(sender uint32) *Recorder { return &Recorder{sender: sender} }

// Pending returns how many packets there are to report.
func (r *Recorder) Pending() int { return r.pending }

// Record takes note that the packet with this transport-wide sequence number arrived
// at now. One that comes again, or very late, does not count. It does not
// allocate.
func (r *Recorder) Record(number uint16, now rtptime.Instant) {
	sequence := r.unwrap.Unwrap(number)
	switch {
	case r.newest == 0:
		r.first, r.newest = sequence, sequence
	case sequence > r.newest:
		r.advance(sequence)
	case sequence <= r.newest-maxLate || r.arrivals[sequence&mask] != 0:
		return
	}
	r.arrivals[sequence&mask] = now
	r.first = min(r.first, sequence)
	r.pending++
}

// advance makes sequence the newest, and forgets what lies a window behind it.
func (r *Recorder) advance(sequence int64) {
	if sequence-r.newest >= window {
		clear(r.arrivals[:])
	} else {
		for s := r.newest + 1; s < sequence; s++ {
			r.arrivals[s&mask] = 0
		}
	}
	if oldest := sequence - window + 1; r.first < oldest {
		r.first = oldest
		r.pending = r.countFrom(oldest)
	}
	r.newest = sequence
}

// countFrom returns how many packets are remembered, from oldest to the newest.
func (r *Recorder) countFrom(oldest int64) (n int) {
	for s := oldest; s <= r.newest; s++ {
		if r.arrivals[s&mask] != 0 {
			n++
		}
	}
	return n
}
