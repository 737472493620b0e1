package estimator

import (
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"galene/rtptime"
)

// window is the least time over which a [Rate] is measured.
const window = time.Second

// Rate measures a rate in packets and in bytes, over successive windows of at least a second. The
// zero value is ready for use.
//
// Add belongs to one goroutine; the other methods may be called from any. Nothing locks or
// allocates.
type Rate struct {
	// Totals, increased by Add only.
	packets atomic.Uint64
	bytes   atomic.Uint64

	// The windows, changed once in a window by Add only; version is odd meanwhile.
	version      atomic.Uint32
	start        atomic.Int64  // when the open window began; 0 before the first packet
	startPackets atomic.Uint64 // totals at start
	startBytes   atomic.Uint64
	bits         atomic.Uint64 // bits per second in the window closed last
	packetRate   atomic.Uint64 // packets per second in it, as the bits of a float64
}

// Add counts a packet of that many bytes at now.
func (r *Rate) Add(bytes int, now rtptime.Instant) {
	start := rtptime.Instant(r.start.Load())
	if start == 0 || now.Sub(start) >= window {
		r.turn(start, now)
	}
	r.bytes.Add(uint64(max(bytes, 0)))
	r.packets.Add(1)
}

// turn closes the window that began at start and opens one at now.
func (r *Rate) turn(start, now rtptime.Instant) {
	packets, bytes := r.packets.Load(), r.bytes.Load()
	r.version.Add(1)
	if start != 0 {
		bits, packetRate := rates(bytes-r.startBytes.Load(), packets-r.startPackets.Load(), now.Sub(start))
		r.bits.Store(bits)
		r.packetRate.Store(math.Float64bits(packetRate))
	}
	r.start.Store(int64(now))
	r.startPackets.Store(packets)
	r.startBytes.Store(bytes)
	r.version.Add(1)
}

// Rate returns the rates of the last complete window. They are zero during the first one, and
// two windows after the last packet.
func (r *Rate) Rate(now rtptime.Instant) (bitsPerSecond uint64, packetsPerSecond float64) {
	for {
		version := r.version.Load()
		bits, packetRate := r.read(now)
		if version&1 == 0 && version == r.version.Load() {
			return bits, packetRate
		}
		runtime.Gosched() // Add is about to finish a window
	}
}

// read does what Rate does, but may be torn by a turn of the window. If nobody has
// closed a window that is over, it is taken to end now.
func (r *Rate) read(now rtptime.Instant) (bitsPerSecond uint64, packetsPerSecond float64) {
	start := rtptime.Instant(r.start.Load())
	open := now.Sub(start)
	switch {
	case start == 0 || open >= 2*window:
		return 0, 0
	case open >= window:
		return rates(r.bytes.Load()-r.startBytes.Load(), r.packets.Load()-r.startPackets.Load(), open)
	default:
		return r.bits.Load(), math.Float64frombits(r.packetRate.Load())
	}
}

// rates returns bits and packets per second.
func rates(bytes, packets uint64, over time.Duration) (bitsPerSecond uint64, packetsPerSecond float64) {
	seconds := over.Seconds()
	return uint64(float64(bytes) * 8 / seconds), float64(packets) / seconds
}

// Packets returns how many packets were counted in all.
func (r *Rate) Packets() uint64 {
	return r.packets.Load()
}

// Bytes returns how many bytes were counted in all.
func (r *Rate) Bytes() uint64 {
	return r.bytes.Load()
}
