package estimator

import (
	"math"
	"sync"
	"time"

	"galene/rtptime"
)

// Unlimited is the rate of what has no limit, such as a recorder.
const Unlimited = math.MaxUint64

const (
	// MaxRate is the highest rate that is ever allowed or asked for, and minRate the lowest that
	// losses reduce a track to.
	MaxRate = 1 << 30
	minRate = 9600

	// initialRate is allowed as long as nothing is known.
	initialRate = 512_000

	// validity is how long feedback counts.
	validity = 30 * time.Second

	// Loss below increaseBelow lets a rate grow, loss above decreaseAbove reduces it; in 1/256.
	increaseBelow = 5
	decreaseAbove = 25
)

// Loss is the rate allowed to a track by the losses its subscriber reports. The zero value is
// ready for use. Its methods may be called from any goroutine.
type Loss struct {
	mu   sync.Mutex // guards the fields below
	rate uint64
	set  rtptime.Instant // when rate was last reported about; zero if never

	delivered uint64          // what was left of the sending rate by losses that were too many
	lossy     rtptime.Instant // when these were reported; zero if never
}

// Report takes note that a subscriber reported at now to have lost fraction/256 of the packets of an
// interval, in which they were sent at sendingRate. Few losses let the allowed rate grow by a
// twentieth, if three quarters of it are in use: an unused one proves nothing. Many reduce it by half of
// the fraction lost. It stays between 9600 and 2³⁰.
func (l *Loss) Report(fraction uint8, sendingRate uint64, now rtptime.Instant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rate := l.rateLocked(now)
	switch {
	case fraction < increaseBelow:
		if sendingRate >= rate-rate/4 {
			rate = rate * 269 / 256
		}
	case fraction > decreaseAbove:
		rate = rate * (512 - uint64(fraction)) / 512
		if sendingRate > 0 {
			l.delivered, l.lossy = sendingRate/256*(256-uint64(fraction)), now
		}
	}
	l.rate = min(max(rate, minRate), MaxRate)
	l.set = now
}

// Rate returns the allowed rate: 512000 if nothing was reported in the last 30 s.
func (l *Loss) Rate(now rtptime.Instant) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rateLocked(now)
}

func (l *Loss) rateLocked(now rtptime.Instant) uint64 {
	if l.set == 0 || now.Sub(l.set) >= validity {
		return initialRate
	}
	return l.rate
}

// REMB is the last estimate a receiver sent of the rate it can bear. The zero value is ready for
// use. Its methods may be called from any goroutine.
type REMB struct {
	mu    sync.Mutex // guards the fields below
	rate  uint64
	set   rtptime.Instant // when rate was received; zero if never
	first rtptime.Instant // when the first one came after a silence
	base  uint64          // what it rises from
	rose  rtptime.Instant // when it last rose; zero if never, or if it has fallen since
	fell  rtptime.Instant // when it last fell; zero if never
}

// Set takes note of an estimate that arrived at now.
func (r *REMB) Set(rate uint64, now rtptime.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rate == 0 || now.Sub(r.set) >= validity {
		r.first, r.base, r.rose, r.fell = now, rate, 0, 0
	}
	// Receivers report as often as they raise their estimate by little.
	switch {
	case rate > r.base+r.base/noticeable:
		r.base, r.rose = rate, now
	case rate < r.base-r.base/noticeable:
		r.base, r.rose, r.fell = rate, 0, now
	}
	r.rate, r.set = rate, now
}

const (
	// lossMemory is for how long losses tell what a path cannot take.
	lossMemory = 10 * time.Second
	// riseMemory is for how long an estimate that has risen may go on to.
	riseMemory = 3 * time.Second
	// firstMemory is for how long a first estimate is taken for what its receiver has seen so
	// far: that may be little more than how it began.
	firstMemory = time.Second
	// noticeable is the part of an estimate by which it must change to have risen or fallen.
	noticeable = 50
)

// limit returns the most that losses show to be possible, or Unlimited.
func (l *Loss) limit(now rtptime.Instant) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lossy == 0 || now.Sub(l.lossy) >= lossMemory {
		return Unlimited
	}
	return max(l.delivered, minRate)
}

// limit returns the most that estimates show to be possible while so much is sent, more than before
// since raised, or Unlimited.
func (r *REMB) limit(now rtptime.Instant, sendingRate uint64, raised rtptime.Instant) uint64 {
	rate, ok := r.Rate(now)
	r.mu.Lock()
	defer r.mu.Unlock()
	rising := r.rose != 0 && now.Sub(r.rose) < riseMemory
	rising = rising || raised != 0 && now.Sub(raised) < riseMemory && r.fell < raised
	if !ok || rising || now.Sub(r.first) < firstMemory || rate > sendingRate+sendingRate/3 {
		return Unlimited
	}
	return rate
}

// Limit returns the most that the subscriber's feedback shows it to be able to take while
// sendingRate is sent, [Unlimited] if it shows nothing. Unlike [Allowance.Allowed] it
// is no rate to go by for a publisher: that nothing is known of higher rates,
// because less is sent, is not held against them. An estimate that lies far above what is sent, or
// is on its way up, says only how far its receiver has got. So does one that has not fallen since
// raised, when more began to be sent than before (zero if that never happened): it is on its way up soon.
func (a *Allowance) Limit(now rtptime.Instant, sendingRate uint64, raised rtptime.Instant) uint64 {
	return min(a.Loss.limit(now), a.REMB.limit(now, sendingRate, raised))
}

// Rate returns the last estimate. ok is false if none came in the last 30 s, or if it was 0.
func (r *REMB) Rate(now rtptime.Instant) (rate uint64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rate == 0 || r.set == 0 || now.Sub(r.set) >= validity {
		return 0, false
	}
	return r.rate, true
}

// Allowance is what the feedback of a subscriber allows to one of its tracks. The zero value is
// ready for use. It may be used from any goroutine.
type Allowance struct {
	Loss Loss
	REMB REMB
}

// Allowed returns the lesser of the rates by loss and by REMB, the latter if there is one.
func (a *Allowance) Allowed(now rtptime.Instant) uint64 {
	rate := a.Loss.Rate(now)
	if remb, ok := a.REMB.Rate(now); ok {
		rate = min(rate, remb)
	}
	return rate
}
